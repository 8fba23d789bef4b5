"""Nothing passes on nothing: each way for a number to be missing or worthless, caused for real."""

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("little.match-p99", "little.client-p99", "little.errors", "little.matches")
ITERATION = "export default (run) => placeOrder(plan, run);"
SET_UP = "export const setup = () => prepare(plan);"


def kill_engine(running: Any) -> None:
    running.until_orders().send_signal(signal.SIGKILL)


def kill_k6(running: Any) -> None:
    running.until_orders()
    running.find("k6", "run").send_signal(signal.SIGKILL)


def kill_prometheus(running: Any) -> None:
    running.until_loaded().send_signal(signal.SIGKILL)


def stop_prometheus(running: Any) -> None:
    running.until_loaded().send_signal(signal.SIGSTOP)


def kill_prometheus_early(running: Any) -> None:
    running.until_orders()
    running.find("prometheus").send_signal(signal.SIGKILL)


def iteration(text: str) -> Callable[[str], str]:
    """Replace what a virtual user does."""
    return lambda script: _replaced(script, ITERATION, f"export default (run) => {{ {text} }};")


def no_set_up(script: str) -> str:
    return _replaced(script, SET_UP, 'export const setup = () => ({ runId: "x" });')


def few_users(script: str) -> str:
    script = _replaced(script, "optionsOf(plan);", "optionsOf(plan); const load = options.scenarios.A2;")
    script += "\nload.preAllocatedVUs = 2;\nload.maxVUs = 2;\nimport { sleep } from 'k6';\n"
    return iteration("placeOrder(plan, run); sleep(1);")(script)


def _replaced(script: str, old: str, new: str) -> str:
    assert script.count(old) == 1
    return script.replace(old, new)


def shallow(a2: dict[str, Any]) -> None:
    a2["seeds"] = {"a": {"depth": 8, "levels": 8}}


@dataclass(frozen=True)
class Case:
    """What is done to a session, and what every criterion has to say then.

    Attributes:
        words: regular expressions, each to be found in every reason.
        differently: what :meth:`Little.start` is told.
        disturb: what happens to it while it is on.
    """

    words: tuple[str, ...]
    differently: dict[str, Any] = field(default_factory=dict)
    disturb: Callable[[Any], None] = lambda _: None


CASES = {
    "engine-killed": Case(
        (r"A2: me-shard-a died by itself", r"ended by SIGKILL; its last lines:", r"only \d+ of 102 planned"),
        disturb=kill_engine,
    ),
    "k6-killed": Case((r"k6 was ended by SIGKILL", r"k6 left no summary"), disturb=kill_k6),
    "prometheus-killed-in-mid-load": Case(
        (r"prometheus died by itself", r"ended by SIGKILL"), disturb=kill_prometheus_early
    ),
    "prometheus-killed-before-it-is-asked": Case(
        (r"Prometheus could not be asked: ConnectError",), disturb=kill_prometheus
    ),
    "prometheus-hangs": Case(
        (r"Prometheus could not be asked: ReadTimeout: no answer within 1 s",),
        {"patience": 1.0},
        stop_prometheus,
    ),
    "closed-port": Case(
        (r"k6 ended with exit status 107", r"nothing healthy at http://127\.0\.0\.1:\d+/health: .*refused"),
        {"env": {"ME_SHARD_A_URL": "{nobody}"}},
    ),
    "closed-port-unseen-by-set-up": Case(
        (r"none of 10\d requests was answered: .*connection refused",),
        {"env": {"ME_SHARD_A_URL": "{nobody}"}, "script": no_set_up},
    ),
    "every-iteration-throws": Case(
        (r"(\d+) of \1 iterations threw: Error: boom",),
        {"script": iteration('placeOrder(plan, run); throw new Error("boom");')},
    ),
    "syntax-error": Case(
        (r"k6 ended with exit status 107.*Unexpected token", r"no request was made"),
        {"script": iteration("let = ;")},
    ),
    "no-request": Case((r"no request was made",), {"script": iteration("plan.nothing = run;")}),
    "under-delivery": Case(
        (r"only \d\d of 102 planned iterations", r"\d+ of \d+ iterations were dropped by k6"),
        {"script": few_users},
    ),
    "dead-target": Case(
        (r"waited 12 s in vain for Prometheus to scrape every target", r"me-shard-a: .*connection refused"),
        {"metrics_port": "nobody"},
    ),
    "starved-book": Case(
        (r"shard a's book ran dry: \d+ resting SELLs at the least, of 32 seeded",),
        {"env": {"REPLENISH": "0"}, "profile": shallow},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_passes_on(little, name):
    case = CASES[name]
    running = little.start(**case.differently)
    case.disturb(running)
    ended = running.end()
    ended.check(dict.fromkeys(NAMES, "INCONCLUSIVE"))
    for reason in ended.reasons.values():
        for words in case.words:
            assert re.search(words, reason, re.DOTALL), f"{words!r} is not said:\n{reason}"
        assert reason.splitlines()[0] in ended.text
    little.check_again(running)


def test_questions_without_an_answer(little):
    """The load is sound, and what rests on a good question passes; a bad one has no number and says why."""
    running = little.start(bad_questions=True)
    ended = running.end()
    bad = ("little.typo", "little.several", "little.nan")
    ended.check({**dict.fromkeys(NAMES, "PASS"), **dict.fromkeys(bad, "INCONCLUSIVE")})
    assert "no such series" in ended.reasons["little.typo"]
    assert "2 series where one was meant" in ended.reasons["little.several"]
    assert "the answer is nan" in ended.reasons["little.nan"]
    assert {entry["value"] for entry in ended.read()["criteria"] if entry["id"] in bad} == {None}
    little.check_again(running)


def test_a_limit_that_is_missed_fails(little):
    running = little.start(limit_us=1)
    ended = running.end()
    ended.check({**dict.fromkeys(NAMES, "PASS"), "little.match-p99": "FAIL"})
    assert re.search(r"µs is not below 1 µs", ended.reasons["little.match-p99"])
    little.check_again(running)


def test_two_undisturbed_sessions_at_once_pass_and_do_not_meet(little):
    """The control of all of the above, and more than one on a machine is fine."""
    both = [little.start(), little.start()]
    ended = [one.end() for one in both]
    for one in ended:
        one.check(dict.fromkeys(NAMES, "PASS"))
    assert ended[0].run != ended[1].run
    assert ended[0].load["prometheus"] != ended[1].load["prometheus"]
    assert ended[0].load["load"]["testid"] != ended[1].load["load"]["testid"]
    for one in both:
        little.check_again(one)
