"""Criteria of the little exchange; copied as a session's ``test_little.py``. Speed is not the point."""

import json
from pathlib import Path

import pytest

from experiments.judging.performed import Performed
from verdict_harness.samples import Quantity, count, percent, ratio, seconds, us
from verdict_harness.verdicts import AtLeast, Below, Judge

CASE = json.loads(Path(__file__).with_name("case.json").read_text())
LIMIT: Quantity = CASE["limit_us"] * us if CASE["limit_us"] else 9 * seconds
MATCHING, RECEIVED = "me_match_duration_seconds", "me_orders_received_total"
P = 0.9  # of as few orders as there are, a p99 has no upper bound
FEW_ERRORS = 15 * percent  # nor can less be told


@pytest.mark.criterion("little.match", "little", asr="ASR 1")
def test_matching(a2: Performed, judge: Judge) -> None:
    """p90 of matching, between two scrapes; what was never matched is infinitely slow."""
    rule = a2.trial.rule("me:match_duration_p99:30s", shard="a")
    judge(a2.trial.server.quantile(P, MATCHING, due=RECEIVED, shard="a"), Below(LIMIT), load=rule)


@pytest.mark.criterion("little.client", "little", asr="ASR 1")
def test_client(a2: Performed, judge: Judge) -> None:
    """p90 as the client saw it, from when an order was due."""
    judge(a2.trial.response(P), Below(9 * seconds))


@pytest.mark.criterion("little.errors", "little", asr="ASR 1")
def test_errors(a2: Performed, judge: Judge) -> None:
    """Few of the orders are not accepted."""
    judge(a2.trial.errors(), Below(FEW_ERRORS))


@pytest.mark.criterion("little.matches", "little", asr="ASR 1")
def test_matches(a2: Performed, judge: Judge) -> None:
    """Orders match, a few at the least."""
    judge(a2.trial.totals.growth("me_matches_total", of=RECEIVED, shard="a"), AtLeast(3 * count))


if CASE["bad_questions"]:

    @pytest.mark.criterion("little.typo", "little")
    def test_typo(a2: Performed, judge: Judge) -> None:
        """A name that is not there."""
        judge(a2.trial.server.quantile(P, "me_match_duration_second", shard="a"), Below(LIMIT))

    @pytest.mark.criterion("little.several", "little")
    def test_several(a2: Performed, judge: Judge) -> None:
        """Two series where one was meant."""
        judge(a2.trial.server.gauge("me_orderbook_depth", shard="a"), AtLeast(1 * count))

    @pytest.mark.criterion("little.nan", "little")
    def test_nan(a2: Performed, judge: Judge) -> None:
        """A share of something that did not happen: the load sends no SELL, and 0 / 0 is no number."""
        sells = 'rate(me_orders_received_total{shard="a",side="sell"}[30s])'
        judge(a2.trial.promql(f"{sells} / {sells}"), AtLeast(1 * ratio))
