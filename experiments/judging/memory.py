"""What memory a shard holds besides the orders that its load leaves in its book."""

from __future__ import annotations

from verdict_harness.samples import NoValue, Partial, Point, Series, Server

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
