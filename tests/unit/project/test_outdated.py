"""What is behind, and what has holes: where nobody could be asked, nothing is called well."""

import fnmatch
import json
import re
import subprocess
import sys

import pytest

from tools.dependencies import audit, outdated
from tools.dependencies.outdated import NotAsked, Row, ask, libraries, newest, say, table
from tools.dependencies.pins import PINS, ROOT, Pin

PIN = Pin("pypi", "uv", "noxfile.py", r'"uv==([^"]+)"')
RENOVATE = json.loads((ROOT / ".github/renovate.json").read_text())


@pytest.mark.parametrize("pin", PINS, ids=lambda pin: f"{pin.name} in {pin.file}")
def test_every_pin_is_found(pin):
    assert re.search(r"\d", pin.version)


def test_a_pin_that_is_not_found_is_an_error():
    with pytest.raises(LookupError, match=r"pin of uv in README\.md"):
        _ = Pin("pypi", "uv", "README.md", r'"uv==([^"]+)"').version


@pytest.mark.parametrize(
    ("there", "like", "found"),
    [
        (["4.1.2", "4.4.0", "4.10.0"], "4.1.1", "4.10.0"),
        (["4.2.0-rc1", "latest", "4", "4.1.1"], "4.1.1", "4.1.1"),
        (["v26.1.15", "v27.1.1-amd64"], "v26.1.14", "v26.1.15"),
    ],
)
def test_the_newest_of_its_kind(there, like, found):
    assert newest(there, like) == found


@pytest.mark.parametrize("there", [[], ["latest"]])
def test_nothing_served_is_nothing_known(there):
    with pytest.raises(NotAsked):
        newest(there, "1.0")


def answer(monkeypatch, said):
    def asked(_pin):
        if isinstance(said, Exception):
            raise said
        return said

    monkeypatch.setitem(outdated.ASK, "pypi", asked)


def test_states(monkeypatch):
    answer(monkeypatch, PIN.version)
    assert ask(PIN).state == "current"
    answer(monkeypatch, "99.0")
    assert ask(PIN).state == "behind"
    assert ask(Pin(PIN.ecosystem, PIN.name, PIN.file, PIN.pattern, "for a reason")).state == "held"


def test_what_cannot_be_asked_is_not_current(monkeypatch):
    answer(monkeypatch, NotAsked("no such host"))
    row = ask(PIN)
    assert (row.state, row.remark) == ("not asked", "no such host")
    text = table([row, Row("pypi", "well", "1", "1")])
    assert re.search(r"uv .* not asked +no such host", text)
    assert "1 current, 0 behind, 0 held, 1 not asked" in text
    assert "well" not in text


@pytest.mark.parametrize("ecosystem", sorted(outdated.ASK))
def test_a_client_that_is_not_there_or_fails_is_said(monkeypatch, ecosystem, tmp_path):
    monkeypatch.setattr(outdated, "say", lambda *_words, **_more: say([tmp_path / "nothing"]))
    monkeypatch.setattr(outdated, "repositories", lambda: {"given": "http://127.0.0.1:9"})
    monkeypatch.setattr(outdated, "provide", lambda _name: outdated)
    monkeypatch.setattr(outdated, "path", "go", raising=False)
    monkeypatch.setattr("shutil.which", lambda _name: None)
    for pin in PINS:
        if pin.ecosystem == ecosystem:
            row = ask(pin)
            assert row.state == "not asked"
            assert row.remark


def test_all_libraries_are_not_asked_if_uv_is_not(tmp_path):
    rows = libraries(str(tmp_path / "uv"))
    assert len(rows) > 100
    assert {row.state for row in rows} == {"not asked"}


def test_an_error_has_no_password():
    with pytest.raises(NotAsked) as caught:
        say([sys.executable, "-c", "raise SystemExit('no answer of https://me:secret@mirror/x')"])
    assert str(caught.value) == "no answer of https://mirror/x"


def done(out="", status=0, err=""):
    return lambda *_words, **_more: subprocess.CompletedProcess([], status, out, err)


def test_libraries_that_pip_audit_skipped_were_not_asked(monkeypatch):
    """It says of them that no vulnerabilities are known, and ends with 0."""
    found = [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}]
    monkeypatch.setattr(audit, "run", done(json.dumps({"dependencies": found})))
    one = audit.libraries("some.lock", ())
    assert (one.asked, one.holes, one.missing) == (1, (), "1 of 2, such as a: not found")
    assert "COULD NOT BE ASKED" in str(one)
    assert "0 known" not in str(one)


def test_libraries_with_holes(monkeypatch):
    found = [{"name": "b", "version": "1", "vulns": [{"id": "PYSEC-1"}, {"id": "PYSEC-2"}]}]
    monkeypatch.setattr(audit, "run", done(json.dumps({"dependencies": found}), status=1))
    one = audit.libraries("some.lock", ())
    assert (one.asked, one.holes, one.missing) == (1, ("b 1: PYSEC-1", "b 1: PYSEC-2"), "")


@pytest.mark.parametrize("said", ["", "{}", "[]", json.dumps({"dependencies": []}), "no such host"])
def test_a_pip_audit_that_says_nothing_found_nothing(monkeypatch, said):
    monkeypatch.setattr(audit, "run", done(said, status=1, err="ConnectionError: no such host"))
    assert audit.libraries("some.lock", ()).missing


SBOM = json.dumps({"SBOM": {"modules": [{"path": "stdlib"}, {"path": "go.k6.io/k6"}]}}, indent=1)
HOLE = json.dumps(
    {"finding": {"osv": "GO-1", "trace": [{"module": "stdlib", "version": "v1.26.6"}]}}, indent=1
)


@pytest.mark.parametrize(
    ("said", "asked", "holes", "missing"),
    [
        (f"{SBOM}\n{HOLE}\n{HOLE}\n", 2, ("stdlib v1.26.6: GO-1",), False),
        (f"{SBOM}\n", 2, (), False),
        ("", 0, (), True),
        ('{"config": {}}', 0, (), True),
        (f"{SBOM}\nfetching failed", 0, (), True),
    ],
)
def test_what_govulncheck_says(said, asked, holes, missing):
    one = audit.of_govulncheck("k6 1.8.1", said)
    assert (one.asked, one.holes, bool(one.missing)) == (asked, holes, missing)


@pytest.mark.parametrize(
    ("found", "status", "said"),
    [
        ([audit.Audited("a", 3)], 0, "0 known vulnerabilities in what was asked for\n"),
        (
            [audit.Audited("a", 3, ("x: GO-1",)), audit.Audited("b", missing="no such host")],
            1,
            "1 known vulnerabilities in what was asked for; 1 of 2 could not be asked",
        ),
        (
            [audit.Audited("a", 3), audit.Audited("b", missing="no such host")],
            10,
            "; 1 of 2 could not be asked",
        ),
        ([audit.Audited("b", missing="no such host")], 10, "nobody could be asked, and so nothing is known"),
    ],
)
def test_the_end_of_an_audit(monkeypatch, capsys, found, status, said):
    monkeypatch.setattr(audit, "LOCKS", ())
    monkeypatch.setattr(audit, "programs", lambda: found)
    assert audit.main([]) == status
    assert said in capsys.readouterr().out


def watched(manager):
    """What a manager of Renovate's finds: file and version."""
    (file,), (pattern,) = manager["managerFilePatterns"], manager["matchStrings"]
    found = re.search(pattern.replace("(?<", "(?P<"), (ROOT / file).read_text())
    return file, found and found["currentValue"].removeprefix("v"), manager["depNameTemplate"]


def test_renovate_watches_every_pin_that_no_manager_of_its_own_knows():
    """The Dockerfiles' it knows by itself; k6 2 is no pin of ours."""
    there = {watched(manager) for manager in RENOVATE["customManagers"]}
    renamed = {"github.com/prometheus/prometheus": "prometheus/prometheus"}
    assert there == {
        (pin.file, pin.version.removeprefix("v"), renamed.get(pin.name, pin.name))
        for pin in PINS
        if "Dockerfile" not in pin.file and not pin.name.endswith("/v2")
    }
    assert "dockerfile" in RENOVATE["enabledManagers"]


def test_renovate_watches_every_lock():
    listed = subprocess.run(
        ["git", "ls-files", "*.lock"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split()
    (pattern,) = RENOVATE["pip_requirements"]["managerFilePatterns"]
    locks = {path for path in listed if not fnmatch.fnmatch(path, "*/pins/*")}  # programs have their own
    assert locks == {path for path in listed if re.search(pattern.strip("/"), path)} == set(audit.LOCKS)
