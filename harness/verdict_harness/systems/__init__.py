"""What a system is, what a backend must do, the backends without a cluster, faults, brokers, Prometheus.

A ``Backend`` turns a ``System`` into a ``Deployment``; a ``Generator`` says where k6 runs beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from .address import Address, Login, login_of
from .generator import RAW, SUMMARY, WITNESS, Brief, Generator, Remains, Running
from .options import Options
from .system import (
    Backend,
    Capability,
    Chart,
    Command,
    Deployment,
    Endpoint,
    Image,
    Kubernetes,
    Place,
    Process,
    Service,
    System,
)

if TYPE_CHECKING:
    from . import chaos, kept
    from .brokers import kafka, live_brokers
    from .chaos import Fault
    from .clock import difference
    from .coverage import wait_until_covered
    from .external import ExternalBackend, prometheus_there
    from .local import LocalBackend
    from .past import check_past
    from .prometheus import forget, wait_until_measuring, wait_until_scraped
    from .ready import answers
    from .recorded import expressions, seconds
else:
    __getattr__ = _later.face(
        __name__,
        {
            "brokers": (
                "kafka",
                "live_brokers",
            ),
            "chaos": (
                "Fault",
                "chaos",
            ),
            "clock": ("difference",),
            "coverage": ("wait_until_covered",),
            "recorded": (
                "expressions",
                "seconds",
            ),
            "external": (
                "ExternalBackend",
                "prometheus_there",
            ),
            "kept": ("kept",),
            "local": ("LocalBackend",),
            "past": ("check_past",),
            "prometheus": (
                "expressions",
                "forget",
                "wait_until_measuring",
                "wait_until_scraped",
            ),
            "ready": ("answers",),
        },
    )

__all__ = [
    "RAW",
    "SUMMARY",
    "WITNESS",
    "Address",
    "Backend",
    "Brief",
    "Capability",
    "Chart",
    "Command",
    "Deployment",
    "Endpoint",
    "ExternalBackend",
    "Fault",
    "Generator",
    "Image",
    "Kubernetes",
    "LocalBackend",
    "Login",
    "Options",
    "Place",
    "Process",
    "Remains",
    "Running",
    "Service",
    "System",
    "answers",
    "chaos",
    "check_past",
    "difference",
    "expressions",
    "forget",
    "kafka",
    "kept",
    "live_brokers",
    "login_of",
    "prometheus_there",
    "seconds",
    "wait_until_covered",
    "wait_until_measuring",
    "wait_until_scraped",
]
