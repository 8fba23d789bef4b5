"""aiokafka's clients hang, cancel themselves and fail half-way: none of it may reach who waits for them."""

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from engine.config import Config
from engine.kafka import KafkaBroker, patience
from engine.kafka.broker import connection_options
from engine.kafka.patience import let_go, within
from engine.kafka.retained import ends


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scenario()

    asyncio.run(bounded())


async def cancelled() -> None:
    """As aiokafka does when it closes: awaits what it has cancelled itself."""
    gone = asyncio.get_running_loop().create_future()
    gone.cancel()
    await gone


def test_who_waits_for_what_cancels_itself_is_not_cancelled() -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionError, match="closed meanwhile"):
            await within(1, cancelled())
        assert not await let_go(cancelled())

    run(scenario)


def test_who_waits_can_be_cancelled() -> None:
    async def scenario() -> None:
        for wait in (within(60, asyncio.Event().wait()), let_go(asyncio.sleep(60))):
            waiting = asyncio.ensure_future(wait)
            await asyncio.sleep(0)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    run(scenario)


def test_what_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "CLOSE_SECONDS", 0.01)

    async def scenario() -> None:
        with pytest.raises(TimeoutError):
            await within(0.01, asyncio.sleep(60))
        assert not await let_go(asyncio.sleep(60))
        assert await let_go(asyncio.sleep(0))

    run(scenario)


@pytest.fixture
def nowhere() -> Config:
    """A configuration with a broker's address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return Config.from_env({"KAFKA_BOOTSTRAP": f"127.0.0.1:{port}"})


def test_a_client_that_could_not_start_leaves_nothing_behind(nowhere: Config) -> None:
    complaints: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))
        with pytest.raises(KafkaConnectionError):
            await ends(connection_options(nowhere), [("orders", 0)])
        broker = KafkaBroker(nowhere)
        with pytest.raises(Exception, match=r"Unable to bootstrap .* ConnectionRefusedError"):
            await broker.connect()
        await broker.close()
        gc.collect()

    run(scenario)
    assert complaints == []
