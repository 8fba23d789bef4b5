"""The reader of raw samples against one that goes row by row, and what it remembers."""

from __future__ import annotations

import csv
import gzip
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verdict_harness.loads import reading
from verdict_harness.loads.raw import Drop, Iteration, Key, Raw, Request
from verdict_harness.loads.reading import read

HEADER = [
    "metric_name", "timestamp", "metric_value", "check", "error", "error_code", "expected_response", "group",
    "method", "name", "proto", "scenario", "service", "status", "subproto", "tls_version", "url",
    "extra_tags", "metadata",
]  # fmt: skip
MINE, WORD, TAGS = "run/L", "taken", {"name": "order", "kind": "a"}


def plainly(text: str) -> Raw:  # noqa: C901, PLR0912 - a branch for each metric
    """Read a file as the format says, with every column by its name and nothing spared."""
    raw = Raw(word=WORD)
    last: list[Any] | None = None
    of_load: list[list[Any]] = []
    for row in csv.DictReader(io.StringIO(text, newline="")):
        metric, number, at = row["metric_name"], float(row["metric_value"]), int(row["timestamp"]) / 1e6
        extra = row["extra_tags"].split("&")
        said = dict(item.split("=", 1) for item in row["metadata"].split("&") if "=" in item)
        key = Key(row["scenario"], said.get("vu", ""), said.get("iter", ""))
        chosen, inside = (
            row["name"] == "order" and "kind=a" in extra,
            row["group"] not in {"::setup", "::teardown"},
        )
        if metric in {*METRICS} - {"data_sent", "checks", "take", "http_req_waiting"}:
            raw.foreign += f"testid={MINE}" not in extra
        if metric == "http_req_duration":
            raw.tally.add(number)
        if metric == "http_req_duration" and inside:
            expected = {"true": True, "false": False}.get(row["expected_response"])
            last = [round(at, 3), number, int(row["status"] or 0), said.get("id", ""), 0.0, key, at, expected]
            raw.spans.append((at - number / 1e3, at))
            raw.names[row["name"]] += 1
            if chosen:
                of_load.append(last)
                raw.start = float(said["start"]) / 1e3 if said.get("start") else raw.start
                if error := row["error"] or row["error_code"]:
                    raw.errors[error] += 1
        elif metric == "http_req_blocked" and inside and last:
            last[4] = number
            raw.spans[-1] = (at - (last[1] + number) / 1e3, at)
        elif metric == "http_req_failed" and inside and chosen:
            raw.failures.append((round(at, 3), number))
        elif metric == "http_reqs":
            raw.all_requests += round(number)
        elif metric == "iterations":
            raw.iterations += round(number)
        elif metric == "dropped_iterations":
            raw.dropped += round(number)
            raw.drops += [Drop(at, row["scenario"])] * round(number)
        numbered = metric == "iteration_duration" or (metric == "http_req_duration" and inside and chosen)
        if numbered and said.get("n", "").isdigit():
            raw.numbers[key] = int(said["n"])
        if metric == "iteration_duration":
            raw.done.append(Iteration(at - number / 1e3, at, key, raw.numbers.get(key)))
        elif metric == WORD and number:
            raw.accepted.add(key)
    raw.requests = [Request(*fields) for fields in of_load]
    return raw


METRICS = [
    "http_reqs", "http_req_duration", "http_req_blocked", "http_req_failed", "http_req_waiting", "data_sent",
    "iterations", "iteration_duration", "dropped_iterations", "checks", "take", WORD,
]  # fmt: skip
ids = st.sampled_from(["", "7", "12"])
said = st.permutations([("vu", "1"), ("iter", "0"), ("n", "5"), ("id", "r-5"), ("start", "1795630276649")])
metadata = st.builds(
    lambda pairs, left, odd: "&".join([*(f"{name}={value}" for name, value in pairs[:left]), *odd]),
    said,
    st.integers(0, 5),
    st.lists(st.sampled_from(["min=3", "x", "y=a=b", "nn=", "vun=9", "ü=ö"]), max_size=2, unique=True),
)  # fmt: skip


def rows(*, quoted: bool) -> st.SearchStrategy[dict[str, str]]:
    errors = ["", 'dial: "a", refused', "two\nhttp_reqs,lines", "a\r\nb"] if quoted else ["", "broken"]
    return st.fixed_dictionaries({
        "metric_name": st.sampled_from(METRICS),
        "timestamp": st.integers(1795630276649000, 1795630286649999).map(str),
        "metric_value": st.sampled_from(["0.000000", "1.000000", "2.000000", "605.764784"]),
        "error": st.sampled_from(errors),
        "error_code": st.sampled_from(["", "1504"]),
        "expected_response": st.sampled_from(["true", "false", ""]),
        "group": st.sampled_from(["", "::setup", "::teardown", "::own"]),
        "name": st.sampled_from(["order", "order", "replenish", "a, b" if quoted else "a"]),
        "scenario": st.sampled_from(["s", "other"]),
        "status": st.sampled_from(["200", "503", "0", ""]),
        "extra_tags": st.sampled_from([f"testid={MINE}&kind=a", f"kind=ab&testid={MINE}", f"testid={MINE}2"]),
        "metadata": metadata,
    })  # fmt: skip


def text_of(made: list[Mapping[str, str]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, HEADER, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(made)
    return text.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "raw.csv.gz"


def write(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode(), 0))  # as long as what is in it
    return path


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.booleans().flatmap(lambda quoted: st.lists(rows(quoted=quoted), max_size=25)),
    st.sampled_from([40, 1000, 1 << 20]),
)
def test_as_one_that_goes_row_by_row(path: Path, made: list[Mapping[str, str]], chunk: int) -> None:
    text = text_of(made)
    reading._read_once.cache_clear()  # one example follows the other within a tick of the file system's clock
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "_CHUNK", chunk)
        found = read(write(path, text), TAGS, testid=MINE, accepted=WORD)
    assert found == plainly(text)


def many(rows_: int, **more: str) -> list[Mapping[str, str]]:
    fixed = {"name": "order", "extra_tags": f"testid={MINE}&kind=a", "status": "200", **more}
    return [
        {
            "metric_name": "http_req_duration",
            "timestamp": str(10**15 + n * 977),
            "metric_value": str(n),
            **fixed,
        }
        for n in range(rows_)
    ]


@pytest.mark.parametrize("more", [{}, {"error": "in, quotes"}], ids=["plain", "quoted"])
def test_what_comes_before_a_break_is_kept_and_the_row_that_breaks_is_not(
    path: Path, more: dict[str, str]
) -> None:
    text = text_of(many(3000, **more))
    write(path, text)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    found = read(path, TAGS, testid=MINE)
    assert "break off in the middle" in found.damage
    assert 100 < len(found.requests) < 2900
    found.damage = ""
    kept = text.splitlines(keepends=True)[: 1 + len(found.requests)]
    assert (found.requests, found.spans) == (plainly("".join(kept)).requests, plainly("".join(kept)).spans)


def test_the_last_row_needs_no_end(path: Path) -> None:
    assert len(read(write(path, text_of(many(3)).rstrip("\n")), TAGS).requests) == 3


@pytest.mark.parametrize(
    ("line", "damage"),
    [
        ("http_reqs,1", "a row of 2 fields under a header of 19"),
        ("http_reqs,1,1," + 16 * ",", "a row of 20 fields under a header of 19"),
        ("http_reqs,1,1," + 14 * ",", "a row of 18 fields under a header of 19"),
        ('http_reqs,1,1,"a,b",' + 15 * ",", "a row of 20 fields under a header of 19"),
        ('http_reqs,1,1,"never closed' + 15 * ",", "a row of 4 fields under a header of 19"),
        ("http_reqs,soon,1" + 16 * ",", "invalid literal"),
        ("http_reqs,1,much" + 16 * ",", "could not convert"),
        (f'http_reqs,1,1,"{200_000 * "x"}"' + 15 * ",", "field larger"),
    ],
)
def test_a_row_that_is_none(path: Path, line: str, damage: str) -> None:
    found = read(write(path, f"{text_of(many(3))}{line}\n"), TAGS)
    assert damage in found.damage
    assert len(found.requests) == 3, "what comes before it is kept"


def test_columns_in_another_order(path: Path) -> None:
    swapped = ",".join(["timestamp", "metric_name", *HEADER[2:]])
    assert "columns in another order" in read(write(path, f"{swapped}\n"), {}).damage


def test_what_never_ends_is_not_held_in_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_CHUNK", 100)
    monkeypatch.setattr(reading, "_LONGEST", 1000)
    text = text_of([*many(3), *many(1, error="QUOTE"), *many(3000)]).replace("QUOTE", '"')
    assert "does not end" in read(write(path, text), TAGS).damage


def test_a_file_is_read_once_while_it_stays_the_same(path: Path) -> None:
    first = read(write(path, text_of(many(3))), TAGS, testid=MINE)
    assert read(path, dict(reversed(TAGS.items())), testid=MINE) is first
    assert len(read(path, {"name": "other"}, testid=MINE).requests) == 0
    assert read(path, TAGS, testid="another").foreign == 3
    assert read(path, TAGS, accepted=WORD).word == WORD


def test_a_file_that_changed_is_read_again(path: Path) -> None:
    write(path, text_of(many(3)))
    before = path.stat()
    assert len(read(path, TAGS).requests) == 3
    write(path, text_of(many(4)))
    assert len(read(path, TAGS).requests) == 4
    same_size = write(path, text_of(many(4)).replace(f",{10**15},", f",{10**15 + 1},"))
    os.utime(same_size, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert read(path, TAGS).requests[0].exact == pytest.approx(1e9 + 1e-6, abs=1e-9)
    path.unlink()
    assert "left no raw samples" in read(path, TAGS).damage
