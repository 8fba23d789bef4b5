"""What the engine's unit tests share: small ways to make an order, a configuration, a shard."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.config import Config
from engine.events import Event, Mark, Marks, Place, Told
from engine.log import Wal
from engine.orders import Order
from engine.shard import Shard


def make_order(
    price: int | None, quantity: int = 1, *, buy: bool = True, symbol: str = "X", **more: Any
) -> Order:
    """``price`` None makes a market order."""
    order_id = more.pop("order_id", "id")
    return Order(order_id, symbol, buy, price is None, price or 0, quantity, **more)


class FakeBroker:
    """A broker in memory that can refuse to connect, fail half-way through a batch, hang, or lose its disk.

    It has one partition for each topic.
    """

    def __init__(self) -> None:
        self.received: list[Event] = []
        self.refuse_connections = 0
        self.fail_sends = 0
        self.open = asyncio.Event()
        self.open.set()
        self.connections = 0
        self.connected = False
        self.throttled = self.throttled_until = 0.0
        self.expired = 0

    async def connect(self) -> None:
        assert not self.connected, "a broken connection must be closed before the next"
        self.connections += 1
        if self.refuse_connections:
            self.refuse_connections -= 1
            raise OSError("no broker here")
        self.connected = True

    def lose_disk(self) -> None:
        self.received.clear()

    def offsets(self, topic: str) -> list[int]:
        return [event.sequence for event in self.received if event.topic == topic]

    async def retains(self, marks: Marks) -> bool:
        assert self.connected
        assert all(len(mark.log) == 32 for _, mark in marks.items())
        return all(
            self.offsets(topic)[mark.offset : mark.offset + 1] == [mark.sequence]
            for (topic, _), mark in marks.items()
        )

    async def told(self, marks: Marks, keys: Iterable[bytes]) -> AsyncIterator[Told]:
        behind = {place: mark.offset for place, mark in marks.items()}
        orders = [event for event in self.received if event.topic == "orders"]
        for event in orders[behind.get(("orders", 0), -1) + 1 :]:
            assert event.key in keys
            yield Told(event.log, event.sequence, ("orders", 0))

    async def send(self, batch: Sequence[Event]) -> Mapping[Place, Mark]:
        await self.open.wait()
        if self.fail_sends:
            self.fail_sends -= 1
            self.received.extend(batch[: len(batch) // 2])
            raise OSError("the connection broke")
        self.received.extend(batch)
        return {
            (event.topic, 0): Mark(len(self.offsets(event.topic)) - 1, event.sequence, event.log)
            for event in batch
        }

    async def close(self) -> None:
        self.connected = False


@pytest.fixture
def order() -> Callable[..., Order]:
    return make_order


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Config]:
    def make(**more: Any) -> Config:
        env = {"SHARD_SYMBOLS": "X,Y", "WAL_PATH": str(tmp_path / "wal"), "WAL_SIZE_MB": "1"}
        return Config.from_env({**env, **{key: str(value) for key, value in more.items()}})

    return make


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


@pytest.fixture
def shard(config: Callable[..., Config], broker: FakeBroker) -> Iterator[Callable[..., Shard]]:
    """Make a recovered shard on the test's log; the one before it is closed, as a restart would."""
    wals: list[Wal] = []

    def make(**more: Any) -> Shard:
        for wal in wals:
            wal.close()
        wals.clear()
        told = config(**more)
        wal = Wal.open(told.wal_path, told.shard_id, told.wal_size_mb, 0.001)
        wals.append(wal)
        made = Shard(told, wal, broker)
        made.recover()
        return made

    yield make
    for wal in wals:
        wal.close()
