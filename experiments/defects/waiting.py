"""Patches that let a shard's orders wait, or be counted, where they come in."""

from __future__ import annotations

from verdict_harness.sensitivity import Patch

_API = "src/engine/http/api.py"
_HANDLER = "    def _order(self, request: Request) -> Answer:\n"
_SHARD = "src/engine/shard/shard.py"
_ACCEPTED = "        self.ring.publish(order)\n"
_FULL = "        if self.ring.full:\n"

SEEN = '        seen = self._seen = getattr(self, "_seen", 0) + 1\n'


def waits(condition: str = "True", seconds: str = "0.3") -> Patch:
    """Return a patch by which an order waits before it is looked at, and others go on meanwhile.

    Args:
        condition: which orders; Python, ``seen`` being how many came, this one included, ``self._shard``
            the shard, ``request`` the request.
        seconds: for how long; Python, too.
    """
    return Patch(
        _API,
        _HANDLER,
        "    async def _order(self, request: Request) -> Answer:\n"
        "        import asyncio\n\n"
        f"{SEEN}"
        f"        if {condition}:\n"
        f"            await asyncio.sleep({seconds})\n",
    )


def stands_still(condition: str, seconds: str) -> Patch:
    """Return a patch by which the whole shard stands still when an order comes; see :func:`waits`."""
    return Patch(
        _API,
        _HANDLER,
        f"{_HANDLER}"
        "        import time\n\n"
        f"{SEEN}"
        f"        if {condition}:\n"
        f"            time.sleep({seconds})\n",
    )


def accepting(code: str) -> Patch:
    """Return a patch that does something with each order that was accepted: one line, ``self`` the shard."""
    return Patch(_SHARD, _ACCEPTED, f"{_ACCEPTED}        {code}\n")


def refusing(condition: str) -> Patch:
    """Return a patch by which a shard says that its ring is full.

    Args:
        condition: to which orders; Python, ``seen`` being how many were valid, this one included.
    """
    count = 'self.metrics.received + self.metrics.rejected["ring_full"] + 1'
    return Patch(_SHARD, _FULL, f"        seen = {count}\n        if self.ring.full or ({condition}):\n")
