"""What one load was, in a form that evidence can hold."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from ..errors import EvidenceError
from ..samples import Trouble, Window
from .arrivals import Arrivals, Ramp


@dataclass(frozen=True, slots=True)
class Load:
    """A load that was run, as its raw samples tell it.

    Unless said otherwise, requests are those of the load itself: set-up and
    tear-down are left out, and so is what lacks the tags that were asked for.

    Attributes:
        name: short, unique in a run.
        testid: the tag ``testid`` that every sample of it carries, in Prometheus too.
        script: the k6 script.
        started: unix seconds when k6 was started.
        ended: unix seconds when k6 had ended.
        window: the judged part: from its first request to its last answer, less the settling time.
        requests: how many were made in the whole load.
        measured: how many of them ended within the window.
        offered: iterations that were planned; ``None`` if nobody said.
        iterations: iterations that were completed.
        dropped: iterations that k6 could not even begin, for want of a free virtual user.
        failed: share of the requests in the window that failed, 0 to 1; NaN if there were none.
        statuses: requests by HTTP status; ``"0"`` for those that were not answered.
        errors: requests by k6's word for what went wrong with them.
        percentiles: exact figures of ``http_req_duration`` in the window, in ms, by k6's names:
            ``min avg med p(90) p(95) p(99) p(99.9) max``; empty if nothing was measured. Requests that
            never reached the server (refused at once, so 0 ms) are not among them.
        begun: requests that began in each second of the load.
        succeeded: those of them that succeeded in the end.
        ids: how many requests carried an id (k6's metadata ``id``, which scripts may set).
        repeated: how many of these an id that an earlier one had carried.
        exit_status: of k6; minus the signal's number if one ended it.
        ahead: by how many seconds the clock where k6 ran was ahead of the harness's; 0 where no difference
            could be seen. Its raw samples, and so ``window``, are by that clock.
        trouble: every reason to conclude less from this load than its numbers say, most telling first.
        arrivals: when each order was due; ``None`` if nobody said.
        tags: of the requests that are the load itself.
        accepted: the metric by which the script says that an order was accepted; empty if it says nothing.
        died: which service died, so that the load was ended; empty if none did.
        died_at: unix seconds when that was seen, by the clock where k6 ran; ``None`` if none did.
        full: whether k6 had as many virtual users as it may when an order found none free.
        began: unix seconds when the load began, by the clock where k6 ran; ``None`` in an older record, whose
            window says it unless the load had ended before it was to be judged.
        unpushed: why what Prometheus has of k6's samples is not whole; empty if it is.
    """

    name: str
    testid: str
    script: str
    started: float
    ended: float
    window: Window
    requests: int
    measured: int
    offered: int | None
    iterations: int
    dropped: int
    failed: float
    statuses: Mapping[str, int] = field(default_factory=dict)
    errors: Mapping[str, int] = field(default_factory=dict)
    percentiles: Mapping[str, float] = field(default_factory=dict)
    begun: tuple[int, ...] = ()
    succeeded: tuple[int, ...] = ()
    ids: int = 0
    repeated: int = 0
    exit_status: int | None = None
    ahead: float = 0.0
    trouble: tuple[Trouble, ...] = ()
    arrivals: Arrivals | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    accepted: str = ""
    died: str = ""
    died_at: float | None = None
    full: bool = False
    unpushed: str = ""
    began: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; :meth:`from_json` undoes this."""
        content = asdict(self)
        content["failed"] = None if math.isnan(self.failed) else self.failed
        if self.began is None:  # an older record is read back as it was written
            del content["began"]
        return content

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read it back.

        Raises:
            EvidenceError: ``content`` is not what :meth:`to_json` returned.
        """
        try:
            fields = dict(content)
            fields["window"] = Window(**fields["window"])
            fields["failed"] = math.nan if fields["failed"] is None else fields["failed"]
            for several in ("begun", "succeeded"):
                fields[several] = tuple(fields[several])
            fields["trouble"] = tuple(Trouble.from_json(one) for one in fields["trouble"])
            if given := fields["arrivals"]:
                ramps = tuple(Ramp(**ramp) for ramp in given["ramps"])
                fields["arrivals"] = Arrivals(ramps, ramping=given["ramping"])
            return cls(**fields)
        except (KeyError, TypeError, ValueError) as error:
            raise EvidenceError(
                "a recorded load can't be read", expected="what Load.to_json returns", found=repr(error)
            ) from error
