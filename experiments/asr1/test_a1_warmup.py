"""A1, warm-up: 500 orders/min on shard a for two minutes. Nothing of ASR 1 rests on what it measures.

It is judged by what every load is judged by, because A2 rests on a system that is warm and whole.
"""

import pytest

from experiments.judging.performed import Performed
from experiments.judging.standing import Standing, standing
from verdict_harness.verdicts import Judge

pytestmark = [pytest.mark.asr1, pytest.mark.a1]


@standing("A1", "ASR 1")
def test_standing(a1: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds of the warm-up."""
    by(a1, judge)
