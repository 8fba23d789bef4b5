"""Structured logs: one JSON object a line, on standard error."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

_OTHERS = {
    "asyncio": logging.WARNING,
    "aiokafka": logging.WARNING,
}


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
    # aiokafka repeats each failed attempt several times a second.
    for name, least in _OTHERS.items():
        logging.getLogger(name).setLevel(logging.NOTSET if level == "DEBUG" else least)
    aiokafka = logging.getLogger("aiokafka")
    aiokafka.propagate = level == "DEBUG"
    aiokafka.addHandler(logging.NullHandler())  # without any handler Python itself would print them
    # It would log every request that it sends, and the one that authenticates holds the password.
    logging.getLogger("aiokafka.conn").setLevel(logging.INFO if level == "DEBUG" else logging.NOTSET)
