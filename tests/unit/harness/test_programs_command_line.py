"""``python -m verdict_harness.programs``: what it prints, and with which status it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from verdict_harness.errors import ProgramError
from verdict_harness.programs import NAMES, __main__, catalogue

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def k6(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has k6, by its variable, and nothing else."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("VERDICT_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "300")
    for spec in catalogue.SPECS.values():
        monkeypatch.delenv(spec.variable, raising=False)
    path = tmp_path / "my k6"
    path.write_text("#!/bin/sh\necho k6 v1.8.5\n")
    path.chmod(0o755)
    monkeypatch.setenv("K6", str(path))
    return path


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The recipes whose pins were made anew."""
    names: list[str] = []

    def repin(name: str, _provide: object, scratch: Path) -> None:
        assert list(scratch.iterdir()) == []
        (scratch / "left").touch()
        names.append(name)

    monkeypatch.setattr(catalogue, "repin", repin)
    return names


def rows(out: str) -> dict[str, str]:
    """The table's lines, by program."""
    cells = {line: line.split("│") for line in out.splitlines() if line.startswith("│")}
    return {names[1].strip(): line for line, names in cells.items()}


def test_the_table_says_where_each_program_is_or_how_it_would_come(
    k6: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main([]) == 0
    found = rows(capsys.readouterr().out)
    assert "variable K6" in found["k6"]
    assert str(k6) in found["k6"]
    for name in set(NAMES) - {"k6"}:
        recipe = catalogue.SPECS[name].recipe
        assert f"({recipe.version})" in found[name]
        assert f"would be: {recipe.origin}" in found[name]


@pytest.mark.parametrize("variable", ["K6", "JAVA"])
def test_a_variable_that_names_what_will_not_do_fails_and_hides_no_other_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "absent"))
    assert __main__.main([]) == 1
    out = capsys.readouterr().out
    assert [name for name, line in rows(out).items() if "can't be used" in line] == [variable.lower()]
    assert set(NAMES) <= set(rows(out))
    assert f"{variable} does not name" in out
    assert str(tmp_path / "absent") in out


def test_one_path_is_all_that_is_printed(k6: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["--path", "k6"]) == 0
    assert capsys.readouterr() == (f"{k6}\n", "")


def test_a_path_that_cannot_be_had_is_an_error_and_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("K6", str(tmp_path / "absent"))
    assert __main__.main(["--path", "k6"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert "K6 does not name a k6 that can be used" in err


@pytest.mark.parametrize("words", [["--path", "k7"], ["lock", "kafka", "k7"]])
def test_a_name_that_is_none_is_refused_before_anything_is_done(
    pinned: list[str], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        __main__.main(words)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "k7" in said
    assert all(name in said for name in ("k6", "prometheus", "kafka"))
    assert pinned == []


def test_what_is_missing_is_made_before_the_table_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(__main__, "provide_all", lambda: shown.append(capsys.readouterr().out))
    assert __main__.main(["--provide"]) == 0
    assert shown == [""]
    assert "variable K6" in capsys.readouterr().out


def test_all_pins_are_made_anew_or_those_that_are_named(
    pinned: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(["lock"]) == 0
    assert pinned == [recipe.name for recipe in catalogue.RECIPES]
    capsys.readouterr()
    pinned.clear()
    assert __main__.main(["lock", "kafka", "go"]) == 0
    assert pinned == ["kafka", "go"]
    assert capsys.readouterr().out == "kafka: pinned\ngo: pinned\n"


def test_pins_that_cannot_be_made_end_it_with_the_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str, _provide: object, _scratch: Path) -> None:
        raise ProgramError(f"no wheel of {name} was found", todo="check the network")

    monkeypatch.setattr(catalogue, "repin", refuse)
    assert __main__.main(["lock"]) == 1
    assert capsys.readouterr() == ("", "no wheel of go was found\n  to do:    check the network\n")


def test_ctrl_c_says_that_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "provide_all", interrupt)
    assert __main__.main(["--provide"]) == 130
    out, err = capsys.readouterr()
    assert out == ""
    assert "will be used next time" in err
