"""The gateway: it delays, refuses, loses, doubles or misleads what goes through it."""

from __future__ import annotations

from verdict_harness.sensitivity import Defect, Patch

from .waiting import refusing

KIND = "gateway"

_ROUTING = "src/gateway/routing.py"
_FORWARD = "        return await self._forward(self._client.order, shard, body, content_type)\n"
_SEEN = '        seen = self._seen = getattr(self, "_seen", 0) + 1\n'


def _forwarding(code: str) -> Patch:
    """Return a patch that does something before an order is sent on; ``seen`` says how many have come."""
    return Patch(_ROUTING, _FORWARD, f"{_SEEN}{code}{_FORWARD}")


DEFECTS = (
    Defect(
        name="gateway-delays",
        kind=KIND,
        story="The gateway keeps each order for 0.3 s.",
        plants=[
            _forwarding("""\
        import asyncio

        await asyncio.sleep(0.3)
""")
        ],
        select="b4",
        fails=["B4.client-p99"],
        turns=["B4.gateway"],
        holds=["B4.match-p99", "B4.errors", "B4.conservation"],
    ),
    Defect(
        name="gateway-adds-20-ms",
        kind=KIND,
        story="The gateway keeps each order for 20 ms, four times what it may add.",
        plants=[
            _forwarding("""\
        import asyncio

        await asyncio.sleep(0.02)
""")
        ],
        select="b2 or b3 or b4",
        words=["-k", "standing"],
        turns=["B2.gateway", "B3.gateway", "B4.gateway"],
        holds=["B2.match-p99", "B3.errors", "B4.conservation"],
    ),
    Defect(
        name="gateway-refuses",
        kind=KIND,
        story="The gateway refuses one order in 20 by itself.",
        plants=[
            _forwarding("""\
        if seen % 20 == 0:
            return error(503, "Too busy", shard)
""")
        ],
        select="b4",
        fails=["B4.errors"],
        holds=["B4.match-p99", "B4.conservation"],
    ),
    Defect(
        name="gateway-misroutes",
        kind=KIND,
        story="The gateway sends the orders for one symbol to a shard that does not have it.",
        plants=[
            Patch(
                _ROUTING,
                "        shard = self._symbols.get(symbol)\n",
                '        shard = "a" if symbol == "TEST-ASSET-E" else self._symbols.get(symbol)\n',
            )
        ],
        select="smoke",
        fails=["smoke.routing", "smoke.errors"],
        holds=["smoke.health"],
    ),
    Defect(
        name="gateway-sends-twice",
        kind=KIND,
        story="The gateway sends one order in 20 to its shard a second time.",
        plants=[
            _forwarding("""\
        if seen % 20 == 0:
            await self._forward(self._client.order, shard, body, content_type)
""")
        ],
        select="b4",
        fails=["B4.conservation"],
        holds=["B4.match-p99", "B4.errors"],
    ),
    Defect(
        name="gateway-swallows-errors",
        kind=KIND,
        story="Shards refuse one order in 50, and the gateway answers that it was accepted.",
        plants=[
            refusing("seen % 50 == 0"),
            Patch(
                _ROUTING,
                "        if shard in self._failing:\n",
                """\
        if status >= 500:
            return Answer(200, b'{"status":"ACCEPTED"}', kind, shard)
        if shard in self._failing:
""",
            ),
        ],
        select="smoke",
        fails=["smoke.conservation"],
        holds=["smoke.errors", "smoke.routing"],
    ),
    Defect(
        name="gateway-loses-a-shard",
        kind=KIND,
        story="After some 10 s the gateway finds one shard of three no more.",
        plants=[
            _forwarding("""\
        if shard == "c" and seen > 900:
            return error(502, "Shard unavailable: c", shard)
""")
        ],
        select="b2",
        words=["-k", "standing or sustain_the_peak"],
        fails=["B2.errors", "B2.throughput"],
        turns=["B2.client-p99"],
    ),
)
