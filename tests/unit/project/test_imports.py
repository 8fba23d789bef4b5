"""What import-linter, whose contracts are in pyproject.toml, leaves to say of rooms and their imports."""

import ast
import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import grimp
import pytest

ROOT = Path(__file__).parents[3]
HOUSE = "verdict_harness"
LINTER = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in LINTER["contracts"]}
TREES = {
    "engine": ROOT / "src/engine",
    "gateway": ROOT / "src/gateway",
    "wire": ROOT / "src/wire",
    HOUSE: ROOT / "harness" / HOUSE,
    "experiments": ROOT / "experiments",
    "grafana": ROOT / "grafana",
}
#: From the top down; the last are not rooms, but modules that anybody may use.
LAYERS = CONTRACTS["The harness's rooms use those below them"]["layers"]
FLOORS = LAYERS[:-1]
#: Modules that a face offers whole, by their rooms.
WHOLE = {
    (room, module)
    for pair in CONTRACTS["The harness's rooms are used through their faces"]["ignore_imports"]
    if (found := re.fullmatch(rf"\*\* -> {HOUSE}\.(\w+)\.(\w+)", pair))
    for room, module in [found.groups()]
}


@pytest.fixture(scope="module")
def graph():
    return grimp.build_graph(*LINTER["root_packages"], cache_dir=None)


def floors_drawn(heading):
    """The rooms that a section of docs/architecture.md has in its table, in that order."""
    text = (ROOT / "docs/architecture.md").read_text()
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\|(?: \d+ \|)? `(\w+)/?` \|", section, flags=re.MULTILINE)


def test_the_contracts_have_the_floors_that_the_documentation_draws():
    assert [*FLOORS, "errors"] == floors_drawn("The harness, room by room")
    engine = CONTRACTS["The engine's rooms use those below them"]["layers"]
    assert engine == ["__main__", "logs", *floors_drawn("The engine, floor by floor")]


def test_whole_modules_are_offered_by_their_face():
    faces = {room: importlib.import_module(f"{HOUSE}.{room}") for room in FLOORS if room != "plugin"}
    assert {
        (room, name)
        for room, face in faces.items()
        for name in face.__all__
        if isinstance(getattr(face, name), ModuleType)
    } == WHOLE


def test_whole_modules_are_asked_for_by_way_of_the_face(graph):
    """``from ..processes import command``, never ``from ..processes.command import run``.

    To import-linter both are the same.
    """
    past = re.compile(r"\b({})\b".format("|".join(map(r"\.".join, WHOLE))))
    imports = {
        (importer, detail["line_contents"])
        for room, module in WHOLE
        for importer in graph.find_modules_that_directly_import(f"{HOUSE}.{room}.{module}")
        for detail in graph.get_import_details(importer=importer, imported=f"{HOUSE}.{room}.{module}")
    }
    assert imports
    assert {(importer, line) for importer, line in imports if past.search(line)} == set()


def test_no_module_imports_the_face_in_front_of_it(graph):
    """A circle that import-linter, which compares neighbours, does not see."""
    programs = {f"{HOUSE}.programs.__main__"}  # runs it, and nobody imports it
    own = {module: module.rpartition(".")[0] for module in graph.modules - programs}
    assert not [m for m, face in own.items() if face in graph.find_modules_directly_imported_by(m)]


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
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)]
    off = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": f"{HOUSE}.plugin.hooks"}
    environment = {**os.environ, **off}
    done = subprocess.run(
        [*words, tmp_path], check=True, capture_output=True, text=True, cwd=tmp_path, env=environment
    )
    loaded = set(done.stdout.split())
    rooms = {name.split(".")[1] for name in loaded if name.startswith(f"{HOUSE}.")}
    assert rooms == {"_later", "errors", "plugin", "processes"}
    assert f"{HOUSE}.processes.progress" in loaded, "standard error is taken before pytest captures it"
    assert not {"httpx", "jgo", "jinja2", "matplotlib", "psutil", "rich", "tenacity", "yaml"} & loaded


def test_inside_a_package_imports_are_relative():
    absolute = {
        str(path.relative_to(ROOT))
        for name in ("engine", "gateway", "wire", HOUSE)
        for path in TREES[name].rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").split(".")[0] == name
    }
    assert not absolute


def test_files_stay_small():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for tree in TREES.values()
        for path in tree.rglob("*.py")
    }
    assert lengths
    assert not {path: lines for path, lines in lengths.items() if lines > 400}


def test_rooms_stay_rooms():
    """None holds more than a quarter of the house."""
    lines = {
        room: sum(len(path.read_text().splitlines()) for path in (TREES[HOUSE] / room).rglob("*.py"))
        for room in FLOORS
    }
    assert {room: count for room, count in lines.items() if count > sum(lines.values()) / 4} == {}
