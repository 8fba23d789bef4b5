"""The engine takes more than it gives back: pauses of the collector, memory, threads, descriptors."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

from .waiting import accepting

KIND = "engine"

PAUSES = (
    # what is made after the freezing is walked through by each full collection
    Patch(
        "src/engine/metrics/gcwatch.py",
        "        gc.freeze()\n        gc.set_threshold(*_THRESHOLDS)\n",
        """\
        gc.freeze()
        self._ballast: list[list[int]] = [[] for _ in range(600_000)]
        gc.set_threshold(*_THRESHOLDS)
""",
    ),
    accepting('_ = self.metrics.received % 100 or __import__("gc").collect()'),
)

LEAK = accepting('self.__dict__.setdefault("_kept", []).append(b"x" * 60_000)')


def _grows(name: str, story: str, plant: Patch, *, surely: bool = False) -> Defect:
    found = ["B2.memory"]
    return Defect(
        name=name,
        kind=KIND,
        story=story,
        plants=[plant],
        select="b2",
        words=["-k", "memory"],
        fails=found if surely else (),
        turns=() if surely else found,
    )


DEFECTS = (
    Defect(
        name="collects-garbage-for-long",
        kind=KIND,
        story="Every 100 orders the collector stops the shard for some 50 ms.",
        plants=PAUSES,
        select="a2",
        words=["-k", "garbage or standing"],
        fails=["A2.gc-pause"],
        holds=["A2.errors", "A2.conservation"],
    ),
    _grows("leaks-60-kb-an-order", "Each order leaves 60 kB behind.", LEAK, surely=True),
    _grows(
        "leaks-20-bytes-an-order",
        "Each order leaves 20 bytes behind.",
        accepting('self.__dict__.setdefault("_kept", bytearray()).extend(b"x" * 20)'),
    ),
    _grows(
        "leaks-threads",
        "Each fourth order leaves a thread behind that waits for ever.",
        Patch(
            "src/engine/shard/shard.py",
            "        self.ring.publish(order)\n",
            """\
        self.ring.publish(order)
        if self.metrics.received % 4 == 0:
            import threading

            threading.Thread(target=threading.Event().wait, daemon=True).start()
""",
        ),
    ),
    _grows(
        "leaks-descriptors",
        "Each order leaves a file open.",
        accepting('__import__("os").open("/dev/null", 0)'),
    ),
)
