"""Structured logs: one JSON object a line, on standard error."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def configure(level: str, shard: str) -> None:
    """Send every log of this process to standard error as JSON, each line with the shard."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            static_fields={"shard": shard},
            datefmt="%Y-%m-%dT%H:%M:%S%z",
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(capture=True)
    # At DEBUG it would log every request that it sends, and the one that authenticates holds the password.
    logging.getLogger("aiokafka.conn").setLevel(logging.INFO)
    # Sanic says what we say ourselves; aiokafka repeats each failed attempt several times a second.
    if level != "DEBUG":
        logging.getLogger("sanic.root").setLevel(logging.WARNING)
        logging.getLogger("sanic.server").setLevel(logging.WARNING)
        logging.getLogger("aiokafka").setLevel(logging.ERROR)
        logging.getLogger("aiokafka").propagate = False
        logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # or Python itself would print it
        logging.getLogger("asyncio").setLevel(logging.WARNING)
