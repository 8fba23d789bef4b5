"""Criteria of the little exchange; copied as a session's ``test_little.py``. Speed is not the point."""

import json
from pathlib import Path

import pytest

from verdict_harness.loads import Trial
from verdict_harness.samples import Quantity, count, percent, ratio, seconds, us
from verdict_harness.verdicts import AtLeast, Below, Judge

CASE = json.loads(Path(__file__).with_name("case.json").read_text())
LIMIT: Quantity = CASE["limit_us"] * us if CASE["limit_us"] else 9 * seconds


@pytest.mark.criterion("little.match-p99", "little", asr="ASR 1")
def test_matching(a2: Trial, judge: Judge) -> None:
    """p99 of matching, by the recording rule."""
    judge(a2.afterwards('me:match_duration_p99:30s{shard="a"}'), Below(LIMIT))


@pytest.mark.criterion("little.client-p99", "little", asr="ASR 1")
def test_client(a2: Trial, judge: Judge) -> None:
    """p99 as the client saw it, exactly."""
    judge(a2.client("p(99)"), Below(9 * seconds))


@pytest.mark.criterion("little.errors", "little", asr="ASR 1")
def test_errors(a2: Trial, judge: Judge) -> None:
    """Fewer than 1 % of the orders fail."""
    judge(a2.client("failed"), Below(1 * percent))


@pytest.mark.criterion("little.matches", "little", asr="ASR 1")
def test_matches(a2: Trial, judge: Judge) -> None:
    """Orders match."""
    judge(a2.total('me_matches_total{shard="a"}'), AtLeast(20 * count))


if CASE["bad_questions"]:

    @pytest.mark.criterion("little.typo", "little")
    def test_typo(a2: Trial, judge: Judge) -> None:
        """A name that is not there."""
        judge(a2.afterwards('me:match_duration_p99:3s{shard="a"}'), Below(LIMIT))

    @pytest.mark.criterion("little.several", "little")
    def test_several(a2: Trial, judge: Judge) -> None:
        """Two series where one was meant."""
        judge(a2.over('me_orderbook_depth{shard="a"}'), AtLeast(1 * count))

    @pytest.mark.criterion("little.nan", "little")
    def test_nan(a2: Trial, judge: Judge) -> None:
        """A share of something that did not happen: the load sends no SELL, and 0 / 0 is no number."""
        sells = 'rate(me_orders_received_total{shard="a",side="sell"}[30s])'
        judge(a2.afterwards(f"{sells} / {sells}"), AtLeast(1 * ratio))
