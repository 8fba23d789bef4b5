"""The exchange's planted defects: what a gate that judges it has to notice, by ``nox -s sensitivity``.

Each is planted alone, in a copy of the project.  Which criteria have to turn was worked out from what they
say, and not from what they were seen to do.
"""

from __future__ import annotations

from . import (
    engine_latency,
    engine_log_and_events,
    engine_matching,
    engine_metrics,
    engine_orders,
    engine_resources,
    gateway,
    generator,
    instrument,
    people,
    shared,
    surroundings,
)

__all__ = ["DEFECTS"]

#: All of them, by kind.
DEFECTS = (
    *engine_latency.DEFECTS,
    *engine_orders.DEFECTS,
    *engine_matching.DEFECTS,
    *engine_log_and_events.DEFECTS,
    *engine_metrics.DEFECTS,
    *engine_resources.DEFECTS,
    *gateway.DEFECTS,
    *shared.DEFECTS,
    *generator.DEFECTS,
    *instrument.DEFECTS,
    *surroundings.DEFECTS,
    *people.DEFECTS,
)
