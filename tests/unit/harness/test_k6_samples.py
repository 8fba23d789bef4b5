"""Raw samples and what is read out of them."""

from __future__ import annotations

import gzip
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.raw_samples import HEADER, request, row, written
from verdict_harness.errors import EvidenceError
from verdict_harness.loads import Load
from verdict_harness.loads.arrivals import Arrivals, Ramp
from verdict_harness.loads.raw import Raw, figures, percentile
from verdict_harness.loads.reading import read
from verdict_harness.samples import Trouble, Window


def test_ids_and_the_seconds_in_which_requests_began(tmp_path: Path) -> None:
    lines = [
        *request(100.2, 200.0, metadata="vu=1&id=r-0"),
        *request(100.9, 10.0, metadata="id=r-1", status="503"),
        *request(102.5, 1600.0, metadata="id=r-0"),  # began in the first second
        *request(103.0, 10.0),
        *request(103.1, 10.0, name="replenish", metadata="id=r-0"),
    ]
    raw = read(written(tmp_path, lines), {"name": "order"})
    assert [one.id for one in raw.requests] == ["r-0", "r-1", "r-0", ""]
    assert raw.ids == (3, 1)
    assert raw.by_second() == (3, 0, 1)
    assert raw.by_second(succeeded=True) == (2, 0, 1)
    assert (Raw().by_second(), Raw().ids) == ((), (0, 0))


def test_the_load_without_set_up_and_others(tmp_path: Path) -> None:
    lines = [
        *request(100, 50.0, group="::setup", name="seed"),
        *request(101, 10.0),
        *request(102, 20.0, name="replenish"),
        *request(103, 30.0, status="503", error="busy"),
        row("iterations", 103, 1),
        row("iterations", 103.1, 2),
        row("dropped_iterations", 104, 3),
        *request(105, 0.0, group="::teardown"),
    ]
    raw = read(written(tmp_path, lines), {"name": "order"})
    assert [(one.ended, one.duration, one.status) for one in raw.requests] == [(101, 10, 200), (103, 30, 503)]
    assert (raw.iterations, raw.dropped, raw.all_requests, raw.damage) == (3, 3, 5, "")
    assert raw.names == {"order": 2, "replenish": 1}
    assert raw.errors == {"busy": 1}
    assert raw.span == (100.99, 103)
    assert raw.failed(Window(100, 200)) == 0.5
    assert raw.failed(Window(100, 102)) == 0.0
    assert math.isnan(raw.failed(Window(110, 120)))
    assert [one.ended for one in raw.within(Window(101, 103))] == [101, 103], "both ends belong to it"


def test_tags_of_the_script_itself(tmp_path: Path) -> None:
    lines = [*request(1, 1.0, extra="kind=a&testid=t"), *request(2, 2.0, extra="kind=ab"), *request(3, 3.0)]
    path = written(tmp_path, lines)
    assert [one.ended for one in read(path, {"kind": "a"}).requests] == [1]
    assert [one.ended for one in read(path, {"kind": "a", "name": "order"}).requests] == [1]
    assert len(read(path, {}).requests) == 3


def test_failures_where_the_script_does_not_say(tmp_path: Path) -> None:
    lines = [
        line for at, status in ((1, "200"), (2, "0"), (3, "500")) for line in request(at, 1.0, status=status)
    ]
    raw = read(written(tmp_path, [line for line in lines if "failed" not in line]), {})
    assert raw.failed(Window(0, 10)) == pytest.approx(2 / 3)


def test_a_file_that_breaks_off(tmp_path: Path) -> None:
    path = written(tmp_path, [line for at in range(2000) for line in request(at, at * 1.37)])
    path.write_bytes(path.read_bytes()[:-2000])
    raw = read(path, {})
    assert "break off in the middle" in raw.damage
    assert 0 < len(raw.requests) < 2000, "what is there is kept"


@pytest.mark.parametrize(
    ("content", "damage"),
    [
        (None, "left no raw samples"),
        (b"not compressed", "break off in the middle"),
        ("", "can't be read: KeyError: 'metric_name'"),
        ("other,columns\n1,2\n", "can't be read: KeyError: 'metric_name'"),
        (f"{HEADER}\nhttp_reqs,1\n", "a row of 2 fields"),
        (f"{HEADER}\n{row('http_reqs', 1, 1).replace(',1,', ',x,')}\n", "can't be read: ValueError"),
    ],
    ids=["absent", "not compressed", "empty", "other columns", "short row", "no number"],
)
def test_a_file_that_is_none(tmp_path: Path, content: bytes | str | None, damage: str) -> None:
    path = tmp_path / "raw.csv.gz"
    if content is not None:
        path.write_bytes(gzip.compress(content.encode()) if isinstance(content, str) else content)
    raw = read(path, {})
    assert raw.requests == []
    assert damage in raw.damage


def test_nothing_has_no_span() -> None:
    assert Raw().span is None


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 100))
def test_percentiles_lie_between_their_neighbours(numbers: list[float], rank: float) -> None:
    ordered = sorted(numbers)
    value = percentile(ordered, rank)
    assert ordered[0] <= value <= ordered[-1] or math.isclose(value, ordered[0])
    at = (len(ordered) - 1) * rank / 100
    assert ordered[math.floor(at)] <= value or math.isclose(value, ordered[math.floor(at)])


def test_figures_of_a_hundred() -> None:
    found = figures([float(n) for n in range(101)])
    assert list(found) == ["min", "avg", "med", "p(90)", "p(95)", "p(99)", "p(99.9)", "max"]
    assert list(found.values()) == pytest.approx([0, 50, 50, 90, 95, 99, 99.9, 100])


def load(**changes: object) -> Load:
    fields: dict[str, object] = {
        "name": "L", "testid": "r/L", "script": "s.js", "started": 1.0, "ended": 9.0,
        "window": Window(2.0, 8.0), "requests": 4, "measured": 3, "offered": None, "iterations": 4,
        "dropped": 0, "failed": 0.25, "statuses": {"200": 3, "500": 1}, "errors": {"x": 1},
        "percentiles": {"p(99)": 1.5}, "exit_status": 0, "trouble": (Trouble("a", "k6", "PASS"),),
        "arrivals": Arrivals((Ramp(1.0, 2.0, 3.0),), ramping=True), "tags": {"name": "order"}, "died_at": 7.0,
    }  # fmt: skip
    return Load(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_load_survives_json() -> None:
    assert Load.from_json(load().to_json()) == load()
    nothing = Load.from_json(load(failed=math.nan, requests=0).to_json())
    assert math.isnan(nothing.failed)
    assert load(failed=math.nan).to_json()["failed"] is None


@pytest.mark.parametrize("content", [None, {}, {"window": {}}, {**load().to_json(), "more": 1}])
def test_what_is_no_load(content: object) -> None:
    with pytest.raises(EvidenceError, match="can't be read"):
        Load.from_json(content)
