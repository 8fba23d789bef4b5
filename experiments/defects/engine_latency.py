"""The engine is slow: always, now and then, or only where a glance at the mean does not look."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

from .waiting import stands_still, waits

KIND = "engine"


def _stage(does: str, waits: str) -> Patch:
    """Return a patch by which a stage of an order does what it does, and then takes longer."""
    return Patch("src/engine/shard/shard.py", does, f"{does}{waits}")


DEFECTS = (
    Defect(
        name="slow-by-a-constant",
        kind=KIND,
        story="Every order waits 0.3 s before the shard looks at it.",
        plants=[waits()],
        select="a1",
        fails=["A1.client-p99", "A1.match-p99"],
        holds=["A1.errors", "A1.conservation"],
    ),
    Defect(
        name="slow-to-answer",
        kind=KIND,
        story="Orders are answered 0.3 s after they were matched, of which the shard's figures say nothing.",
        plants=[
            Patch(
                "src/engine/http/api.py",
                """\
    def _order(self, request: Request) -> Answer:
        return _answer(*answer_order(self._shard, request.body, request.received))
""",
                """\
    async def _order(self, request: Request) -> Answer:
        import asyncio

        answer = _answer(*answer_order(self._shard, request.body, request.received))
        await asyncio.sleep(0.3)
        return answer
""",
            )
        ],
        select="a1",
        fails=["A1.client-p99"],
        holds=["A1.match-p99", "A1.conservation"],
    ),
    Defect(
        name="slow-to-match",
        kind=KIND,
        story="Orders are answered at once and matched up to 0.3 s later, which no client sees.",
        plants=[
            Patch(
                "src/engine/shard/shard.py",
                "            self._loop.call_soon(self._consume_batch)\n",
                "            self._loop.call_later(0.3, self._consume_batch)\n",
            ),
            # what is seeded would otherwise have what waits matched at once
            Patch(
                "src/engine/shard/shard.py",
                """\
            self._consume()
            while len(self.ring):
                await asyncio.sleep(0)
                self._consume()
""",
                """\
            while len(self.ring):
                await asyncio.sleep(0.01)
""",
            ),
        ],
        select="a1",
        fails=["A1.match-p99"],
        holds=["A1.client-p99", "A1.errors"],
    ),
    Defect(
        name="slow-tail",
        kind=KIND,
        story="One order in 25 waits 0.3 s; the mean is 12 ms.",
        plants=[waits("seen % 25 == 0")],
        select="a2",
        words=["-k", "standing"],
        fails=["A2.client-p99", "A2.match-p99"],
        holds=["A2.errors", "A2.conservation"],
    ),
    Defect(
        name="one-long-stall",
        kind=KIND,
        story="The shard stands still for 3 s, once; orders wait in the kernel, where it measures nothing.",
        plants=[stands_still("seen == 80", "3.0")],
        select="a1",
        fails=["A1.client-p99"],
        holds=["A1.errors", "A1.conservation"],
    ),
    Defect(
        name="recurring-stalls",
        kind=KIND,
        story="The shard stands still for 0.6 s of every 2 s.",
        plants=[stands_still("time.monotonic() % 2 < 0.6", "max(0.0, 0.6 - time.monotonic() % 2)")],
        select="a1",
        fails=["A1.client-p99"],
        holds=["A1.errors", "A1.conservation"],
    ),
    Defect(
        name="slow-only-at-the-end",
        kind=KIND,
        story="The last 2.5 s of the load are slow: less than passes from one scrape to the next.",
        plants=[waits("seen > 740", "0.4")],
        select="b1",
        words=["-k", "standing"],
        fails=["B1.client-p99", "B1.match-p99"],
        holds=["B1.errors", "B1.conservation"],
    ),
    Defect(
        name="slow-once-books-are-deep",
        kind=KIND,
        story="Orders wait 0.3 s once more than 20,000 orders rest.",
        plants=[waits("self._shard.matcher.depth(bids=False) > 20_000")],
        select="a3",
        words=["-k", "[1000- or [10000-"],
        fails=["A3.client-p99-10000", "A3.match-p99-10000"],
        holds=["A3.errors-10000", "A3.client-p99-1000", "A3.match-p99-1000"],
    ),
    Defect(
        name="slow-unless-books-are-deep",
        kind=KIND,
        story="Orders wait 0.3 s as long as fewer than 20,000 orders rest.",
        plants=[waits("self._shard.matcher.depth(bids=False) < 20_000")],
        select="a3",
        words=["-k", "[100- or [1000-"],
        fails=["A3.client-p99-100", "A3.match-p99-100", "A3.client-p99-1000", "A3.match-p99-1000"],
        holds=["A3.errors-100", "A3.conservation-100"],
    ),
    Defect(
        name="slow-where-the-ramp-begins",
        kind=KIND,
        story="Forty orders of each shard wait 0.4 s when the rate begins to rise, and none before or after.",
        plants=[waits("190 <= seen < 230", "0.4")],
        select="b3",
        words=["-k", "standing or joint"],
        fails=["B3.client-p99", "B3.match-p99", "B3.continuity"],
        holds=["B3.errors", "B3.conservation"],
    ),
    Defect(
        name="one-shard-is-slow",
        kind=KIND,
        story="One of three shards has its orders wait 0.3 s.",
        plants=[waits('self._shard.config.shard_id == "b"')],
        select="b2",
        words=["-k", "standing"],
        fails=["B2.client-p99", "B2.match-p99"],
        holds=["B2.errors", "B2.conservation"],
    ),
    Defect(
        name="hot-symbol-is-slow",
        kind=KIND,
        story="Once 500 orders have come for it, the hot symbol's orders wait 0.3 s.",
        plants=[waits('b"TEST-ASSET-A" in request.body and seen > 500')],
        select="b4",
        fails=["B4.client-p99", "B4.match-p99"],
        holds=["B4.errors", "B4.conservation", "B4.share"],
    ),
    Defect(
        name="waits-for-the-broker",
        kind=KIND,
        story="While more than 100 orders' events wait for the broker, each order waits 0.3 s.",
        plants=[waits("self._shard.publisher.backlog > 100")],
        select="a4",
        words=["-k", "standing"],
        fails=["A4.client-p99-pause", "A4.match-p99-pause", "A4.client-p99-kill", "A4.match-p99-kill"],
        holds=["A4.errors-pause", "A4.conservation-pause"],
    ),
    Defect(
        name="publisher-blocks-matching",
        kind=KIND,
        story="The publisher stops matching for 20 ms at each 20th order while it has no broker to send to.",
        plants=[
            Patch(
                "src/engine/publishing/publisher.py",
                "        self.queue.hand(kind, order, fills)\n        if self._idle:\n",
                """\
        self.queue.hand(kind, order, fills)
        if order.sequence % 20 == 0 and self.backlog > 500:
            time.sleep(0.02)
        if self._idle:
""",
            )
        ],
        select="a4",
        words=["-k", "change"],
        fails=["A4.change"],
    ),
    Defect(
        name="slow-before-and-in-matching",
        kind=KIND,
        story="To check an order takes 8 ms, to match it 30 ms: four and six times what was planned for.",
        plants=[
            _stage(
                "        order = read_order(body, self.matcher.books)\n",
                "        time.sleep(0.008)\n",
            ),
            _stage(
                "            fills = matcher.match(book, order)  # stage 4\n",
                "            time.sleep(0.03)\n",
            ),
        ],
        select="a2",
        words=["-k", "budget"],
        fails=["A2.budget-validation", "A2.budget-matching"],
        holds=["A2.budget-insertion", "A2.budget-publish"],
    ),
    Defect(
        name="slow-where-orders-are-kept-and-told",
        kind=KIND,
        story="To rest an order takes 0.5 ms, to hand its events over 3 ms, to log one in 20 takes 80 ms.",
        plants=[
            _stage(
                "            matcher.settle(book, order)  # stage 3 again: the remainder rests\n",
                "            time.sleep(0.0005)\n",
            ),
            _stage("            hand(ORDER, order, fills)  # stage 5\n", "            time.sleep(0.003)\n"),
            _stage(
                "            self.wal.append(order)\n",
                "            if order.sequence % 20 == 0:\n                time.sleep(0.08)\n",
            ),
        ],
        select="a2",
        words=["-k", "budget"],
        fails=["A2.budget-insertion", "A2.budget-publish", "A2.budget-wal"],
        holds=["A2.budget-validation", "A2.budget-matching"],
    ),
)
