"""Does each part of this repository declare what it imports, and import what it declares? deptry says.

Parts have dependencies of their own: what another team installs with the harness is not there for the engine,
and what tests need is not there for the harness. deptry knows one list a project, so each part is shown to it
as a project with the lists of ``PARTS``. What a part has from another list it may leave unused.

    python -m tools.dependencies.declared
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
WHEEL = "wheel"
"""What the harness's wheel installs; every other list is a dependency group."""
OURS = ("engine", "experiments", "gateway", "grafana", "tests", "tools", "verdict_harness", "wire")


@dataclass(frozen=True)
class Part:
    """One directory or file, and what it may import.

    Attributes:
        own: the lists that are there for it; all that they name is used.
        others: further lists that are installed wherever it runs.
        unimported: what is used without being imported, and how.
        brought: what is imported though nothing names it, and why it is there.
    """

    own: tuple[str, ...]
    others: tuple[str, ...] = ()
    unimported: Mapping[str, str] = field(default_factory=dict)
    brought: Mapping[str, str] = field(default_factory=dict)


PARTS = {
    "harness": Part((WHEEL,), unimported={"pip": "run as `python -m pip` to fetch Go and Java"}),
    "src": Part(("exchange",)),
    "experiments": Part(("experiments",), (WHEEL,)),
    "grafana": Part(("dashboard",), (WHEEL,)),
    "tools": Part(("audit", "bench"), (WHEEL, "exchange"), unimported={"pip-audit": "a command"}),
    "tests": Part(
        ("test",),
        (WHEEL, "exchange", "bench", "dashboard", "experiments"),
        unimported=dict.fromkeys(("pytest-randomly", "pytest-timeout", "pytest-xdist"), "a plugin of pytest"),
    ),
    "noxfile.py": Part(
        (),
        ("types",),
        brought={"filelock": "nox brings it, by way of virtualenv"},
    ),
}


def name_of(requirement: str) -> str:
    """Return the name that a requirement begins with.

    Example:
        >>> name_of("grafana-foundation-sdk==1769699998!10.1.0")
        'grafana-foundation-sdk'
    """
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]


def lists(pyproject: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return every list of requirements by its name; the wheel's extras are the wheel's."""
    project = pyproject["project"]
    extras = project.get("optional-dependencies", {}).values()
    groups = {
        name: [word for word in words if isinstance(word, str)]
        for name, words in pyproject["dependency-groups"].items()
    }
    return {WHEEL: [*project["dependencies"], *(word for extra in extras for word in extra)], **groups}


def as_a_project(part: Part, known: Mapping[str, Iterable[str]]) -> str:
    """Return the ``pyproject.toml`` that deptry is shown for ``part``."""
    own = [word for name in part.own for word in known[name]]
    others = [word for name in part.others for word in known[name]]
    unused = {name_of(word) for word in others} - {name_of(word) for word in own}
    ignores = {"DEP002": sorted(unused | set(part.unimported)), "DEP003": sorted(part.brought)}
    # an empty list would be deptry's own, which leaves tests out
    exclude = [r"\.git"]
    return "\n".join(
        (
            "[project]",
            'name = "part"',
            'version = "0"',
            f"dependencies = {json.dumps([*own, *others])}",
            "[tool.deptry]",
            f"exclude = {json.dumps(exclude)}",
            f"known_first_party = {json.dumps(OURS)}",
            "[tool.deptry.per_rule_ignores]",
            *(f"{rule} = {json.dumps(names)}" for rule, names in ignores.items()),
        )
    )


def check(where: str, part: Part, pyproject: Mapping[str, Any]) -> str:
    """Return what deptry finds wrong with ``where``, a directory or a file; empty if nothing.

    Raises:
        RuntimeError: it looked at no file, and so found nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "pyproject.toml"
        config.write_text(as_a_project(part, lists(pyproject)), encoding="utf-8")
        root = Path(where)
        if (ROOT / root).is_file():  # which deptry does not take for a root
            root = Path(shutil.copy(ROOT / root, folder)).parent
        command = [sys.executable, "-m", "deptry", str(root), "--no-ansi", "--config", str(config)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        said = done.stderr.replace(f"{folder}/", "")
    scanned = re.search(r"Scanning (\d+) file", said)
    if scanned is None or scanned[1] == "0":
        raise RuntimeError(f"expected deptry to look at files of {where}, found: {said or done.stdout}")
    return said if done.returncode else ""


def main() -> int:
    """Check every part; tell what is wrong."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wrong = {where: said for where, part in PARTS.items() if (said := check(where, part, pyproject))}
    for where, said in wrong.items():
        print(f"{where} (tools/dependencies/declared.py says which lists are its):\n{said}")
    print(f"deptry: {len(PARTS)} parts, {len(wrong)} of them declare what they import otherwise")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
