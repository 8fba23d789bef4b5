"""What a person sees while a load runs: how long still, and how it goes. It can never fail the load."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from ..figures import duration
from ..processes import Answer, Pending, ask, progress, web

_INTERVAL = 1.0
_FIGURES_INTERVAL = 2.0
_TIMEOUT = 1.5
_LEAST, _MOST = 5.0, 15.0  # seconds that figures are about; of less k6 may have handed over one sample only


class Live:
    """Shows a status line from a thread of its own; a context manager.

    Args:
        name: of the load.
        seconds: how long it will take, set-up not counted.
        begun: returns for how many seconds it has been on, ``None`` while it is being set up.
        prometheus: base URL of where k6's samples go.
        testid: their tag.
        tags: of the requests that are the load itself.
    """

    def __init__(  # noqa: PLR0913 - what is shown has as many parts
        self,
        *,
        name: str,
        seconds: float,
        begun: Callable[[], float | None],
        prometheus: str,
        testid: str,
        tags: Mapping[str, str],
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._begun = begun
        self._prometheus = prometheus
        self._selector = ",".join(f'{key}="{value}"' for key, value in {"testid": testid, **tags}.items())
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True, name=f"progress of {name}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(3 * _TIMEOUT * 2)
        progress.done()

    def _show(self) -> None:
        started = asked = time.monotonic()
        figures = ""
        # whatever Prometheus answers, or does not: only the line suffers
        with suppress(Exception), self._client() as client:
            while not self._end.wait(_INTERVAL):
                begun = self._begun()
                if begun is None:
                    on = duration(time.monotonic() - started)
                    progress.status(f"{self._name}: setting up, {on}")
                    continue
                if time.monotonic() - asked >= _FIGURES_INTERVAL and begun >= _LEAST:
                    asked = time.monotonic()
                    # no more than the load's own time: it would be averaged with the silence before
                    figures = self._figures(client, f"{min(begun, _MOST):.0f}s")
                left = max(0.0, self._seconds - begun)
                went, to_go = duration(begun), duration(left)
                progress.status(f"{self._name}: {went}, {to_go} to go{figures}")

    def _client(self) -> web.Client:
        return web.client(self._prometheus, timeout=_TIMEOUT)

    def _figures(self, client: web.Client, range_: str) -> str:
        every = f"k6_http_reqs_total{{{self._selector}}}"
        bad = f'k6_http_reqs_total{{{self._selector},expected_response="false"}}'
        spent = f"k6_http_req_duration_seconds{{{self._selector}}}"
        rate = _value(client, f"sum(rate({every}[{range_}]))")
        if rate is None:
            return ""
        p99 = _value(client, f"histogram_quantile(0.99, sum(rate({spent}[{range_}])))")
        errors = _value(client, f"sum(rate({bad}[{range_}])) / sum(rate({every}[{range_}]))")
        shown = "" if p99 is None else f", p99 {p99 * 1000:.1f} ms"
        return f" | {rate:.1f} requests/s{shown}, errors {errors or 0:.1%}"


def _value(client: web.Client, query: str) -> float | None:
    try:
        value = ask("/api/v1/query", _number, params={"query": query}, timeout=_TIMEOUT, client=client)
    except Pending:
        return None
    return value if math.isfinite(value) else None


def _number(answer: Answer) -> float:
    return float(answer.json()["data"]["result"][0]["value"][1])
