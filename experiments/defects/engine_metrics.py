"""The engine counts wrongly: what it tells Prometheus is not what it did."""

from __future__ import annotations

from collections.abc import Sequence

from verdict_harness.sensitivity import Defect, Patch

from .engine_resources import LEAK, PAUSES

KIND = "engine"

_NUMBERS = "src/engine/metrics/numbers.py"
_SHARD = "src/engine/shard/shard.py"
_MATCHES = 'self._counter("me_matches_total", "Matches executed.", {"": self.matches})'
_RECEIVED = '{"buy": self.received_buy, "sell": self.received_sell}'
_DEPTH = '{"bid": lambda: matcher.depth(bids=True), "ask"'
_MATCHED = "            metrics.match.observe(settled - order.received)\n"


def _tells(
    name: str, story: str, plant: Patch, *, fails: Sequence[str] = (), turns: Sequence[str] = ()
) -> Defect:
    """Return a defect of a figure that conservation rests on, and the client does not."""
    return Defect(
        name=name,
        kind=KIND,
        story=story,
        plants=[plant],
        select="a1",
        fails=fails,
        turns=turns,
        holds=["A1.client-p99", "A1.errors"],
    )


DEFECTS = (
    _tells(
        "counter-doubled",
        "Each execution counts twice.",
        Patch(
            _SHARD,
            "                metrics.matches += len(fills)\n",
            "                metrics.matches += 2 * len(fills)\n",
        ),
        fails=["A1.conservation"],
    ),
    _tells(
        "counter-halved",
        "Of the orders that came half are told.",
        Patch(_NUMBERS, _RECEIVED, '{"buy": self.received_buy // 2, "sell": self.received_sell // 2}'),
        fails=["A1.conservation"],
    ),
    Defect(
        name="counter-frozen",
        kind=KIND,
        story="Executions are counted up to 1,000 and no further.",
        plants=[Patch(_NUMBERS, _MATCHES, _MATCHES.replace("self.matches", "min(self.matches, 1_000)"))],
        select="b3",
        words=["-k", "standing"],
        fails=["B3.conservation"],
        holds=["B3.match-p99", "B3.errors"],
    ),
    _tells(
        "counter-reset",
        "The count of executions begins at 0 again after each hundred.",
        Patch(_NUMBERS, _MATCHES, _MATCHES.replace("self.matches", "self.matches % 100")),
        turns=["A1.conservation"],
    ),
    _tells(
        "labels-renamed",
        "Histograms say of which engine they are, and no longer of which shard.",
        Patch(
            "src/engine/metrics/histogram.py",
            'HistogramMetricFamily(self.name, self.help, labels=["shard"])',
            'HistogramMetricFamily(self.name, self.help, labels=["engine"])',
        ),
        turns=["A1.match-p99", "A1.conservation"],
    ),
    _tells(
        "histogram-halved",
        "How long matching took is noted of each second order only.",
        Patch(_SHARD, _MATCHED, f"            if metrics.matched % 2:\n    {_MATCHED}"),
        fails=["A1.conservation"],
        turns=["A1.match-p99"],
    ),
    _tells(
        "depth-gauge-stuck",
        "The gauge of how many bids rest stays at 0.",
        Patch(_SHARD.replace("shard.py", "exposition.py"), _DEPTH, '{"bid": lambda: 0, "ask"'),
        fails=["A1.conservation"],
    ),
    Defect(
        name="gc-gauge-stuck",
        kind=KIND,
        story="Collections stop the shard for some 50 ms, and the gauge of the longest stays at 0.",
        plants=[
            *PAUSES,
            Patch(
                "src/engine/metrics/gcwatch.py",
                "        longest.add_metric([shard], self.longest())\n",
                "        longest.add_metric([shard], 0.0)\n",
            ),
        ],
        select="a2",
        words=["-k", "garbage"],
        turns=["A2.gc-pause"],
    ),
    Defect(
        name="memory-gauge-stuck",
        kind=KIND,
        story="Each order leaves 60 kB behind, and the gauge of memory stays at 80 MB.",
        plants=[
            LEAK,
            Patch(
                "src/engine/metrics/process.py",
                "    memory.add_metric([shard], resident_memory())\n",
                "    memory.add_metric([shard], 80e6)\n",
            ),
        ],
        select="b2",
        words=["-k", "memory"],
        turns=["B2.memory"],
    ),
)
