"""Each part of the repository declares what it imports: what lint sees, and that it sees everything."""

import subprocess

import pytest

from tools.dependencies import declared
from tools.dependencies.declared import PARTS, ROOT, Part, check

PYPROJECT = {
    "project": {"dependencies": ["httpx>=0.28", "jinja2"], "optional-dependencies": {"plots": ["rich"]}},
    "dependency-groups": {"exchange": ["orjson>=3"], "dev": [{"include-group": "exchange"}]},
}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(declared, "ROOT", tmp_path)
    (tmp_path / "part").mkdir()

    def write(*lines):
        (tmp_path / "part" / "module.py").write_text("\n".join(lines))

    return write


def test_what_is_imported_and_declared_is_well(tree):
    tree("import json", "import httpx", "import jinja2", "import rich", "import verdict_harness")
    assert check("part", Part(("wheel",)), PYPROJECT) == ""


@pytest.mark.parametrize(
    ("imported", "said"),
    [
        ("markupsafe", "DEP003 'markupsafe' imported but it is a transitive dependency"),  # jinja2 brings it
        (
            "orjson",
            "DEP003 'orjson' imported but it is a transitive dependency",
        ),  # of another list
        ("teapot", "DEP001 'teapot' imported but missing"),
    ],
)
def test_what_is_imported_and_not_declared_is_said(tree, imported, said):
    tree("import httpx", "import jinja2", "import rich", f"import {imported}")
    assert said in check("part", Part(("wheel",)), PYPROJECT)


def test_what_is_declared_and_not_imported_is_said_of_its_own_list_alone(tree):
    tree("import orjson")
    part = Part(("exchange",), ("wheel",))
    assert check("part", part, PYPROJECT) == ""
    tree("import httpx")
    said = check("part", part, PYPROJECT)
    assert "DEP002 'orjson' defined as a dependency but not used" in said
    assert "jinja2" not in said


def test_a_file_is_a_part_too(tree):
    tree("import orjson")
    part = Part((), ("wheel",))
    assert "'orjson'" in check("part/module.py", part, PYPROJECT)
    assert check("part/module.py", Part((), brought={"orjson": "for a reason"}), PYPROJECT) == ""


@pytest.mark.usefixtures("tree")
def test_looking_at_nothing_is_no_success(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RuntimeError, match="to look at files of empty"):
        check("empty", Part(("wheel",)), PYPROJECT)


def test_every_python_file_is_in_a_part():
    listed = subprocess.run(
        ["git", "ls-files", "*.py"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert {path.split("/")[0] for path in listed} == set(PARTS)
