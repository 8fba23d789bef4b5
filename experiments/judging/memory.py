"""What a shard holds: memory besides the orders that its load leaves in its book, and descriptors."""

from __future__ import annotations

from verdict_harness.samples import NoValue, Partial, Point, Series, Server

from .ledger import Ledger

DESCRIPTORS = "me_process_open_fds"
CONNECTIONS = 100  # descriptors: a shard with its files and as many connections as a gateway makes has fewer
AGREE = 0.1  # share by which a gauge and what runs the process may differ: some seconds lie between the two
MEMORY, DEPTH = "me_process_resident_memory_bytes", "me_orderbook_depth"
ORDER = 1024  # bytes: a little more than an order, its price level and its place in the index take


def besides_its_book(server: Server, shard: str) -> Series | NoValue:
    """Return a shard's resident memory at each scrape, in bytes, less :data:`ORDER` for each order at rest.

    Args:
        server: the system, asked about the window that is meant.
        shard: which.

    Returns:
        Or why there is none: one of the figures has no value, or they are not of the same scrapes.
    """
    courses: list[Series] = []
    for asked in (
        server.gauge(MEMORY, shard=shard),
        server.gauge(DEPTH, shard=shard, side="bid"),
        server.gauge(DEPTH, shard=shard, side="ask"),
    ):
        if isinstance(asked, NoValue):
            return asked
        courses.append(asked)
    memory, bids, asks = courses
    query = f"{memory.query} - {ORDER} * ({bids.query} + {asks.query})"
    if len({tuple(point.time for point in course) for course in courses}) > 1:
        return Partial(query, "memory and depth are not of the same scrapes", memory.samples)
    points = zip(memory, bids, asks, strict=True)
    return Series(query, tuple(Point(m.time, m.value - ORDER * (b.value + a.value)) for m, b, a in points))


def disowned(ledger: Ledger, shard: str) -> str:
    """Return in what a shard's gauge of memory and what runs the shard differ; empty if in nothing known.

    Args:
        ledger: what was told once the load was over.
        shard: which.
    """
    gauge, held = ledger.gauges.get((MEMORY, shard, "")), ledger.held.get(shard)
    if gauge is None or held is None or abs(gauge - held) <= AGREE * held:
        return ""
    said = f"the gauge said {gauge / 1e6:.0f} MB, and the process held {held / 1e6:.0f} MB"
    return f"once the load was over {said}"


def descriptors(server: Server, shard: str) -> Series | NoValue:
    """Return how many descriptors a shard had open at each scrape, and :data:`CONNECTIONS` of fewer."""
    found = server.gauge(DESCRIPTORS, shard=shard)
    if isinstance(found, NoValue):
        return found
    points = tuple(Point(point.time, max(CONNECTIONS, point.value)) for point in found)
    return Series(f"clamp_min({found.query}, {CONNECTIONS})", points)
