"""What a system is, what a backend must do, the backends without a cluster, faults, brokers, Prometheus.

A ``Backend`` turns a ``System`` into a ``Deployment``; a ``Generator`` says where k6 runs beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import _later
from .generator import RAW, SUMMARY, Brief, Generator, Remains, Running
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
    from . import chaos
    from .brokers import kafka, live_brokers
    from .chaos import Fault
    from .clock import difference
    from .external import ExternalBackend
    from .local import LocalBackend
    from .prometheus import forget, wait_until_measuring
    from .ready import answers
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
            "external": ("ExternalBackend",),
            "local": ("LocalBackend",),
            "prometheus": (
                "forget",
                "wait_until_measuring",
            ),
            "ready": ("answers",),
        },
    )

__all__ = [
    "RAW",
    "SUMMARY",
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
    "Options",
    "Place",
    "Process",
    "Remains",
    "Running",
    "Service",
    "System",
    "answers",
    "chaos",
    "difference",
    "forget",
    "kafka",
    "live_brokers",
    "wait_until_measuring",
]
