"""``python -m gateway``: the edge gateway as a process.

Exit status: 0 after SIGTERM or SIGINT, 1 if a port can't be had, 2 if the configuration is wrong.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys

import uvloop
from prometheus_client import disable_created_metrics
from pythonjsonlogger.json import JsonFormatter

from wire import Exposition, ListenError, Server, bind, listen, raise_file_limit

from .api import Gateway, health, log_summary, summaries
from .client import REQUEST_TIMEOUT, ShardClient
from .config import Config, ConfigError, load
from .metrics import Metrics
from .routing import Router

_log = logging.getLogger("gateway")


def main() -> int:
    """Run until a signal says to stop; return the exit status."""
    try:
        config = load(os.environ)
    except ConfigError as error:
        for problem in error.problems:
            print(f"gateway: {problem}", file=sys.stderr)  # noqa: T201 - there is no log yet
        return 2
    _log_json()
    raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the loop has handlers of its own
    # A second series for each, which nobody reads.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    counts = Metrics(config.shards)
    try:
        with (
            bind(config.host, config.http_port, "HTTP_PORT") as sock,
            bind(config.host, config.metrics_port, "METRICS_PORT") as metrics_sock,
        ):
            listen(sock, "HTTP_PORT")
            listen(metrics_sock, "METRICS_PORT")
            with Exposition(counts.registry, metrics_sock, health) as exposition:
                counts.expositions(exposition.answers)
                with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                    runner.run(_serve(config, counts, sock))
    except ListenError as error:
        _log.critical("%s", error)
        return 1
    _log.info("gateway stopped")
    return 0


async def _serve(config: Config, counts: Metrics, sock: socket.socket) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with ShardClient(config.shards) as client:
        server = Server(Gateway(Router(config.symbols, config.shards, client, counts), counts))
        counts.connections(lambda: server.connections)
        summary = asyncio.create_task(summaries(counts))
        gc.collect()
        gc.freeze()  # what is here now stays: no collection needs to walk it again
        await server.start(sock)
        _log.info(
            "gateway starts",
            extra={
                "http_port": config.http_port,
                "metrics_port": config.metrics_port,
                "shards": dict(config.shards),
            },
        )
        await stop.wait()
        # A request in flight ends within its time limit; nothing has to be waited for longer than that.
        await server.stop(REQUEST_TIMEOUT + 1)
        summary.cancel()
    log_summary(counts)


def _log_json() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
            static_fields={"component": "edge-gateway"},
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
