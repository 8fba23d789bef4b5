"""When a change of a p99 may be called one."""

import re

import pytest

from experiments.latency import judge_change
from verdict_harness.samples import Empty, Window, exact, percent
from verdict_harness.verdicts import Judge, Verdict


class Part:
    """A part of a load whose latency has these values (ms) below, at and above the p99."""

    def __init__(self, orders, low, p99, high):
        self.orders, self.values = orders, (low, p99, high)
        self.window = Window(1000.0, 1008.0)

    def growth(self, query):
        return exact(query, self.orders, at=0.0, n=1)

    def final(self, query):
        assert query.endswith("[12s])))"), "of 8 s, one scrape might be all there is"
        quantile = float(re.search(r"quantile\((0\.\d+)", query)[1])
        index = 1 + (quantile > 0.99) - (quantile < 0.99)
        return exact(query, self.values[index] / 1000, at=0.0, n=1)


def judged(before, during, **more):
    judge = Judge()
    judge_change(judge, Part(*before), Part(*during), "a", at_most=10 * percent, **more)
    return max(judge.findings, key=lambda finding: finding.verdict)


CALM = (5000, 0.98, 1.0, 1.02)


@pytest.mark.parametrize(
    ("before", "during", "verdict"),
    [
        (CALM, (5000, 0.78, 0.8, 0.82), Verdict.PASS),
        (CALM, (5000, 1.98, 2.0, 2.02), Verdict.FAIL),
        (CALM, (5000, 1.06, 1.08, 1.1), Verdict.INCONCLUSIVE),  # within the limit, by less than can be told
        (CALM, (5000, 1.11, 1.13, 1.15), Verdict.INCONCLUSIVE),  # beyond it, by as little
        ((510, 2.0, 3.9, 8.0), (2040, 1.0, 1.1, 1.4), Verdict.PASS),  # whatever it was, it fell
        ((510, 1.0, 1.1, 9.0), (2040, 3.0, 3.9, 5.0), Verdict.INCONCLUSIVE),  # it may have been as slow
        ((170, 0.98, 1.0, 1.02), (5000, 0.7, 0.8, 0.9), Verdict.PASS),  # few, but surely no faster than that
        ((170, 0.98, 1.0, 1.02), (5000, 2.0, 3.0, 4.0), Verdict.INCONCLUSIVE),  # chance fails nothing
        ((170, 0.98, 1.0, 1.02), (170, 200.0, 5000.0, 5000.0), Verdict.FAIL),  # 200 ms is 200 ms
        (CALM, (5000, 150.0, 210.0, 260.0), Verdict.FAIL),
    ],
)
def test_a_change(before, during, verdict):
    assert judged(before, during).verdict is verdict


def test_a_change_that_says_nothing_of_the_system():
    assert judged(CALM, (5000, 1.98, 2, 2.02), otherwise=Verdict.INCONCLUSIVE).verdict is Verdict.INCONCLUSIVE


def test_too_few_orders_are_named():
    found = judged((170, 1, 1, 1), (5000, 1.4, 1.5, 1.6))
    assert (found.doubt.text, found.decides) == (
        "before: chance, at 95 %: p99 of 170 orders",
        "129 more orders, 6 s at this rate,",
    )


def test_an_unknown_number_of_orders_is_inconclusive(monkeypatch):
    monkeypatch.setattr(Part, "growth", lambda _, query: Empty(query, "no series"))
    assert judged(CALM, CALM).verdict is Verdict.INCONCLUSIVE
