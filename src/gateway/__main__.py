"""``python -m gateway``: the edge gateway as a process.

Exit status: 0 after SIGTERM or SIGINT, 1 if a port can't be had, 2 if the configuration is wrong.
"""

from __future__ import annotations

import contextlib
import logging
import os
import resource
import signal
import socket
import sys

from prometheus_client import disable_created_metrics, start_http_server
from pythonjsonlogger.json import JsonFormatter

from .api import create_app
from .config import Config, ConfigError, load
from .metrics import Metrics

_BACKLOG = 1024
_FILES = 65536  # one connection in and one out for each request in flight; the usual 1024 is soon used up
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
    _raise_file_limit()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the server has handlers of its own
    # A second series for each, which nobody reads.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    counts = Metrics(config.shards)
    try:
        listener = _listen(config)
    except OSError as error:
        return _no_port(config, "HTTP_PORT", config.http_port, error)
    with listener:
        try:
            exposition, _ = start_http_server(config.metrics_port, config.host, counts.registry)
        except OSError as error:
            return _no_port(config, "METRICS_PORT", config.metrics_port, error)
        _log.info(
            "gateway starts",
            extra={
                "http_port": config.http_port,
                "metrics_port": config.metrics_port,
                "shards": dict(config.shards),
            },
        )
        # Without Sanic's manager of workers: there is one process, and its signals are ours.
        create_app(config, counts).run(sock=listener, single_process=True, backlog=_BACKLOG)
        exposition.shutdown()
        exposition.server_close()
    _log.info("gateway stopped")
    return 0


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
    for name in ("sanic.root", "sanic.server", "sanic.error", "sanic.access"):
        logging.getLogger(name).setLevel(logging.WARNING)  # its start and stop are logged here, in our words


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):  # some systems say less than they mean
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _listen(config: Config) -> socket.socket:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    return socket.create_server((config.host, config.http_port), family=family, backlog=_BACKLOG)


def _no_port(config: Config, variable: str, port: int, error: OSError) -> int:
    _log.critical("%s: can't listen on %s port %d: %s", variable, config.host, port, error.strerror or error)
    return 1


if __name__ == "__main__":
    sys.exit(main())
