"""What follows from a load's raw samples: derived once when it was run, and again when it is judged later."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

from ..samples import Window
from ..systems import RAW
from .load import Load
from .raw import Raw, figures
from .reading import read


def derived(raw: Raw, window: Window) -> dict[str, Any]:
    """Return the fields of a :class:`Load` that raw samples and its window alone decide."""
    measured = raw.within(window)
    ids, repeated = raw.ids
    return {
        "requests": len(raw.requests),
        "measured": len(measured),
        "iterations": raw.iterations,
        "dropped": raw.dropped,
        "failed": raw.failed(window),
        "statuses": dict(Counter(str(request.status) for request in raw.requests)),
        "errors": dict(raw.errors.most_common()),
        # what was refused at once took no time, and would only flatter
        "percentiles": figures([one.duration for one in measured if one.status or one.duration > 0]),
        "begun": raw.by_second(),
        "succeeded": raw.by_second(succeeded=True),
        "ids": ids,
        "repeated": repeated,
    }


def again(directory: Path, load: Load) -> Load:
    """Return ``load`` as the raw samples in ``directory`` give it now."""
    raw = read(directory / RAW, load.tags, testid=load.testid, accepted=load.accepted)
    return dataclasses.replace(load, **derived(raw, load.window))
