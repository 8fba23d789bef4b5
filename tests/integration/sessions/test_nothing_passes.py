"""Nothing passes on nothing: each way for a number to be missing or worthless, caused for real."""

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

NAMES = ("little.match", "little.client", "little.errors", "little.matches")
JUDGED = 40  # orders, of 102: the settling time is over
ITERATION = "export default (run) => placeOrder(plan, run);"
SET_UP = "export const setup = () => prepare(plan);"


def kill_engine(running: Any) -> None:
    running.until_orders(JUDGED).send_signal(signal.SIGKILL)


def kill_k6(running: Any) -> None:
    running.until_orders(JUDGED)
    running.find("k6", "run").send_signal(signal.SIGKILL)


def kill_prometheus(running: Any) -> None:
    running.until_loaded().send_signal(signal.SIGKILL)


def stop_prometheus(running: Any) -> None:
    running.until_loaded().send_signal(signal.SIGSTOP)


def kill_prometheus_early(running: Any) -> None:
    running.until_orders(JUDGED)
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
    """What is done to a session, and what has to come of it.

    Attributes:
        words: regular expressions, each to be found in every reason of which ``apart`` has no other.
        differently: what :meth:`Little.start` is told.
        disturb: what happens to it while it is on.
        apart: the reasons of single criteria, which have doubts of their own.
        failing: the criteria that the system itself fails; all others are INCONCLUSIVE.
        record: regular expressions, each to be found among what is wrong with the load as it is on record.
    """

    words: tuple[str, ...] = ()
    differently: dict[str, Any] = field(default_factory=dict)
    disturb: Callable[[Any], None] = lambda _: None
    apart: dict[str, str] = field(default_factory=dict)
    failing: tuple[str, ...] = ()
    record: tuple[str, ...] = ()

    @property
    def verdicts(self) -> dict[str, str]:
        return {name: "FAIL" if name in self.failing else "INCONCLUSIVE" for name in NAMES}


MATCH, CLIENT, ERRORS, MATCHES = NAMES
UNSENT = r"\d+ orders were not sent by k6"
UNSCRAPED = r"scrapes? of me-shard-a|there were no orders"
NO_ORDERS = r"it rests on no orders"

CASES = {
    # what the system did is in the numbers: it died, and orders were not accepted
    "engine-killed": Case(
        disturb=kill_engine,
        apart={
            MATCH: UNSCRAPED,
            CLIENT: r"\d+ orders were (due after a service had died|not answered)",
            ERRORS: r"%\)? is not below 15 %",
            MATCHES: r"A2: k6 said: test run was aborted",
        },
        failing=(ERRORS,),
        record=(r"me-shard-a died by itself", r"ended by SIGKILL; its last lines:"),
    ),
    "k6-killed": Case(
        disturb=kill_k6,
        apart={
            MATCH: r"\d+ more orders|" + UNSCRAPED,
            CLIENT: UNSENT,
            ERRORS: UNSENT,
            MATCHES: r"A2: k6 was ended by SIGKILL",
        },
        record=(r"k6 was ended by SIGKILL", r"k6 left no summary"),
    ),
    "prometheus-killed-in-mid-load": Case(
        (r"Prometheus could not be asked: ConnectError",),
        disturb=kill_prometheus_early,
        apart={CLIENT: UNSENT, ERRORS: UNSENT},
        record=(r"prometheus died by itself", r"ended by SIGKILL"),
    ),
    "prometheus-killed-before-it-is-asked": Case(
        (r"Prometheus could not be asked: ConnectError",), disturb=kill_prometheus
    ),
    "prometheus-hangs": Case(
        (r"Prometheus could not be asked: ReadTimeout: no answer within (1|0\.1) s",),
        {"patience": 1.0},
        stop_prometheus,
    ),
    "closed-port": Case(
        differently={"env": {"ME_SHARD_A_URL": "{nobody}"}},
        apart={MATCH: UNSCRAPED, CLIENT: UNSENT, ERRORS: UNSENT, MATCHES: NO_ORDERS},
        record=(
            r"k6 ended with exit status 107",
            r"nothing healthy at http://127\.0\.0\.1:\d+/health: .*refused",
        ),
    ),
    # for whoever orders, a system that refuses every connection is one that fails
    "closed-port-unseen-by-set-up": Case(
        differently={"env": {"ME_SHARD_A_URL": "{nobody}"}, "script": no_set_up},
        apart={
            MATCH: UNSCRAPED,
            CLIENT: r"whether that is < 9 s can't be told",
            ERRORS: r"100 %.* is not below 15 %",
            MATCHES: NO_ORDERS,
        },
        failing=(ERRORS,),
        record=(r"connection refused",),
    ),
    "every-iteration-throws": Case(
        (r"(\d+) of \1 iterations threw: Error: boom",),
        {"script": iteration('placeOrder(plan, run); throw new Error("boom");')},
    ),
    "syntax-error": Case(
        differently={"script": iteration("let = ;")},
        apart={
            MATCH: UNSCRAPED,
            CLIENT: r"is not bounded from above|" + UNSENT,
            ERRORS: UNSENT,
            MATCHES: NO_ORDERS,
        },
        record=(r"k6 ended with exit status 107.*Unexpected token", r"no request was made"),
    ),
    "no-request": Case(
        differently={"script": iteration("plan.nothing = run;")},
        apart={MATCH: UNSCRAPED, CLIENT: UNSENT, ERRORS: UNSENT, MATCHES: NO_ORDERS},
        record=(r"no request was made",),
    ),
    "under-delivery": Case(
        differently={"script": few_users},
        apart={
            MATCH: r"\d+ more orders",
            CLIENT: UNSENT,
            ERRORS: r"chance, at 95 %|" + UNSENT,
            MATCHES: r"k6 did not send",
        },
        record=(r"k6 did not send \d+ of 10\d orders: the load was gentler than it claims",),
    ),
    "dead-target": Case(
        (r"waited 12 s in vain for Prometheus to scrape every target", r"me-shard-a: .*connection refused"),
        {"metrics_port": "nobody"},
    ),
    "starved-book": Case(
        (r"the book of shard a ran dry: \d+ SELLs of 32",),
        {"env": {"REPLENISH": "0"}, "profile": shallow},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_passes_on(little, name):
    case = CASES[name]
    running = little.start(**case.differently)
    case.disturb(running)
    ended = running.end()
    ended.check(case.verdicts)
    told = " ".join(ended.text.split())
    for criterion, reason in ended.reasons.items():
        for words in (case.apart[criterion],) if criterion in case.apart else case.words:
            assert re.search(words, reason, re.DOTALL), f"{words!r} is not said of {criterion}:\n{reason}"
            assert re.search(words, told), f"{words!r} is not told:\n{ended.text}"
    for words in case.record:
        assert re.search(words, ended.wrong, re.DOTALL), f"{words!r} is not on record:\n{ended.wrong}"
    little.check_again(running)


def test_questions_without_an_answer(little):
    """The load is sound, and what rests on a good question passes; a bad one has no number and says why."""
    running = little.start(bad_questions=True)
    ended = running.end()
    bad = ("little.typo", "little.several", "little.nan")
    ended.check({**dict.fromkeys(NAMES, "PASS"), **dict.fromkeys(bad, "INCONCLUSIVE")})
    assert "Empty" in ended.reasons["little.typo"]
    assert "2 series where one was meant" in ended.reasons["little.several"]
    assert "the answer is nan" in ended.reasons["little.nan"]
    assert {entry["value"] for entry in ended.read()["criteria"] if entry["id"] in bad} == {None}
    little.check_again(running)


def test_a_limit_that_is_missed_fails(little):
    running = little.start(limit_us=1)
    ended = running.end()
    ended.check({**dict.fromkeys(NAMES, "PASS"), "little.match": "FAIL"})
    assert re.search(r"µs\)? is not below 1 µs", ended.reasons["little.match"])
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
