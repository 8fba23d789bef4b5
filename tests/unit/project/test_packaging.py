"""What is published is the harness alone, and the lock is what gets installed."""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tools.dependencies.licences import needed

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = out.glob("*.whl")
    return zipfile.ZipFile(path)


def test_the_wheel_holds_the_harness_and_nothing_else(wheel):
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"verdict_harness"}
    assert "verdict_harness/plugin/hooks.py" in wheel.namelist()


def test_the_wheel_carries_its_data(wheel):
    top = ROOT / "harness"
    data = {p.relative_to(top).as_posix() for p in top.rglob("*") if p.is_file()}
    data = {name for name in data if "__pycache__" not in name}
    assert not data - set(wheel.namelist())


def test_every_requirement_is_locked_with_hashes():
    locks = ("requirements.lock", "tests/integration/beside/requirements.lock")
    lock = "".join((ROOT / name).read_text() for name in locks)
    entries = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)[1:]
    assert len(entries) > 50
    assert not [e.split()[0] for e in entries if "--hash=sha256:" not in e]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = list(project["project"]["dependencies"])
    for group in project["dependency-groups"].values():
        wanted += [word for word in group if isinstance(word, str)]
    locked = {entry.split("==")[0] for entry in entries}
    assert not {re.split(r"[><=~ ]", word)[0].lower() for word in wanted} - locked


def test_another_team_gets_a_thin_wheel(wheel):
    """At most 25 packages and 25 MB, without the bytecode that Python adds."""
    packages = {name: importlib.metadata.distribution(name) for name in needed(["verdict-harness"])}
    assert len(packages) <= 25, sorted(packages)
    assert {"httpx", "pytest", "markupsafe"} <= set(packages), "what packages need is followed"
    size = {
        name: sum(
            Path(str(file.locate())).stat().st_size
            for file in each.files or ()
            if "__pycache__" not in file.parts
        )
        for name, each in packages.items()
        if name != "verdict-harness"  # installed for editing here; the wheel has its files
    }
    size["verdict-harness"] = sum(entry.file_size for entry in wheel.infolist())
    assert all(size.values()), size
    assert sum(size.values()) <= 25e6, sorted(size.items(), key=lambda each: -each[1])


def test_no_registry_host_is_named_anywhere():
    """A closed network has its own registries: the ordinary clients know them, this tree must not."""
    hosts = re.compile(
        r"(files\.)?pypi\.org|pythonhosted\.org|proxy\.golang\.org|sum\.golang\.org|repo1?\.maven\.(apache\.)?org|registry\.npmjs\.org",
    )
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    assert "pyproject.toml" in listed
    named = [
        n
        for n in listed
        if n != "tests/unit/project/test_packaging.py"
        and (ROOT / n).is_file()
        and hosts.search((ROOT / n).read_text(errors="ignore"))
    ]
    assert not named
