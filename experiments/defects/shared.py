"""What shards share, or should not: a lock, work, the machine."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

from .programs import around_k6

KIND = "shared parts"

_HANDLER = """\
    def _order(self, request: Request) -> Answer:
        return _answer(*answer_order(self._shard, request.body, request.received))
"""


def _locked(seconds: str) -> Patch:
    """Return a patch by which all shards of one broker take turns.

    Args:
        seconds: for how long an order keeps the others' out; Python, ``config`` being the shard's.
    """
    return Patch(
        "src/engine/http/api.py",
        _HANDLER,
        f"""\
    def _order(self, request: Request) -> Answer:
        import fcntl
        import tempfile
        import time
        from pathlib import Path

        config = self._shard.config
        path = Path(tempfile.gettempdir(), f"shards-of-{{config.kafka_bootstrap.replace(':', '-')}}.lock")
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            time.sleep({seconds})
            return _answer(*answer_order(self._shard, request.body, request.received))
""",
    )


DEFECTS = (
    Defect(
        name="shards-behind-one-lock",
        kind=KIND,
        story="Each order keeps the orders of all shards out for 2 ms.",
        plants=[_locked("0.002")],
        select="b3",
        words=["-k", "sustain"],
        turns=["B3.scaling"],
    ),
    Defect(
        name="one-shard-does-anothers-work",
        kind=KIND,
        story="Shard b spends 1 ms of CPU on each order for what is another shard's to do.",
        plants=[
            Patch(
                "src/engine/shard/shard.py",
                "        self.ring.publish(order)\n",
                """\
        self.ring.publish(order)
        until = time.thread_time() + 0.001
        while self.config.shard_id == "b" and time.thread_time() < until:
            pass
""",
            )
        ],
        select="b3",
        words=["-k", "sustain"],
        fails=["B3.scaling"],
    ),
    Defect(
        name="one-shard-holds-anothers-lock",
        kind=KIND,
        story="While shard b has orders, shard a waits for a lock that b holds for 5 ms each.",
        plants=[_locked('0.005 if config.shard_id == "b" else 0.0')],
        select="b2",
        words=["-k", "notice"],
        turns=["B2.isolation"],
    ),
    Defect(
        name="a-neighbor-takes-every-core",
        kind=KIND,
        story="While loads run somebody else keeps every core of the machine busy.",
        plants=[
            around_k6("""\
busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
status = k6.wait()
for one in busy:
    one.kill()
""")
        ],
        select="b3",
        words=["-k", "sustain"],
        turns=["B3.scaling"],
    ),
)
