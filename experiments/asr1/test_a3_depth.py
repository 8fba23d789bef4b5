"""A3, depth of the book: 17 orders/s on shard a for three minutes at each of three depths, on a fresh book.

ASR 1 must hold however many orders rest: 100, 1,000 and 10,000 a symbol, which the shard's own events prove.
"""

import pytest

from experiments.judging.performed import Performed
from experiments.judging.standing import Standing, standing
from verdict_harness.verdicts import Judge

pytestmark = [pytest.mark.asr1, pytest.mark.a3]


@standing("A3", "ASR 1", "-{a3}")
def test_standing(a3: Performed, by: Standing, judge: Judge) -> None:
    """What every load is judged by holds at this depth: p99 below 200 ms among it."""
    by(a3, judge)
