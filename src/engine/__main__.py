"""``python -m engine``: configuration, recovery, then one event loop until SIGTERM.

Exit status: 0 after a stop that was asked for, 1 after a failure, 2 for
mistakes in the configuration.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from contextlib import ExitStack
from types import FrameType
from typing import Any

from sanic import Sanic
from sanic.config import Config as SanicConfig

from . import logs
from .config import Config
from .errors import ConfigError, EngineError
from .http import Connection, abort_all, bind, close_idle, create_app, listen, serve_metrics
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
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        return _run(config)
    except EngineError as error:
        log.critical("%s", error)
        return 1


def _run(config: Config) -> int:
    with ExitStack() as stack:
        sock = stack.enter_context(bind(config.host, config.http_port))
        wal = Wal.open(config.wal_path, config.shard_id, config.wal_size_mb, config.wal_sync_ms / 1000)
        stack.callback(wal.close)
        shard = Shard(config, wal, KafkaBroker(config))
        metrics_port = serve_metrics(shard.metrics.registry, config.host, config.metrics_port, stack)
        shard.recover()
        listen(sock)
        app = create_app(shard)
        _Lifecycle(app, shard).attach(
            {"http_port": sock.getsockname()[1], "metrics_port": metrics_port, "pid": os.getpid()}
        )
        # In this process and this thread: Sanic's own manager would kill a server that is slow to start.
        app.run(
            sock=sock,
            protocol=Connection,
            single_process=True,
            motd=False,
            access_log=False,
            register_sys_signals=False,
        )
        if shard.failure is not None:
            log.critical("stopped after a failure", extra={"reason": shard.failure})
            return 1
        return 0


class _Lifecycle:
    """Starts and stops the shard with the server, in the order that loses nothing."""

    def __init__(self, app: Sanic[SanicConfig, Any], shard: Shard) -> None:
        self._app = app
        self._shard = shard
        self._stopping: asyncio.Task[None] | None = None

    def attach(self, facts: dict[str, object]) -> None:
        """Hook into ``app``; ``facts`` are logged once it serves."""

        async def after_start(_app: object) -> None:
            loop = asyncio.get_running_loop()
            # Sanic ignores both signals until now, so nobody may be told before this that the engine is up.
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._stop)
            self._shard.on_failure = self._stop
            self._shard.start()
            log.info("serving", extra={"symbols": self._shard.config.symbols, **facts})

        self._app.after_server_start(after_start)

    def _stop(self) -> None:
        if self._stopping is None:
            log.info("stopping")
            self._stopping = asyncio.create_task(self._finish(), name="stop")

    async def _finish(self) -> None:
        try:
            await self._shard.stop()
        except Exception:
            log.exception("the stop failed")
            self._shard.failure = self._shard.failure or "the stop failed"
        # From Python 3.12 on the server waits for every open connection, and clients keep theirs for minutes.
        self._app.config.KEEP_ALIVE = False
        loop = asyncio.get_running_loop()
        close_idle()
        loop.call_later(_CLOSE_SECONDS, abort_all)
        self._app.stop(terminate=False)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
