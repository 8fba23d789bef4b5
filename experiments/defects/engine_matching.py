"""The engine does otherwise than orders ask for: whom they meet, at which price, for how many lots."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

KIND = "engine"

_BOOK = "src/engine/books/book.py"
_MATCHING = "src/engine/books/matching.py"


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

DEFECTS = (
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
            "src/engine/shard/shard.py",
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
