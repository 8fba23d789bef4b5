"""What is planted is there, alone, in the copy; what can't be planted says why."""

import subprocess
import sys

import pytest

from verdict_harness import programs
from verdict_harness.errors import UsageError
from verdict_harness.sensitivity import Defect, Patch, Variable, Wrapper, planting
from verdict_harness.sensitivity.tree import Tree

SOURCE = "def price():\n    return 100\n\n\ndef other():\n    return 7\n"


@pytest.fixture
def copy(tmp_path):
    root = tmp_path / "scratch dir" / "project"
    root.mkdir(parents=True)
    (root / "shop.py").write_bytes(SOURCE.encode())
    (root / "page.txt").write_bytes(b"one\r\ntwo\r\n")
    return Tree(root, tmp_path / "original", sys.executable)


def defect(*plants, **more):
    return Defect("dear", "shop", "It is dear.", plants, "", fails=["S.price"], **more)


def test_a_patch_changes_what_it_names_and_no_more(copy):
    again = Patch("shop.py", "return 7", "return 8")
    text = Patch("page.txt", "two", "three")
    assert planting.plant(defect(Patch("shop.py", "return 100", "return 0"), again, text), copy) == {}
    assert (copy.root / "shop.py").read_text() == SOURCE.replace("100", "0").replace("7", "8")
    assert (copy.root / "page.txt").read_bytes() == b"one\r\nthree\r\n"


@pytest.mark.parametrize(
    ("patch", "found"),
    [
        (Patch("shop.py", "return 200", ""), "0 times"),
        (Patch("shop.py", "return", ""), "2 times"),
        (Patch("shop.py", "", "x"), "0 times"),
        (Patch("none.py", "x", "y"), "no such file"),
    ],
)
def test_an_anchor_is_there_once_or_it_is_said_what_to_do(copy, patch, found):
    with pytest.raises(UsageError) as caught:
        planting.plant(defect(patch), copy)
    said = str(caught.value)
    assert all(one in said for one in ("dear can't be planted", found, patch.path, patch.anchor, "to do:"))
    assert planting.trouble(defect(patch), copy.root) == said
    assert (copy.root / "shop.py").read_text() == SOURCE


def test_two_patches_may_be_of_one_file(copy):
    both = defect(Patch("shop.py", "100", "1"), Patch("shop.py", "return 1\n", "return 2\n"))
    assert planting.gone([both], copy.root) == {}
    assert (copy.root / "shop.py").read_text() == SOURCE


def test_what_is_planted_later_may_not_be_there_yet(copy):
    later = defect(Patch("runs/latest/verdict.json", "FAIL", "PASS"), later=True)
    assert planting.gone([later], copy.root) == {}


def test_no_python_is_no_defect(copy):
    with pytest.raises(UsageError, match="no Python") as caught:
        planting.plant(defect(Patch("shop.py", "return 100", "return (")), copy)
    assert "shop.py" in str(caught.value)


@pytest.mark.parametrize("way", ["../outside.py", "/etc/hostname", "link/outside.py"])
def test_nothing_is_planted_outside(copy, way):
    (copy.root.parent / "outside.py").write_text("x = 1\n")
    (copy.root / "link").symlink_to(copy.root.parent)
    with pytest.raises(UsageError, match="leads out of the project"):
        planting.plant(defect(Patch(way, "x = 1", "x = 2")), copy)
    assert (copy.root.parent / "outside.py").read_text() == "x = 1\n"


def test_variables_are_returned(copy):
    assert planting.plant(defect(Variable("SLOW", "1")), copy) == {"SLOW": "1"}


def test_a_wrapper_runs_in_the_place_of_a_program_but_for_its_version(copy, tmp_path, monkeypatch):
    real = tmp_path / "real k6"
    real.write_text('#!/bin/sh\n[ "$1" = version ] && echo "k6 v1.8.1" || echo "real: $*"\n')
    real.chmod(0o755)
    monkeypatch.setenv("K6", str(real))
    script = "import subprocess\nprint('planted', flush=True)\nsubprocess.run([REAL, *sys.argv[1:], 'too'])\n"
    variables = planting.plant(defect(Wrapper("k6", "K6", script)), copy)
    monkeypatch.setenv("K6", variables["K6"])
    program = programs.locate("k6")
    assert (program.version, str(program.path)) == ("1.8.1", variables["K6"])
    done = subprocess.run([variables["K6"], "version"], capture_output=True, text=True, check=True)
    assert done.stdout == "k6 v1.8.1\n"
    done = subprocess.run([variables["K6"], "run", "a b"], capture_output=True, text=True, check=True)
    assert done.stdout == "planted\nreal: run a b too\n"


def test_what_can_not_be_wrapped_is_said(copy):
    with pytest.raises(UsageError, match="kafka can't be wrapped"):
        planting.plant(defect(Wrapper("kafka", "KAFKA_LIBS", "")), copy)
    with pytest.raises(UsageError, match="no program 'psql'"):
        planting.plant(defect(Wrapper("psql", "PSQL", "")), copy)
