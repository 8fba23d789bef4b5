"""What a test or a fixture raised, as a finding: who it speaks of, the system or the test.

An assertion in the test itself says that something was measured and not met. One that comes out of
a library says that the library broke, and nothing of the system; so does whatever else is raised.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ..errors import CriterionFailed, HarnessError, named
from ..record import full
from ..verdicts import Judge, Verdict, without_value

#: pytest's own words for a test that nothing ran.
_NEVER_RAN = "async def functions are not natively supported"


def absorb(judge: Judge, call: pytest.CallInfo[None], test: Path) -> None:
    """Make a finding of what a fixture or a test raised.

    Args:
        judge: that of the criterion.
        call: what pytest knows of it.
        test: the test's own file.
    """
    assert call.excinfo is not None  # noqa: S101 - for the type checker
    error = call.excinfo.value
    if isinstance(error, pytest.skip.Exception):
        judge.demote(f"not measured: skipped: {error.msg}")
    elif isinstance(error, pytest.xfail.Exception):
        if call.when == "call":
            judge.record(without_value(Verdict.FAIL, f"expected to fail: {error.msg}"))
        else:
            judge.demote(f"not measured: xfail: {error.msg}")
    elif isinstance(error, HarnessError):
        judge.demote(str(error))
    elif no_room(error):
        judge.demote(f"the disk is full: {error}")
    elif call.when == "setup":
        judge.demote(f"a fixture broke: {named(error)}")
    else:
        _absorb_from_test(judge, call.excinfo, test)


def no_room(error: BaseException | None) -> bool:
    """Say whether it is the disk that is full, and nothing else that broke."""
    return isinstance(error, OSError) and full(error)


def _absorb_from_test(judge: Judge, raised: pytest.ExceptionInfo[BaseException], test: Path) -> None:
    error = raised.value
    if isinstance(error, pytest.fail.Exception):
        said = str(error.msg)
        if "pytest-timeout" in said:
            judge.demote(f"the test ran out of time: {said}")
        elif said.startswith(_NEVER_RAN):
            judge.demote("the test never ran: it is an async def, and no plugin is there that runs those")
        else:
            judge.record(without_value(Verdict.FAIL, said or "the test failed"))
    elif isinstance(error, CriterionFailed):
        judge.record(without_value(Verdict.FAIL, str(error).strip() or "an assertion failed"))
    elif not isinstance(error, AssertionError):
        judge.demote(f"the test broke: {named(error)}")
    elif (where := _asserted_in(raised)) in {test, *_beside(test)}:
        judge.record(without_value(Verdict.FAIL, str(error).strip() or "an assertion failed"))
    else:
        judge.demote(f"an assertion failed in {where}, which is not the test's own file: {named(error)}")


def _asserted_in(raised: pytest.ExceptionInfo[BaseException]) -> Path:
    """Return the file of the innermost frame that does not hide itself, as helpers that assert do."""
    entries = [
        entry
        for entry in raised.traceback
        if not entry.ishidden(raised) and "__unittest" not in entry.frame.f_globals
    ]
    return Path(entries[-1].path if entries else raised.traceback[-1].path)


def _beside(test: Path) -> list[Path]:
    """Return where a conftest.py of the test may be."""
    return [parent / "conftest.py" for parent in test.parents]
