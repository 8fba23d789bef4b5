"""Imports go one way: experiments -> harness <- grafana, engine -> wire <- gateway; nothing else meets.

Inside the harness every room is a floor, and imports go down only: a room uses those below it, through their
face, which is what their ``__init__`` offers.
"""

import ast
import graphlib
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
HOUSE = "verdict_harness"
TREES = {
    "engine": ROOT / "src/engine",
    "gateway": ROOT / "src/gateway",
    "wire": ROOT / "src/wire",
    HOUSE: ROOT / "harness" / HOUSE,
}
FORBIDDEN = {
    "engine": {"gateway", HOUSE, "experiments", "grafana"},
    "gateway": {"engine", HOUSE, "experiments", "grafana"},
    "wire": {"engine", "gateway", HOUSE, "experiments", "grafana"},
    HOUSE: {"engine", "gateway", "wire", "experiments", "grafana"},
    "experiments": {"engine", "gateway", "wire", "grafana"},
    "grafana": {"engine", "gateway", "wire", "experiments"},
}
#: From the top down.
FLOORS = (
    "plugin",
    "report",
    "kubernetes",
    "loads",
    "verdicts",
    "samples",
    "record",
    "systems",
    "programs",
    "processes",
)
#: Beneath every room: not rooms, but modules that anybody may use.
GROUND = {"errors", "_later"}


def imports(path: Path, package: str) -> set[tuple[str, str]]:
    """What ``path``, a module of ``package``, imports: absolute names of modules, and a name out of each."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {(alias.name, "") for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - (node.level - 1)] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found |= {(stem, alias.name) for alias in node.names}
    return found


def modules(name: str) -> list[tuple[str, Path, set[tuple[str, str]]]]:
    tree = TREES.get(name, ROOT / name)
    rows = []
    for path in sorted(tree.rglob("*.py")):
        parts = (name, *path.relative_to(tree).with_suffix("").parts)
        package = ".".join(parts[:-1])
        rows.append((".".join(parts), path, imports(path, package)))
    assert rows, f"no modules under {tree}"
    return rows


def into_the_house(found: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """Of what a module imports, what is in the house: the room, and what is asked of it."""
    asked = []
    for module, name in sorted(found):
        top, *rest = module.split(".")
        if top == HOUSE:
            room, *inner = [*rest, name] if name else rest
            asked.append((room, ".".join(inner)))
    return asked


@pytest.mark.parametrize("name", sorted(FORBIDDEN))
def test_trees_do_not_meet(name):
    wrong = {
        f"{module} imports {imported}"
        for module, _, found in modules(name)
        for imported, _ in found
        if imported.split(".")[0] in FORBIDDEN[name]
    }
    assert not wrong


def test_every_room_has_its_floor():
    tree = TREES[HOUSE]
    assert {path.name for path in tree.iterdir() if (path / "__init__.py").exists()} == set(FLOORS)
    assert {path.stem for path in tree.glob("*.py")} - {"__init__"} == GROUND


def test_rooms_use_only_those_below_them():
    wrong = []
    for module, _, found in modules(HOUSE):
        here = module.split(".")[1]
        below = set(FLOORS[FLOORS.index(here) + 1 :]) if here in FLOORS else set()
        allowed = below | GROUND | {here}
        wrong += [f"{module} uses {room}" for room, _ in into_the_house(found) if room not in allowed]
    assert not wrong


@pytest.mark.parametrize("user", [HOUSE, "experiments", "grafana"])
def test_a_room_is_used_through_its_face(user):
    faces = {room: set(importlib.import_module(f"{HOUSE}.{room}").__all__) for room in FLOORS[1:]}
    used, wrong = 0, []
    for module, _, found in modules(user):
        here = module.split(".")[1] if user == HOUSE else ""
        for room, what in into_the_house(found):
            if room in faces and room != here:
                used += 1
                if what and what not in faces[room]:
                    wrong.append(f"{module} takes {what} of {room}, which does not offer it")
    assert not wrong
    assert used or user == "grafana"


@pytest.mark.parametrize("room", FLOORS)
def test_a_face_says_what_its_room_is_for_and_holds_what_it_offers(room):
    face = importlib.import_module(f"{HOUSE}.{room}")
    sentence = (face.__doc__ or "").split("\n\n")[0]
    assert sentence.endswith(".")
    for name in getattr(face, "__all__", ()):
        assert getattr(face, name) is not None


def test_what_a_face_does_not_offer_is_said():
    with pytest.raises(ImportError, match=r"'teapot' from 'verdict_harness\.systems'"):
        from verdict_harness.systems import teapot  # noqa: F401, PLC0415


def test_a_session_without_criteria_imports_nothing_that_judges(tmp_path):
    """Every session of pytest loads the plugin; who has no criterion shall not wait for it."""
    (tmp_path / "test_plain.py").write_text("def test_plain():\n    assert True\n")
    (tmp_path / "conftest.py").write_text(
        "import sys\ndef pytest_unconfigure():\n    print(*sys.modules, file=sys.__stdout__)\n"
    )
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        tmp_path,
    ]
    off = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": f"{HOUSE}.plugin.hooks"}
    environment = {**os.environ, **off}
    done = subprocess.run(
        [*words, tmp_path], check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.split(".")[0] == HOUSE}
    assert ours == {
        HOUSE,
        f"{HOUSE}._later",
        f"{HOUSE}.plugin",
        *(f"{HOUSE}.plugin.{name}" for name in ("hooks", "options", "short")),
    }
    assert not {"httpx", "jgo", "jinja2", "matplotlib", "psutil", "rich", "tenacity", "yaml"} & loaded


def test_only_the_plugin_imports_pytest():
    users = {
        module
        for module, _, found in modules(HOUSE)
        if any(imported.split(".")[0] == "pytest" for imported, _ in found)
    }
    assert {module.rpartition(".")[0] for module in users} == {f"{HOUSE}.plugin"}


def test_inside_a_package_imports_are_relative():
    absolute = {
        module
        for name in TREES
        for module, path, _ in modules(name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == name
    }
    assert not absolute


def test_no_cycles_in_any_package():
    for name in TREES:
        rows = modules(name)
        known = {module.removesuffix(".__init__") for module, _, _ in rows}
        graph = {}
        for module, _, found in rows:
            own = module.removesuffix(".__init__")
            names = {f"{stem}.{what}" if f"{stem}.{what}" in known else stem for stem, what in found}
            graph[own] = (names & known) - {own}
        list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which shows the cycle


def test_files_stay_small():
    big = {
        str(path.relative_to(ROOT)): lines
        for name in FORBIDDEN
        for _, path, _ in modules(name)
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert not big


def test_rooms_stay_rooms():
    """None holds more than a quarter of the house."""
    lines = dict.fromkeys(FLOORS, 0)
    for module, path, _ in modules(HOUSE):
        if (room := module.split(".")[1]) in lines:
            lines[room] += len(path.read_text().splitlines())
    assert {room: count for room, count in lines.items() if count > sum(lines.values()) / 4} == {}
