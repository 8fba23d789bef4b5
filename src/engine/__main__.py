"""``python -m engine``: configuration, recovery, then one event loop until SIGTERM.

Exit status: 0 after a stop that was asked for, 1 after a failure, 2 for
mistakes in the configuration.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from contextlib import ExitStack
from types import FrameType

import uvloop

from wire import Exposition, Server, raise_file_limit

from . import logs
from .config import Config
from .errors import ConfigError, EngineError
from .http import Api, bind, listen
from .kafka import KafkaBroker
from .log import Wal
from .shard import Shard

log = logging.getLogger("engine")

_SWITCH_SECONDS = 0.0005  # the scrape's thread gives the interpreter back after this, not after 5 ms
_CLOSE_SECONDS = 1.0


def main() -> int:
    """Run the engine; return its exit status."""
    logs.configure("INFO", os.environ.get("SHARD_ID", "a"))
    try:
        config = Config.from_env(os.environ)
    except ConfigError as error:
        for mistake in error.mistakes:
            log.critical("configuration: %s", mistake)
        return 2
    logs.configure(config.log_level, config.shard_id)
    # Until the loop has its own handlers: a stop during a long replay loses nothing and is no failure.
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    raise_file_limit()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        return _run(config)
    except EngineError as error:
        log.critical("%s", error)
        return 1


def _run(config: Config) -> int:
    with ExitStack() as stack:
        sock = stack.enter_context(bind(config.host, config.http_port, "HTTP_PORT"))
        metrics_sock = stack.enter_context(bind(config.host, config.metrics_port, "METRICS_PORT"))
        wal = Wal.open(config.wal_path, config.shard_id, config.wal_size_mb, config.wal_sync_ms / 1000)
        stack.callback(wal.close)
        shard = Shard(config, wal, KafkaBroker(config))
        api = Api(shard)
        metrics_port = listen(metrics_sock, "METRICS_PORT")
        exposition = stack.enter_context(Exposition(shard.metrics.registry, metrics_sock, api.health))
        shard.recover()
        facts = {"http_port": listen(sock, "HTTP_PORT"), "metrics_port": metrics_port, "pid": os.getpid()}
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        runner.run(_serve(shard, api, exposition, sock, facts))
        if shard.failure is not None:
            log.critical("stopped after a failure", extra={"reason": shard.failure})
            return 1
        return 0


async def _serve(
    shard: Shard, api: Api, exposition: Exposition, sock: socket.socket, facts: dict[str, int]
) -> None:
    """Serve until a signal or a failure, and stop in the order that loses nothing."""
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    shard.on_failure = stop.set
    server = Server(api)
    api.expose(lambda: server.connections, exposition.answers)
    shard.start()
    await server.start(sock)
    log.info("serving", extra={"symbols": shard.config.symbols, **facts})
    await stop.wait()
    log.info("stopping")
    try:
        await shard.stop()
    except Exception:
        log.exception("the stop failed")
        shard.failure = shard.failure or "the stop failed"
    # Clients keep idle connections for minutes; what is under way ends with its answer.
    await server.stop(_CLOSE_SECONDS)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
