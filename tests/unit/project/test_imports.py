"""Imports go one way: experiments -> harness <- grafana, engine -> wire <- gateway; nothing else meets.

Inside the harness the rooms are ordered; a room may import only rooms before its own line.
"""

import ast
import graphlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TREES = {
    "engine": ROOT / "src/engine",
    "gateway": ROOT / "src/gateway",
    "wire": ROOT / "src/wire",
    "harness": ROOT / "harness",
}
FORBIDDEN = {
    "engine": {"gateway", "harness", "experiments", "grafana"},
    "gateway": {"engine", "harness", "experiments", "grafana"},
    "wire": {"engine", "gateway", "harness", "experiments", "grafana"},
    "harness": {"engine", "gateway", "wire", "experiments", "grafana"},
    "experiments": {"engine", "gateway", "wire", "grafana"},
    "grafana": {"engine", "gateway", "wire", "experiments"},
}


def imports(path: Path, package: str) -> set[str]:
    """Absolute dotted names of everything that ``path``, a module of ``package``, imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found |= {stem} if node.module else {f"{stem}.{alias.name}" for alias in node.names}
    return found


def modules(name: str) -> list[tuple[str, Path, set[str]]]:
    tree = TREES.get(name, ROOT / name)
    rows = []
    for path in sorted(tree.rglob("*.py")):
        parts = (name, *path.relative_to(tree).with_suffix("").parts)
        package = ".".join(parts[:-1])
        rows.append((".".join(parts), path, imports(path, package)))
    assert rows, f"no modules under {tree}"
    return rows


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_trees_do_not_meet(name):
    wrong = {
        f"{module} imports {imported}"
        for module, _, found in modules(name)
        for imported in found
        if imported.split(".")[0] in FORBIDDEN[name]
    }
    assert not wrong


def test_only_the_plugin_imports_pytest():
    users = {
        module for module, _, found in modules("harness") if any(i.split(".")[0] == "pytest" for i in found)
    }
    assert users == {"harness.plugin"}


def test_inside_a_package_imports_are_relative():
    absolute = {
        module
        for name in ("engine", "gateway", "wire", "harness")
        for module, path, _ in modules(name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == name
    }
    assert not absolute


def test_no_cycles_in_any_package():
    for name in ("engine", "gateway", "wire", "harness"):
        rows = modules(name)
        known = {module.removesuffix(".__init__") for module, _, _ in rows}
        own = {module: module.removesuffix(".__init__") for module, _, _ in rows}
        graph = {own[module]: (found & known) - {own[module]} for module, _, found in rows}
        list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which shows the cycle


def test_files_stay_small():
    big = {
        str(path.relative_to(ROOT)): lines
        for name in FORBIDDEN
        for _, path, _ in modules(name)
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not big
