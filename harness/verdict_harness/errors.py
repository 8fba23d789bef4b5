"""Every error the harness raises, in one tree.

::

    HarnessError
    ├── UsageError            the user's words or files are off
    ├── ProgramError          an external program could not be provided
    ├── CommandError          a program ran and failed
    ├── WaitTimeout           something awaited did not happen in time
    ├── ServiceDied           a process of the system ended that nobody had stopped
    │   └── InstrumentDied    it was none of the system's, but one that watches it or leads to it
    ├── ClusterError          a cluster will never run what it was given
    │   └── ImageError        an image of that is not there, and can't be had
    ├── Unsupported           the backend lacks a capability that was asked for
    ├── LoadError             k6 could not be run, or left nothing behind
    ├── FaultError            a fault could not be injected, did not bite, or did not heal
    ├── EvidenceError         evidence is missing, damaged, or could not be written
    └── Inconclusive          the evidence can't carry a verdict

    AssertionError
    └── CriterionFailed       a criterion was measured and not met

An error says what was expected, what was found, where, and what to do.
"""

from __future__ import annotations


class HarnessError(Exception):
    """The root: every error of the harness has this one shape.

    Args:
        what: one sentence that says what went wrong.
        expected: what should have been there.
        found: what was there instead.
        where: a path, URL, query or service name.
        todo: what the reader can do about it.

    >>> print(HarnessError("k6 is too old", expected="1.8 or later", found="0.49", todo="set K6"))
    k6 is too old
      expected: 1.8 or later
      found:    0.49
      to do:    set K6
    """

    def __init__(
        self, what: str, *, expected: str = "", found: str = "", where: str = "", todo: str = ""
    ) -> None:
        super().__init__(what)
        self.what = what
        self.expected = expected
        self.found = found
        self.where = where
        self.todo = todo

    def __str__(self) -> str:
        lines = [self.what]
        for label, text in (
            ("expected:", self.expected),
            ("found:", self.found),
            ("where:", self.where),
            ("to do:", self.todo),
        ):
            if text:
                first, *rest = text.splitlines()
                lines.append(f"  {label:<9} {first}")
                lines.extend(f"  {'':<9} {line}" for line in rest)
        return "\n".join(lines)


class UsageError(HarnessError):
    """The user's words or files are off."""


class ProgramError(HarnessError):
    """An external program could not be provided."""


class CommandError(HarnessError):
    """A program ran and failed."""


class WaitTimeout(HarnessError):  # noqa: N818 - a timeout is what its users look for
    """Something awaited did not happen in time."""


class ServiceDied(HarnessError):  # noqa: N818 - says what happened, as a timeout does
    """A process of the system ended that nobody had stopped."""


class InstrumentDied(ServiceDied):
    """What ended watches the system or leads to it: that is no doing of the system."""


class ClusterError(HarnessError):
    """A cluster will never run what it was given."""


class ImageError(ClusterError):
    """An image that a cluster was to run is not there, and can't be had."""


class Unsupported(HarnessError):  # noqa: N818 - the word the field uses
    """The backend lacks a capability that was asked for."""


class LoadError(HarnessError):
    """k6 could not be run, or left nothing behind."""


class FaultError(HarnessError):
    """A fault could not be injected, did not bite, or did not heal."""


class EvidenceError(HarnessError):
    """Evidence is missing, damaged, or could not be written."""


class Inconclusive(HarnessError):  # noqa: N818 - a verdict, not a fault of the program
    """The evidence can't carry a verdict."""


def named(error: BaseException) -> str:
    """Return an error of any kind as one text that begins with its kind.

    >>> named(ZeroDivisionError("division by zero")), named(KeyboardInterrupt())
    ('ZeroDivisionError: division by zero', 'KeyboardInterrupt')
    """
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class CriterionFailed(AssertionError):  # noqa: N818 - a verdict, not a fault of the program
    """A criterion was measured and not met."""
