from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from verdict_harness.errors import ProgramError
from verdict_harness.programs.catalogue import SPECS
from verdict_harness.programs.versions import accepted, number, version_at

if TYPE_CHECKING:
    from pathlib import Path


def stub(path: Path, says: str, *, stream: int = 1, status: int = 0) -> Path:
    """Write an executable that says ``says`` whatever it is asked."""
    path.write_text(f"#!/bin/sh\ncat >&{stream} <<'END'\n{says}\nEND\nexit {status}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("name", "stream", "says", "version"),
    [
        ("k6", 1, "k6 v1.8.1 (go1.26.8, linux/amd64)", "1.8.1"),
        ("k6", 1, "k6 v0.49.0 (commit/4b84a36d, go1.21.6, linux/amd64)\nExtensions:\n  none", "0.49.0"),
        ("k6", 1, "k6 v2.0.0-rc1 (go1.27, linux/arm64)", "2.0.0-rc1"),
        (
            "prometheus",
            1,
            "prometheus, version 3.15.0 (branch: HEAD, revision: unknown)\n  go version: go1.26",
            "3.15.0",
        ),
        ("prometheus", 2, "prometheus, version 2.45.0+ds (branch: debian/sid, revision: 1)", "2.45.0+ds"),
        ("promtool", 1, "promtool, version 3.15.0 (branch: HEAD, revision: unknown)", "3.15.0"),
        (
            "java",
            2,
            'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)',
            "17.0.15",
        ),
        ("java", 2, 'java version "1.8.0_402"', "1.8.0_402"),
        ("java", 2, 'Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "21-ea" 2023-09-19', "21-ea"),
        ("java", 2, 'openjdk version "25" 2025-09-16', "25"),
        ("go", 1, "go version go1.26.8 linux/amd64", "1.26.8"),
        ("go", 1, "go version go1.27rc1 darwin/arm64", "1.27rc1"),
    ],
)
def test_a_program_says_its_version(tmp_path: Path, name: str, stream: int, says: str, version: str) -> None:
    assert version_at(SPECS[name], stub(tmp_path / name, says, stream=stream)) == version


@pytest.mark.parametrize(
    ("name", "version", "good"),
    [
        ("k6", "1.8.0", True),
        ("k6", "1.7.9", False),
        ("k6", "2.0.0-rc1", True),
        ("prometheus", "3.15.0", True),
        ("prometheus", "3.9.1", False),  # 9 is less than 15, though not as text
        ("prometheus", "2.45.0+ds", False),
        ("java", "1.8.0_402", False),
        ("java", "11.0.2", False),
        ("java", "17", True),
        ("java", "25.0.2", True),
        ("go", "1.25.12", False),
        ("go", "1.26", False),
        ("go", "1.26.7", True),
        ("go", "1.27rc1", True),
        ("kafka", "3.9.0", False),
        ("kafka", "4.1.1", True),
    ],
)
def test_old_versions_are_not_accepted(name: str, version: str, good: bool) -> None:
    assert accepted(SPECS[name], version) is good


@pytest.mark.parametrize("text", ["", "(devel)", "devel go1.28-abcdef", "v"])
def test_what_is_no_version_is_not_read_as_one(text: str) -> None:
    with pytest.raises(ValueError, match="no version"):
        number(text)


@pytest.mark.parametrize("says", ["", "k6 v(devel)", "Usage: k6 [command]", "a k6 v1.8.1"])
def test_an_answer_without_a_version_is_shown(tmp_path: Path, says: str) -> None:
    path = stub(tmp_path / "k6", says)
    with pytest.raises(ProgramError) as caught:
        version_at(SPECS["k6"], path)
    assert (says or "nothing") in caught.value.found
    assert str(path) in caught.value.where


def test_a_program_that_cannot_start_says_so(tmp_path: Path) -> None:
    path = tmp_path / "k6"
    path.write_bytes(b"\x7fELF not really")
    path.chmod(0o755)
    with pytest.raises(ProgramError, match="can't be run"):
        version_at(SPECS["k6"], path)


def test_what_is_not_executable_says_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")
    for path, kind in (
        (tmp_path / "absent", "nothing"),
        (tmp_path, "a directory"),
        (tmp_path / "file", "a file that is not executable"),
    ):
        with pytest.raises(ProgramError) as caught:
            version_at(SPECS["k6"], path)
        assert caught.value.found == kind


def test_kafka_is_known_by_its_jar(tmp_path: Path) -> None:
    for name in ("kafka-clients-4.1.1.jar", "kafka_2.13-4.1.1-sources.jar", "kafka_2.13-4.1.1.jar"):
        (tmp_path / name).touch()
    assert version_at(SPECS["kafka"], tmp_path) == "4.1.1"


def test_jars_without_kafka_are_not_kafka(tmp_path: Path) -> None:
    (tmp_path / "kafka-clients-4.1.1.jar").touch()
    with pytest.raises(ProgramError) as caught:
        version_at(SPECS["kafka"], tmp_path)
    assert "1 jars" in caught.value.found
    with pytest.raises(ProgramError) as caught:
        version_at(SPECS["kafka"], tmp_path / "absent")
    assert caught.value.found == "nothing"


def test_a_program_that_was_replaced_is_asked_again(tmp_path: Path) -> None:
    path = stub(tmp_path / "k6", "k6 v1.8.1")
    assert version_at(SPECS["k6"], path) == "1.8.1"
    stub(path, "k6 v1.9.0")
    os.utime(path, ns=(1, 1))  # a file system may be too coarse to tell two writes apart
    assert version_at(SPECS["k6"], path) == "1.9.0"
