"""The engine loses what it promised: in its log, on its way back, or on the way to the broker."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

KIND = "engine"

_WAL = "src/engine/log/wal.py"
_EVENT = "src/engine/events/event.py"
_PLACED = '    yield Event("orders", key, _encode(placed), order.sequence, log, name)\n'


def _dies(name: str, story: str, *plants: Patch, experiment: str = "A2") -> Defect:
    """Return a defect that shows once a shard is killed, and not before."""
    return Defect(
        name=name,
        kind=KIND,
        story=story,
        plants=plants,
        select=experiment.lower(),
        words=["-k", "standing or kill"],
        fails=[f"{experiment}.recovery"],
        holds=[f"{experiment}.errors", f"{experiment}.conservation"],
    )


_LOG = (
    _dies(
        "skips-its-log",
        "One record in ten is never written to the log.",
        Patch(
            _WAL,
            "        self._write(encode(ORDER, order))\n",
            """\
        if order.sequence % 10:
            self._write(encode(ORDER, order))
        else:
            self._work.set()
""",
        ),
    ),
    _dies(
        "acknowledges-before-it-logs",
        "An order is written to the log only when the next seed is.",
        Patch(
            _WAL,
            "        self.seeds_written = 0\n",
            "        self.seeds_written = 0\n        self._late: list[bytes] = []\n",
        ),
        Patch(
            _WAL,
            "        self._write(encode(ORDER, order))\n",
            "        self._late.append(encode(ORDER, order))\n        self._work.set()\n",
        ),
        Patch(
            _WAL,
            '        data = b"".join(records)\n',
            '        data = b"".join([*self._late, *records])\n        self._late.clear()\n',
        ),
    ),
    _dies(
        "forgets-its-log-on-restart",
        "A shard that starts removes the log that it finds.",
        Patch(
            _WAL,
            """\
        files = segments.paths(self.directory)
        ids = set()
""",
            """\
        for path in segments.paths(self.directory):
            path.unlink()
        files: list[Path] = []
        ids: set[bytes] = set()
""",
        ),
    ),
    _dies(
        "rests-what-it-replays",
        "A shard that starts lays all orders of its log into the book, and matches none of them again.",
        Patch(
            "src/engine/shard/shard.py",
            "                    fills = matcher.execute(order)\n",
            "                    fills = NO_FILLS\n                    matcher.seed(order)\n",
        ),
        experiment="B2",
    ),
)


def _tells(name: str, story: str, *plants: Patch) -> Defect:
    """Return a defect of what is told of orders, of which no client sees anything."""
    return Defect(
        name=name,
        kind=KIND,
        story=story,
        plants=plants,
        select="a1",
        fails=["A1.conservation"],
        holds=["A1.client-p99", "A1.errors"],
    )


_EVENTS = (
    _tells(
        "loses-one-event-in-50",
        "Of one execution in 50 no event is sent.",
        Patch(
            _EVENT,
            "        number = fill.number\n",
            """\
        number = fill.number
        if number % 50 == 0:
            continue
""",
        ),
    ),
    Defect(
        name="repeats-events-without-sequence",
        kind=KIND,
        story="Each order is told of once more, without the sequence by which a reader would know it again.",
        plants=[
            Patch(
                _EVENT,
                _PLACED,
                f"""\
{_PLACED}\
    again = _encode(placed).replace(b'"sequence":', b'"number":')
    yield Event("orders", key, again, order.sequence, log, name)
""",
            )
        ],
        select="a1",
        turns=["A1.conservation"],
    ),
    _tells(
        "repeats-events-under-another-sequence",
        "Each order is told of once more, as if it were another one.",
        Patch(
            _EVENT,
            _PLACED,
            f"""\
{_PLACED}\
    again = msgspec.structs.replace(placed, sequence=order.sequence + 1_000_000)
    yield Event("orders", key, _encode(again), order.sequence, log, name)
""",
        ),
    ),
    Defect(
        name="sends-events-late",
        kind=KIND,
        story="Events wait up to 45 s for company before they are sent.",
        plants=[Patch("src/engine/publishing/publisher.py", "_LINGER = 0.05  #", "_LINGER = 45.0  #")],
        select="a1",
        fails=["A1.conservation"],
    ),
    Defect(
        name="sends-events-of-another-type",
        kind=KIND,
        story="Orders are told of as ORDER_TAKEN, which no reader knows.",
        plants=[
            Patch(
                _EVENT,
                "    placed = _Order(\n        name,\n",
                '    placed = _Order(\n        name if kind == SEED else "ORDER_TAKEN",\n',
            )
        ],
        select="a1",
        fails=["A1.conservation"],
    ),
    Defect(
        name="sends-events-under-another-key",
        kind=KIND,
        story="Events carry the order's id as their key, so that a symbol's are spread over all partitions.",
        plants=[
            Patch(
                _EVENT,
                "    key = order.symbol.encode()\n",
                "    key = order.order_id.encode()\n",
            )
        ],
        select="smoke",
        fails=["smoke.events"],
        holds=["smoke.conservation", "smoke.errors"],
    ),
    Defect(
        name="drops-the-events-of-an-outage",
        kind=KIND,
        story="What waits for a broker that can't be reached is given up.",
        plants=[
            Patch(
                "src/engine/publishing/publisher.py",
                """\
                connected = False
                await self.broker.close()
""",
                """\
                connected = False
                await self.broker.close()
                if given_up := self.queue.first(len(self.queue)):
                    self.queue.drop(len(given_up))
                    self.position.sequence = given_up[-1].order.sequence
""",
            )
        ],
        select="a4",
        words=["-k", "standing"],
        fails=["A4.conservation-pause", "A4.conservation-kill"],
        holds=["A4.errors-pause", "A4.errors-kill"],
    ),
)

DEFECTS = (*_LOG, *_EVENTS)
