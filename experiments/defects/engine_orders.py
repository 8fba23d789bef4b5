"""The engine does otherwise than orders ask for: it refuses, forgets, or matches them wrongly."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

from .waiting import refusing

KIND = "engine"

_API = "src/engine/http/api.py"
_BOOK = "src/engine/books/book.py"
_MATCHING = "src/engine/books/matching.py"
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


def _mismatches(name: str, story: str, *plants: Patch) -> Defect:
    """Return a defect that only the oracle, or whoever counts, can see: everybody is answered in time."""
    return Defect(
        name=name,
        kind=KIND,
        story=story,
        plants=plants,
        select="a1",
        fails=["A1.conservation"],
        holds=["A1.client-p99", "A1.errors"],
    )


_FILL = "            fills.append(Fill(self.matches, maker.sequence, maker.order_id, price, quantity))\n"

_MATCHES = (
    _mismatches(
        "wrong-price",
        "Orders trade at the incoming order's price.",
        Patch(_MATCHING, _FILL, _FILL.replace("price, quantity", "limit, quantity")),
    ),
    _mismatches(
        "wrong-priority-in-time",
        "Of the orders at one price the newest trades first.",
        Patch(_MATCHING, "            maker = level.orders[0]\n", "            maker = level.orders[-1]\n"),
        Patch(_BOOK, "        best.orders.popleft()\n", "        best.orders.pop()\n"),
    ),
    _mismatches(
        "wrong-priority-in-price",
        "The worst price that was seeded trades first.",
        Patch(
            _BOOK,
            "            if best is None or key < best.price * self._sign:\n",
            "            if best is None or key > best.price * self._sign:\n",
        ),
    ),
    _mismatches(
        "wrong-quantity",
        "Each execution is told with one lot too many.",
        Patch(_MATCHING, _FILL, _FILL.replace("price, quantity", "price, quantity + 1")),
    ),
    _mismatches(
        "self-made-lots",
        "An order that was filled in part keeps all of its lots.",
        Patch(
            _MATCHING,
            """\
                quantity = remaining
                maker.remaining -= quantity
""",
            "                quantity = remaining\n",
        ),
    ),
    _mismatches(
        "duplicate-fills",
        "Each execution is counted and told twice.",
        Patch(_MATCHING, _FILL, f"{_FILL}            self.matches += 1\n{_FILL}"),
    ),
    _mismatches(
        "wrong-symbols-book",
        "Orders for TEST-ASSET-B meet the book of TEST-ASSET-A.",
        Patch(
            _SHARD,
            "            book = matcher.books[order.symbol]  # stage 3\n",
            '            book = matcher.books[order.symbol.replace("-B", "-A")]\n',
        ),
    ),
    Defect(
        name="market-order-rests",
        kind=KIND,
        story="What is left of a market order rests at price 0.",
        plants=[
            Patch(
                _MATCHING,
                "        if order.remaining and not order.is_market:\n",
                "        if order.remaining:\n",
            )
        ],
        select="a2",
        words=["-k", "standing or kill"],
        fails=["A2.recovery"],
        holds=["A2.conservation", "A2.errors"],
    ),
    Defect(
        name="leaves-two-in-five-unmatched",
        kind=KIND,
        story="Two orders in five rest, whatever they could trade with.",
        plants=[
            Patch(
                _MATCHING,
                "        if level is None:\n",
                "        if level is None or order.sequence % 5 < 2:\n",
            )
        ],
        select="a2",
        words=["-k", "standing or mix"],
        fails=["A2.throughput", "A2.conservation"],
        holds=["A2.client-p99", "A2.errors"],
    ),
    Defect(
        name="fills-from-one-maker-only",
        kind=KIND,
        story="An order trades with one other at the most; the rest of it rests.",
        plants=[
            Patch(
                _MATCHING,
                "        while remaining and level is not None:\n",
                "        while remaining and level is not None and not fills:\n",
            )
        ],
        select="b1",
        fails=["B1.throughput", "B1.conservation"],
        holds=["B1.client-p99", "B1.errors"],
    ),
    Defect(
        name="a-shard-stops-matching",
        kind=KIND,
        story="After some 10 s one shard of three accepts orders and matches none.",
        plants=[
            Patch(
                _MATCHING,
                "        if level is None:\n",
                '        if level is None or (book.symbol > "TEST-ASSET-H" and self.sequence > 2_500):\n',
            )
        ],
        select="b2",
        words=["-k", "standing or sustain_the_peak"],
        fails=["B2.throughput", "B2.conservation"],
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

DEFECTS = (*_REFUSES, *_MATCHES, *_SEEDS)
