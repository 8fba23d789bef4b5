"""Each way in which a load can't carry a verdict, and the load that can."""

from __future__ import annotations

import signal
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from verdict_harness.loads import Request, trouble
from verdict_harness.loads.raw import Iteration, Key, Raw
from verdict_harness.loads.trouble import Ending, Log, read_log, read_summary
from verdict_harness.samples import Trouble

TAGS = {"name": "order"}


def find(raw: Raw, ending: Ending, planned: int | None, tags: dict[str, str]) -> tuple[str, ...]:
    """What is said; a PASS rests on none of it, whatever a FAIL does."""
    return tuple(one.text for one in trouble.find(raw, ending, planned, tags))


def against(raw: Raw, ending: Ending, planned: int | None = 100) -> set[str]:
    return {one.against for one in trouble.find(raw, ending, planned, TAGS)}


def sound(requests: int = 100) -> Raw:
    made = [Request(float(n), 1.0, 200) for n in range(requests)]
    return Raw(
        made, [(one.ended, 0.0) for one in made], Counter(), requests + 1, Counter(order=requests), requests
    )


def summary(raw: Raw) -> dict[str, dict[str, int]]:
    counts = {"http_reqs": raw.all_requests, "iterations": raw.iterations, "dropped_iterations": raw.dropped}
    return {name: {"count": count} for name, count in counts.items() if count}


def ending(raw: Raw, **changes: object) -> Ending:
    return replace(Ending(0, (), summary(raw), Log()), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [0, 99])
@pytest.mark.parametrize("planned", [100, 101, None])
def test_a_sound_load_has_none(status: int, planned: int | None) -> None:
    raw = sound()
    assert find(raw, ending(raw, exit_status=status), planned, TAGS) == ()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "not known"),
        (-signal.SIGKILL, "ended by SIGKILL"),
        (-77, "ended by signal 77"),
        (1, "exit status 1: it failed; it said: why"),
        (105, "interrupted"),
        (107, "script threw"),
        (108, "script aborted"),
        (109, "panicked"),
    ],
)
def test_exit_statuses(status: int | None, words: str) -> None:
    raw = sound()
    ended = ending(raw, exit_status=status, log=Log(errors=("first", "why")))
    said, log = find(raw, ended, 100, TAGS)
    assert words in said
    assert log == "k6 said: first; why"
    assert against(raw, ended) == {"PASS"}


def test_no_request() -> None:
    raw = Raw(iterations=100)
    assert find(raw, ending(raw), 100, TAGS) == ("no request was made",)
    assert against(raw, ending(raw)) == {"PASS"}


def test_no_request_of_the_load_itself() -> None:
    raw = Raw(all_requests=7, names=Counter(seed=7), iterations=7)
    assert find(raw, ending(raw), None, TAGS) == (
        "no request carries the tags name=order; names seen: seed (7)",
    )


def test_a_system_that_answers_nothing_is_no_trouble_of_ours() -> None:
    raw = replace(
        sound(3), requests=[Request(1.0, 0.0, 0)] * 3, errors=Counter({"dial: connection refused": 3})
    )
    assert find(raw, ending(raw), 3, TAGS) == ()


def test_one_answer_is_for_the_criteria_to_judge() -> None:
    raw = replace(sound(3), requests=[Request(1.0, 0.0, 0), Request(1.0, 0.0, 0), Request(1.0, 1.0, 200)])
    assert find(raw, ending(raw), 3, TAGS) == ()


def test_iterations_without_their_request() -> None:
    raw = replace(sound(), iterations=102)
    assert find(raw, ending(raw), 100, TAGS) == ("only 100 requests in 102 iterations",)


def test_iterations_of_a_scenario_beside_the_load_make_no_request_of_it() -> None:
    """A neighbour's load, in the same script, whose requests carry another name."""

    def made(scenario: str, count: int) -> list[Iteration]:
        return [Iteration(1.0, 2.0, Key(scenario, "1", str(n))) for n in range(count)]

    requests = [Request(1.0, 1.0, 200, key=Key("load", "1", str(n))) for n in range(100)]
    raw = replace(sound(), requests=requests, iterations=150, done=made("load", 100) + made("neighbor", 50))
    mine = {**TAGS, "scenario": "load"}
    assert find(raw, ending(raw), None, mine) == ()
    assert find(raw, ending(raw), None, TAGS) == ("only 100 requests in 150 iterations",), "nobody said so"
    raw = replace(raw, iterations=152, done=made("load", 102) + made("neighbor", 50))
    assert find(raw, ending(raw), None, mine) == ("only 100 requests in 102 iterations",)


@pytest.mark.parametrize(("planned", "troubles"), [(101, 0), (102, 1), (1000, 1)])
def test_more_than_one_percent_missing(planned: int, troubles: int) -> None:
    raw = sound()
    found = find(raw, ending(raw), planned, TAGS)
    assert len(found) == troubles
    assert all(text.startswith(f"only 100 of {planned} planned iterations") for text in found)


def test_what_was_dropped_was_offered_all_the_same() -> None:
    raw = replace(sound(), dropped=100)
    assert find(raw, ending(raw), 200, TAGS) == ()


@pytest.mark.parametrize(("planned", "anything"), [(99, ()), (50, {"ANY"}), (0, {"ANY"})])
def test_more_iterations_than_planned_are_another_load(planned: int, anything: set[str]) -> None:
    raw = sound()
    assert against(raw, ending(raw), planned) == set(anything)


def test_exceptions_and_failed_pushes() -> None:
    raw = sound()
    log = Log(thrown=Counter({"Error: boom": 7}), pushes=Counter({"Failed to send: refused": 2}))
    assert find(raw, ending(raw, log=log), 100, TAGS) == ("7 of 100 iterations threw: Error: boom (7 times)",)
    assert log.unpushed == "k6 could not hand its samples over 2 times: Failed to send: refused (2 times)"
    assert Log().unpushed == ""


def test_samples_that_do_not_add_up() -> None:
    raw = sound()
    metrics = {**summary(raw), "http_reqs": {"count": 500}, "dropped_iterations": {"count": 9}}
    assert find(raw, ending(raw, summary=metrics), 100, TAGS) == (
        "the raw samples hold 101 requests, k6's summary says 500",
        "the raw samples hold 0 dropped iterations, k6's summary says 9",
    )
    assert against(raw, ending(raw, summary=metrics)) == {"ANY"}


def test_as_many_samples_that_are_not_the_same() -> None:
    raw = sound()
    for duration in (1.0, 3.0):
        raw.tally.add(duration)
    metrics = {**summary(raw), "http_req_duration": {"avg": 2.0, "min": 1.0, "max": 3.0}}
    assert find(raw, ending(raw, summary=metrics), 100, TAGS) == ()
    metrics["http_req_duration"]["avg"] = 2.001
    (said,) = find(raw, ending(raw, summary=metrics), 100, TAGS)
    assert said.endswith("are not those that k6 summed up: avg 2.000000 and not 2.001000 ms")
    assert against(raw, ending(raw, summary=metrics)) == {"ANY"}


def test_samples_with_the_tag_of_another_load() -> None:
    raw = replace(sound(), foreign=7)
    assert find(raw, ending(raw), 100, TAGS)[0].startswith(
        "7 of the raw samples do not carry this load's tag"
    )
    assert against(raw, ending(raw)) == {"ANY"}


def test_damage_and_no_summary() -> None:
    raw = replace(sound(), damage="it breaks off")
    assert find(raw, ending(raw, summary=None), 100, TAGS) == ("it breaks off", "k6 left no summary")


def test_why_we_stopped_it_comes_first() -> None:
    raw = sound()
    stopped = [Trouble("it was interrupted", "whoever ran it", "PASS")]
    found = find(raw, ending(raw, stopped=stopped, exit_status=105), 100, TAGS)
    assert found[0] == "it was interrupted"
    assert len(found) == 2


def test_a_death_that_the_load_was_ended_for_is_the_systems_own() -> None:
    raw = sound()
    assert find(raw, ending(raw, died="the engine died", exit_status=105), 100, TAGS) == ()


def test_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    boom = 'time="t" level=error msg="Error: boom\\n\\tat default (file:///s.js:3:62(12))\\n" executor=x\n'
    log.write_text(
        boom * 2 + 'time="t" level=warning msg="Request Failed" error="Post \\"http://x\\": refused"\n'
        'time="t" level=error msg="Failed to send" error="refused" output="Prometheus remote write"\n'
        'time="t" level=error msg="test run was aborted"\n'
        'time="t" level=error msg="said the script" source=console\n'
        'time="t" level=error msg="thresholds on metrics \'a, b\' have been crossed"\n'
        'time="t" level=warning msg="Insufficient VUs, reached 2 active VUs" executor=x\n'
        'time="t" level=info msg="level=error executor=x" source=console\n'
        "     level=error executor=shared, said the summary\n",
    )
    found = read_log(log)
    assert found.thrown == {"Error: boom at default (file:///s.js:3:62(12))": 2}
    assert found.pushes == {"Failed to send: refused": 1}
    assert found.errors == ("test run was aborted",)
    assert found.full
    assert read_log(tmp_path / "none") == Log()


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ('"colours: \\x1b[31mred\\x1b[0m, \\a"', "colours: \x1b[31mred\x1b[0m, \a"),  # Go's words, not JSON's
        ('"ü and \\u00e9"', "ü and é"),
        ('"said \\"no\\""', 'said "no"'),
        ('"it breaks', "it"),  # k6 was killed as it wrote
        ("plain", "plain"),
    ],
)
def test_what_k6_quotes_is_read_as_it_was_said(tmp_path: Path, written: str, read: str) -> None:
    log = tmp_path / "log"
    log.write_text(f'time="t" level=error msg={written}')
    assert read_log(log).errors == (read,)


@pytest.mark.parametrize("content", [None, "", "[]", '{"metrics": 1}', '{"other": {}}', '{"metrics": {"a'])
def test_no_summary(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "summary.json"
    if content is not None:
        path.write_text(content)
    assert read_summary(path) is None


def test_a_summary(tmp_path: Path) -> None:
    path = tmp_path / "summary.json"
    path.write_text('{"metrics": {"http_reqs": {"count": 3}}}')
    assert read_summary(path) == {"http_reqs": {"count": 3}}
