"""The engine does not do what orders ask for: it refuses or forgets them, or what is to rest."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

from .waiting import refusing

KIND = "engine"

_API = "src/engine/http/api.py"
_SHARD = "src/engine/shard/shard.py"


def _forgets(which: str) -> Patch:
    """Return a patch that accepts an order and does nothing with it, by how many have come (``seen``)."""
    return Patch(
        _API,
        """\
    try:
        order = shard.accept(body, received)
""",
        f"""\
    seen = answer_order.seen = getattr(answer_order, "seen", 0) + 1
    if {which}:
        kept = {{"orderId": orjson.loads(body)["orderId"], "shardId": shard.config.shard_id}}
        return 200, {{"status": "ACCEPTED", "timestamp": 0, **kept}}
    try:
        order = shard.accept(body, received)
""",
    )


_REFUSES = (
    Defect(
        name="refuses-each-fifth",
        kind=KIND,
        story="One order in five is refused, as if the ring were full.",
        plants=[refusing("seen % 5 == 0")],
        select="a1",
        fails=["A1.errors"],
        turns=["A1.client-p99"],
        holds=["A1.match-p99", "A1.conservation"],
    ),
    Defect(
        name="refuses-three-in-a-hundred",
        kind=KIND,
        story="Three orders in a hundred are refused, as if the ring were full.",
        plants=[refusing("seen % 33 == 0")],
        select="a2",
        words=["-k", "standing"],
        fails=["A2.errors"],
        holds=["A2.match-p99", "A2.conservation"],
    ),
    Defect(
        name="refuses-with-status-200",
        kind=KIND,
        story="One order in ten is refused, and the answer's status is 200.",
        plants=[
            refusing("seen % 10 == 0"),
            Patch(
                _API,
                """\
        order = shard.accept(body, received)
    except Rejected as refusal:
        return refusal.status, _refusal(refusal)
""",
                """\
        order = shard.accept(body, received)
    except Rejected as refusal:
        return 200, _refusal(refusal)
""",
            ),
        ],
        select="b1",
        words=["-k", "standing"],
        fails=["B1.errors"],
        holds=["B1.match-p99", "B1.conservation"],
    ),
    Defect(
        name="refuses-at-the-peak",
        kind=KIND,
        story="Once 800 orders have come, each shard refuses one in five.",
        plants=[refusing("seen > 800 and seen % 5 == 0")],
        select="b3",
        words=["-k", "standing"],
        fails=["B3.errors"],
        holds=["B3.match-p99", "B3.conservation"],
    ),
    Defect(
        name="refuses-what-it-has-matched",
        kind=KIND,
        story="Of the orders that were logged and matched one in seven is answered as refused.",
        plants=[
            Patch(
                _API,
                """\
    return 200, {
        "status": "ACCEPTED",
""",
                """\
    if order.sequence % 7 == 0:
        return 503, {"status": "REJECTED", "orderId": order.order_id, "reason": "Ring buffer full"}
    return 200, {
        "status": "ACCEPTED",
""",
            )
        ],
        select="a3 or a4",
        words=["-k", "standing"],
        fails=[
            *(f"A3.{name}-{depth}" for name in ("errors", "conservation") for depth in (100, 1000, 10000)),
            *(f"A4.{name}-{fault}" for name in ("errors", "conservation") for fault in ("pause", "kill")),
        ],
        holds=["A3.match-p99-1000"],
    ),
    Defect(
        name="forgets-each-third",
        kind=KIND,
        story="Each third order is accepted, and nothing comes of it.",
        plants=[_forgets("seen % 3 == 0")],
        select="a1",
        fails=["A1.conservation"],
        holds=["A1.client-p99", "A1.errors"],
    ),
    Defect(
        name="forgets-one-in-300",
        kind=KIND,
        story="One order in 300 is accepted, and nothing comes of it.",
        plants=[_forgets("seen % 300 == 299")],
        select="a2",
        words=["-k", "standing"],
        fails=["A2.conservation"],
        holds=["A2.client-p99", "A2.errors"],
    ),
    Defect(
        name="forgets-one-in-2500",
        kind=KIND,
        story="One order in 2,500 is accepted, and nothing comes of it: a single one of this load.",
        plants=[_forgets("seen % 2500 == 1250")],
        select="b4",
        fails=["B4.conservation"],
        holds=["B4.match-p99", "B4.errors"],
    ),
)


def _drops(name: str, where: str, select: str, fails: list[str], holds: list[str]) -> Defect:
    """Return a shard that says it had seeded what it had not: loads are gentler than they look."""
    return Defect(
        name=f"drops-seeds-{name}",
        kind=KIND,
        story=f"Of what takes the place of traded orders one in ten is said to rest and does not, {where}.",
        plants=[
            Patch(
                _SHARD,
                "        for start in range(0, len(seeds), SEED_CHUNK):\n",
                """\
        asked = self._asked = getattr(self, "_asked", 0) + 1
        if len(seeds) == 1 and asked % 10 == 0:
            return 1
        for start in range(0, len(seeds), SEED_CHUNK):
""",
            )
        ],
        select=select,
        words=["-k", "standing"],
        fails=fails,
        holds=holds,
    )


_SEEDS = (
    _drops(
        "at-normal-load",
        "at normal load",
        "a1 or a2",
        ["A1.load", "A2.load"],
        ["A2.errors", "A2.conservation"],
    ),
    _drops(
        "at-any-depth",
        "however deep the books are, and without a broker",
        "a3 or a4",
        ["A3.load-100", "A3.load-1000", "A3.load-10000", "A4.load-pause", "A4.load-kill"],
        ["A3.errors-100", "A4.errors-pause"],
    ),
    _drops(
        "at-any-rate",
        "on one shard or behind the gateway",
        "b1 or b2 or b3 or b4",
        ["B1.load", "B2.load", "B3.load", "B4.load"],
        ["B1.errors", "B4.errors"],
    ),
)

DEFECTS = (*_REFUSES, *_SEEDS)
