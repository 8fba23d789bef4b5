"""Faults that heal, and that prove from another source than themselves that they bit.

A fault that did nothing makes every criterion about it pass.  So injecting one
is over only when the service was seen not to answer, by asking it as any client
would; and healing is over only when it was seen to answer again::

    with chaos.pause(deployment, "redpanda"):
        ...                                     # it does not answer in here

    fault = chaos.pause(deployment, "redpanda")
    with fault.armed():                         # whatever happens, it heals
        k6.run_load(..., actions=fault.schedule(after=60, lasting=120))
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType
from typing import Any, Self

from ..errors import FaultError, HarnessError, WaitTimeout
from ..processes import Pending, until
from .ready import answers
from .system import Deployment

_PROOF_TIMEOUT = 10.0  # seconds for a fault to bite
_SILENT_LOOKS = 2  # looks in a row that must find no answer: one may be an accident
_HEAL_TIMEOUT = 60.0
_LOOK_TIMEOUT = 1.0

Proof = Callable[[], bool]


class Fault:
    """One fault on one service. A context manager: within, it is on.

    Args:
        deployment: where the service runs.
        service: its name.
        what: the fault in one word, for messages and the record.
        inflict: makes it happen, and returns by which means, such as ``"paused by SIGSTOP to web"``.
        undo: ends it; harmless if nothing happened.
        bites: raises :class:`~..processes.Pending` as long as the fault can't be seen from outside;
            ``None`` for the usual proof, that the service does not answer.
    """

    def __init__(  # noqa: PLR0913 - a fault is made by the functions below
        self,
        deployment: Deployment,
        service: str,
        *,
        what: str,
        inflict: Callable[[str], str],
        undo: Callable[[str], None],
        bites: Proof | None = None,
    ) -> None:
        self._deployment = deployment
        self._service = service
        self._what = what
        self._inflict = inflict
        self._undo = undo
        self._bites = bites or self._is_silent
        self._on = False
        self._silent = 0
        self._record: dict[str, Any] = {"fault": what, "service": service}

    @property
    def on(self) -> bool:
        """Whether it was injected and not healed yet."""
        return self._on

    def to_json(self) -> dict[str, Any]:
        """Return by which means it was made, and what happened when, in unix seconds.

        ``means``; ``injected``, when it was made (to end what runs in order takes seconds), ``bit``;
        ``healing``, when its end began, ``healed``, when that was done (to start what was ended takes
        seconds), ``answered``.
        """
        return dict(self._record)

    def inject(self) -> None:
        """Make it happen, and return once it was seen to bite.

        Raises:
            FaultError: it is on already, could not be made to happen, or did not bite.
        """
        if self._on:
            raise FaultError(f"{self._service} has this fault already", found=self._what)
        self._look_for_an_answer()
        self._on = True  # before, not after: an interrupt in between must still heal
        self._silent = 0
        try:
            self._record["means"] = self._inflict(self._service)
        except HarnessError as error:
            raise FaultError(f"could not {self._what} {self._service}", found=str(error)) from error
        self._record["injected"] = time.time()
        try:
            until(f"the {self._what} of {self._service} to bite", self._bites, timeout=_PROOF_TIMEOUT)
        except WaitTimeout as error:
            raise FaultError(
                f"the {self._what} of {self._service} did not bite",
                expected="no answer from it",
                found=error.found,
                todo="nothing that was measured meanwhile says anything about the fault",
            ) from error
        self._record["bit"] = time.time()

    def heal(self) -> None:
        """End it, and return once the service answers again; harmless if it is not on.

        Raises:
            FaultError: it could not be ended, or the service does not answer.
        """
        if not self._on:
            return
        self._record["healing"] = time.time()
        try:
            self._undo(self._service)
            self._record["healed"] = time.time()
            until(f"{self._service} to answer again", self._answers, timeout=_HEAL_TIMEOUT)
        except HarnessError as error:
            raise FaultError(
                f"the {self._what} of {self._service} did not heal",
                expected="an answer from it",
                found=str(error),
            ) from error
        self._on = False
        self._record["answered"] = time.time()

    def schedule(self, *, after: float, lasting: float) -> tuple[tuple[float, Callable[[], None]], ...]:
        """Return the fault as actions of a load: on ``after`` seconds, healed when it has lasted ``lasting``.

        To inject it may take seconds; it lasts no shorter for that, and is healed so much later.
        """

        def heal() -> None:
            if self._on:
                time.sleep(max(0.0, self._record.get("injected", 0.0) + lasting - time.time()))
            self.heal()

        return (after, self.inject), (after + lasting, heal)

    @contextmanager
    def armed(self) -> Iterator[Self]:
        """Heal at the end, whatever happens, if it is on then."""
        try:
            yield self
        except BaseException as error:
            self._heal_after(error)
            raise
        self.heal()

    def __enter__(self) -> Self:
        try:
            self.inject()
        except BaseException as error:
            self._heal_after(error)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.heal()
        else:
            self._heal_after(error)

    def _heal_after(self, error: BaseException) -> None:
        """Heal without hiding what went wrong first."""
        try:
            self.heal()
        except HarnessError as problem:
            error.add_note(f"and afterwards: {problem}")

    def _answers(self) -> bool:
        service = self._deployment.system.service(self._service)
        return answers(service, partial(self._deployment.endpoint, self._service), _LOOK_TIMEOUT)

    def _look_for_an_answer(self) -> None:
        try:
            self._answers()
        except Pending as pending:
            raise FaultError(
                f"{self._service} did not answer before the {self._what}, so it would prove nothing",
                expected="a healthy service",
                found=pending.seen,
            ) from None

    def _is_silent(self) -> bool:
        try:
            self._answers()
        except Pending:
            self._silent += 1
        else:
            self._silent = 0
            raise Pending("it still answers")
        if self._silent < _SILENT_LOOKS:
            raise Pending("no answer")
        return True


def pause(deployment: Deployment, service: str, *, bites: Proof | None = None) -> Fault:
    """Take a service away for a while: frozen where that can be done, and else ended in order.

    Args:
        deployment: where it runs; of a backend with ``Capability.PAUSE``.
        service: its name.
        bites: other proof than its silence.
    """
    return Fault(
        deployment, service, what="pause", inflict=deployment.pause, undo=deployment.resume, bites=bites
    )


def kill(deployment: Deployment, service: str, *, bites: Proof | None = None) -> Fault:
    """End a service at once, without a chance to clean up; healing starts it again where it was.

    Args:
        deployment: where it runs; of a backend with ``Capability.KILL``.
        service: its name.
        bites: other proof than its silence.
    """
    return Fault(
        deployment, service, what="kill", inflict=deployment.kill, undo=deployment.start, bites=bites
    )
