"""B3, scaling: what three shards sustain, against what one does not.

ASR 2: throughput(N) >= 0.9 N throughput(1). Offered rates say nothing of that: both sides would be what
was asked for. So a rate is looked for that one shard does not sustain, and 2.7 times that is offered to
three.
"""

import pytest

from experiments import scaling
from verdict_harness.loads import Capacity, Stage
from verdict_harness.samples import ratio
from verdict_harness.verdicts import AtLeast, Finding, Judge, Verdict

pytestmark = [pytest.mark.asr2, pytest.mark.b3]


@pytest.fixture(scope="module")
def search(stage: Stage) -> Capacity:
    """The search; it is made when it is first asked."""
    return scaling.search(stage)


@pytest.mark.criterion("B3.scaling", experiment="B3", asr="ASR 2")
def test_three_shards_sustain_what_2_7_would(search: Capacity, judge: Judge) -> None:
    """Three shards sustain 2.7 times a rate that one does not, and what they share would carry more."""
    judge(search.factor(), AtLeast(scaling.FACTOR * ratio))
    judge.show(search.listing())
    if hidden := scaling.hidden(search):  # first: it is a condition on what is said of the others, too
        judge.record(hidden)
    for part in search.demands:
        if part.parts >= len(scaling.SHARDS):
            continue
        judge.record(
            Finding(
                Verdict.CONDITIONAL,
                value=part.most,
                unit="/s",
                limit=f"what {len(scaling.SHARDS)} shards with a core each take",
                query=f"CPU of {part.service} an order",
                samples=part.orders,
                reason=(
                    f"the next limit is {part.service} at {part.most:.0f}/s: it would fill a core of its own "
                    f"with {part.parts:.1f} shards that have one each"
                ),
                counted="orders",
            )
        )
