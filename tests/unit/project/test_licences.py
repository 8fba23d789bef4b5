"""Which licences libraries may have: what lint checks of the lock, and what the documentation says of it."""

import re
from importlib import metadata

import pytest

from tools.dependencies import licences
from tools.dependencies.licences import ALLOWED, BY_FILE, ROOT, libraries, locked, said

LOCK = locked((ROOT / "requirements.lock").read_text())
TOLD = (ROOT / "docs/programs.md").read_text()


def test_every_library_of_the_lock_has_a_licence_that_is_allowed():
    found = libraries(LOCK)
    assert len(found) > 100
    assert {one.name: one.said for one in found if not one.allowed} == {}


def test_one_that_is_not_allowed_is_named(monkeypatch, capsys):
    monkeypatch.setattr(licences, "ALLOWED", ALLOWED - {"MPL-2.0"})
    monkeypatch.setattr("sys.argv", ["licences", "--quiet"])
    assert licences.main() == 1
    out = capsys.readouterr().out
    assert "certifi: expected a licence of ALLOWED, found MPL-2.0" in out
    assert "pytest:" not in out


def test_one_that_is_not_here_is_not_taken_for_well():
    (missing,) = libraries({"no-such-library": "1.0"})
    assert not missing.allowed
    assert missing.said == "nothing: it is not installed here"


@pytest.mark.parametrize(
    ("about", "licence"),
    [
        ({"license_expression": "MIT OR GPL-2.0-only"}, "GPL-2.0-only OR MIT"),
        ({"license": "Apache 2.0"}, "Apache-2.0"),
        (
            {"license": "Copyright\nAll of it.", "classifier": ["License :: OSI Approved :: BSD License"]},
            "BSD-3-Clause",
        ),
        ({"classifier": ["License :: OSI Approved", "License :: OSI Approved :: MIT License"]}, "MIT"),
        # what it says first counts, although the next would be allowed
        (
            {"license": "GPL-3.0-only", "classifier": ["License :: OSI Approved :: MIT License"]},
            "GPL-3.0-only",
        ),
        # of two classifiers both hold
        (
            {
                "classifier": [
                    "License :: OSI Approved :: MIT License",
                    "License :: OSI Approved :: GNU General Public License v3 (GPLv3)",
                ]
            },
            "",
        ),
        ({"license": "see LICENSE"}, ""),
        ({}, ""),
    ],
)
def test_what_metadata_say(about, licence):
    assert said(about)[0] == licence


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("AGPL-3.0-only", False),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("MIT OR AGPL-3.0-only", True),
        ("MIT AND AGPL-3.0-only", False),
        ("(MIT", False),
        ("my own", False),
        ("", False),
    ],
)
def test_what_is_allowed(licence, allowed):
    assert licences.allows(licence) is allowed


def test_the_documentation_states_the_list_and_who_asks_for_more_than_a_notice():
    stated = TOLD.split("### Libraries")[1].split("\n#")[0]
    assert set(re.findall(r"`([A-Za-z0-9.-]+)`", stated.split("\n\n")[1])) == ALLOWED
    by_file = {one.name for one in libraries(LOCK) if any(licence in one.licence for licence in BY_FILE)}
    assert by_file == set(
        re.findall(r"`([a-z]+)`", stated.split("MPL-2.0 has")[1].split(":")[1].split(".")[0])
    )


def test_a_licence_that_was_read_is_of_a_library_that_is_there():
    assert set(licences.READ) <= set(LOCK)


def test_what_the_wheel_brings_is_known():
    names = licences.needed(["verdict-harness"])
    assert {"httpx", "certifi", "pytest"} <= names
    assert "orjson" not in names
    assert metadata.version("httpx")
