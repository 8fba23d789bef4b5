"""The command as people type it, on a tiny project: its exit statuses, and what it leaves."""

import json
import sys
import textwrap

import pytest

from verdict_harness.sensitivity.__main__ import main

DEFECTS = """
from verdict_harness.sensitivity import Defect, Patch

DEFECTS = [
    Defect("dear", "shop", "It is dear.", [Patch("shop.py", "PRICE = 0.1", "PRICE = 0.3")], "shop",
           fails=["S.price"], holds=["S.wait"]),
    Defect("dearer", "shop", "It is dearer.", [Patch("shop.py", "PRICE = 0.1", "PRICE = 0.11")], "shop",
           fails=["S.price"]),
    Defect("moved", "other", "It was moved.", [Patch("shop.py", "PRICE = 7", "PRICE = 8")], "shop",
           fails=["S.price"]),
]
"""


@pytest.fixture
def typed(project, monkeypatch):
    """Type the command in the project; returns its status and what it said."""
    (project.root / "planted").mkdir()
    (project.root / "planted" / "__init__.py").write_text(textwrap.dedent(DEFECTS))
    monkeypatch.chdir(project.root)
    monkeypatch.setattr(sys, "path", [str(project.root), *sys.path])
    said = []
    monkeypatch.setattr("verdict_harness.processes.progress.say", said.append)

    def go(*words):
        said.clear()
        monkeypatch.delitem(sys.modules, "planted", raising=False)
        return main(["planted", "--criteria", "criteria", *words]), "\n".join(said)

    return go


def test_all_that_was_chosen_is_caught(typed, project):
    status, said = typed("-k", "dear", "-k", "moved", "--list")
    assert (status, "can't be planted: the code has moved" in said) == (10, True)
    status, said = typed("-k", "dear", "--list")
    assert (status, said) == (0, "")

    status, said = typed("--at-once", "2", "--table", "docs/page.md")
    assert status == 1
    assert "of 3 defects: 1 caught, 1 missed, 1 broken" in said
    page = (project.root / "docs" / "page.md").read_text()
    assert "`dearer`: S.price is PASS, and has to FAIL" in page
    kept = project.root / ".nox" / "sensitivity"
    assert json.loads((kept / "dear.json").read_text())["seen"]["outcome"] == "caught"
    assert (kept / "evidence" / "dearer" / "report.html").exists()

    status, said = typed("-k", "moved")
    assert (status, "of 1 defects: 1 broken" in said) == (10, True)
    status, said = typed("-k", "dear", "--list", "--table", "docs/page.md")
    assert (status, "written: docs/page.md" in said) == (0, True)
    assert not (project.root / "runs").exists()


def test_a_sample_is_of_what_fits(typed):
    status, said = typed("-k", "shop", "--sample", "abc", "--seconds", "61")
    assert "a sample, 1 of 2 defects: " in said
    assert status == (0 if "1 of 2 defects: dear\n" in f"{said}\n" else 1)
    status, said = typed("--sample", "abc", "--seconds", "0.1")
    assert (status, "a sample, 0 of 3 defects" in said) == (10, True)


def test_the_sound_system(typed, project):
    status, said = typed("--sound", "1", "-k", "shop")
    assert (status, "a false alarm in 0 of 1 runs" in said) == (0, True)
    (project.root / "shop.py").write_text((project.root / "shop.py").read_text().replace("0.1", "0.5"))
    status, said = typed("--sound", "1", "-k", "shop")
    assert (status, "a false alarm in 1 of 1 runs" in said) == (1, True), "other source, another run"
    (project.root / "shop.py").write_text("import nowhere\n")
    status, said = typed("--sound", "1", "-k", "shop")
    assert (status, "the sound system was not run" in said) == (10, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-k", "nothing"), "no defect was chosen"),
        (("--requirements", "none.toml"), "the table of requirements"),
    ],
)
def test_what_can_not_be_done_is_said(typed, words, why):
    status, said = typed(*words)
    assert status == 10
    assert why in said


@pytest.mark.usefixtures("typed")
@pytest.mark.parametrize("package", ["nowhere", "shop"])
def test_a_package_without_defects_is_said(package, monkeypatch):
    said = []
    monkeypatch.setattr("verdict_harness.processes.progress.say", said.append)
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    assert main([package]) == 10
    assert f"{package} offers no defects" in said[0]
