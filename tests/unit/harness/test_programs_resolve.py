"""Where a program comes from: the variable, then PATH, then the cache, then nowhere."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from verdict_harness.errors import ProgramError
from verdict_harness.programs import locate, store
from verdict_harness.programs.catalogue import SPECS
from verdict_harness.programs.resolve import find

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with no program on PATH, no variable set and no cache."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    monkeypatch.setenv("VERDICT_HARNESS_CACHE", str(tmp_path / "cache"))
    for spec in SPECS.values():
        monkeypatch.delenv(spec.variable, raising=False)


def k6(path: Path, says: str = "k6 v1.8.1") -> Path:
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def cached(name: str, versions: dict[str, str]) -> Path:
    """Put an entry for the program ``name`` into the cache."""
    spec = SPECS[name]
    place = store.entry(spec.recipe)
    path = place / spec.inside
    path.parent.mkdir(parents=True)
    path.touch()
    (place / "entry.json").write_text(json.dumps({"versions": versions}))
    return path


def test_nowhere_is_none_and_makes_nothing(tmp_path: Path) -> None:
    assert locate("k6") is None
    assert not (tmp_path / "cache").exists()


def test_the_cache_is_used_if_there_is_nothing_else() -> None:
    path = cached("k6", {"k6": "1.8.1"})
    program = locate("k6")
    assert program is not None
    assert (program.path, program.version) == (path, "1.8.1")
    assert program.source.startswith("cache")


def test_path_comes_before_the_cache(tmp_path: Path) -> None:
    cached("k6", {"k6": "1.8.1"})
    path = k6(tmp_path / "bin" / "k6", "k6 v1.9.3")
    program = locate("k6")
    assert program is not None
    assert (program.path, program.version, program.source) == (path, "1.9.3", "PATH")


def test_the_variable_comes_before_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    k6(tmp_path / "bin" / "k6", "k6 v1.9.3")
    path = k6(tmp_path / "mine", "k6 v1.8.5")
    monkeypatch.setenv("K6", str(path))
    program = locate("k6")
    assert program is not None
    assert (program.path, program.version, program.source) == (path, "1.8.5", "variable K6")


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K6", "")
    assert locate("k6") is None


def test_a_relative_variable_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    k6(tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("K6", "./mine")
    program = locate("k6")
    assert program is not None
    assert program.path == tmp_path / "mine"


@pytest.mark.parametrize("says", ["k6 v1.7.0", "k6 v(devel)"])
def test_a_wrong_variable_is_an_error_though_path_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str
) -> None:
    k6(tmp_path / "bin" / "k6")
    path = k6(tmp_path / "mine", says)
    monkeypatch.setenv("K6", str(path))
    with pytest.raises(ProgramError) as caught:
        locate("k6")
    assert "K6" in caught.value.what
    assert str(path) in caught.value.where
    assert "unset" in caught.value.todo
    assert caught.value.found.removeprefix("k6 v") in says


def test_a_variable_that_names_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_LIBS", str(tmp_path / "absent"))
    with pytest.raises(ProgramError) as caught:
        locate("kafka")
    assert caught.value.found == "nothing"


@pytest.mark.parametrize(
    ("says", "why"),
    [
        ("k6 v1.7.0", "1.8 or later"),
        ("k6 v3.0.0-rc1", "before 3"),
        ("Segmentation fault", "version"),
    ],
)
def test_what_will_not_do_on_path_is_passed_over_and_said(tmp_path: Path, says: str, why: str) -> None:
    path = k6(tmp_path / "bin" / "k6", says)
    kept = cached("k6", {"k6": "1.8.1"})
    found = find(SPECS["k6"])
    assert found.program is not None
    assert found.program.path == kept
    assert len(found.passed_over) == 1
    assert str(path) in found.passed_over[0]
    assert why in found.passed_over[0]


def test_one_entry_serves_prometheus_and_promtool() -> None:
    versions = {"prometheus": "3.15.0", "promtool": "3.15.0"}
    path = cached("prometheus", versions)
    (path.parent / "promtool").touch()
    one, other = locate("prometheus"), locate("promtool")
    assert one is not None
    assert other is not None
    assert one.path.parent == other.path.parent


@pytest.mark.parametrize("damage", ["no certificate", "half a certificate", "no program"])
def test_a_damaged_entry_is_none(damage: str) -> None:
    path = cached("k6", {"k6": "1.8.1"})
    certificate = store.entry(SPECS["k6"].recipe) / "entry.json"
    if damage == "no certificate":
        certificate.unlink()
    elif damage == "half a certificate":
        certificate.write_text('{"versions": {"k6"')
    else:
        path.unlink()
    assert locate("k6") is None


def test_kafka_is_not_looked_for_on_path(tmp_path: Path) -> None:
    k6(tmp_path / "bin" / "kafka", "kafka 4.1.1")
    assert locate("kafka") is None


def test_on_a_platform_that_nothing_is_made_for_the_users_own_still_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "which_platform", lambda: ("linux", "riscv64"))
    assert locate("k6") is None
    k6(tmp_path / "bin" / "k6")
    program = locate("k6")
    assert program is not None
    assert program.source == "PATH"
