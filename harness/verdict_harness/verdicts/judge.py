"""What a test of a criterion judges with, and what keeps a finding honest.

The pytest fixture ``judge`` hands out a :class:`Judge`; nothing here knows pytest.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, cast

from ..samples import Doubt, Sample, Trouble
from .expectation import Expectation, together
from .finding import Finding
from .verdict import Verdict


class Carrier(Protocol):
    """Something that a judgement rests on, such as a load: it knows why it can't carry a verdict.

    If it has a ``name``, its reasons are told under that; if it has files of ``evidence``, relative to
    the run's folder, they are named beside the verdict; if it has ``figures``
    (:class:`~verdict_harness.loads.Figures`), the report shows them.
    """

    @property
    def trouble(self) -> Sequence[Trouble | str]:
        """Every reason why less may be concluded from it than its numbers say; empty if there is none.

        A mere text stands for trouble against any conclusion.
        """


def carriers(values: Iterable[object]) -> tuple[Carrier, ...]:
    """Return whatever among ``values`` can be in trouble, also inside of a list, tuple or mapping.

    >>> class Load:
    ...     trouble = ("it broke off",)
    >>> len(carriers([Load(), {"shallow": Load(), "deep": Load()}, [], 3]))
    3
    """
    parts: list[object] = []
    for value in values:
        parts.append(value)
        if isinstance(value, Mapping):
            parts += value.values()
        elif isinstance(value, list | tuple):
            parts += value
    # a mock would have any attribute, but this one would be no sequence
    found = [part for part in parts if isinstance(getattr(part, "trouble", None), Sequence)]
    return _distinct(cast("list[Carrier]", found))


def _distinct(loads: Iterable[Carrier]) -> tuple[Carrier, ...]:
    return tuple({id(load): load for load in loads}.values())


@dataclasses.dataclass(frozen=True, slots=True)
class Exhibit:
    """A sample as it was judged, kept so that the report can draw it.

    Attributes:
        label: which of several samples; empty if there was one.
        sample: what was judged.
        expectation: what it was judged by.
        loads: what it rests on.
    """

    label: str
    sample: Sample
    expectation: Expectation
    loads: tuple[Carrier, ...]


class Mark(NamedTuple):
    """A point of a drawing.

    Attributes:
        series: which of several.
        x: along.
        y: up; infinite where nothing bounds it.
        good: whether it was met; what was not is drawn hollow.
    """

    series: str
    x: float
    y: float
    good: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Listing:
    """Rows, and a drawing of them, that the report shows with a criterion; nothing is judged by it.

    Attributes:
        title: what it lists.
        columns: their heads.
        rows: a text for each column.
        across: what is drawn along, with its unit.
        up: what is drawn upwards, with its unit.
        marks: what is drawn; nothing if there are none.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    across: str = ""
    up: str = ""
    marks: tuple[Mark, ...] = ()


class Judge:
    """Collects the findings of one criterion.

    Calling it never raises for a limit that was missed: a test may judge several
    samples, and the worst finding speaks for the criterion when the test ends.

    Attributes:
        loads: what all of its findings rest on, those made before it was set too. The plugin sets it to
            the loads among the test's fixtures and theirs, so that no test has to remember to name one.
        exhibits: every sample as it was judged.
        listings: what else the report is to show.
    """

    def __init__(self) -> None:
        self.loads: tuple[Carrier, ...] = ()
        self.exhibits: list[Exhibit] = []
        self.listings: list[Listing] = []
        self._found: list[tuple[Finding, tuple[Carrier, ...]]] = []

    @property
    def findings(self) -> list[Finding]:
        """What was found, in order; with less concluded where a load that it rests on is in trouble."""
        return [self._resting(*found) for found in self._found]

    def __call__(
        self,
        sample: Sample | Mapping[str, Sample],
        expectation: Expectation,
        *,
        load: Carrier | Iterable[Carrier] = (),
    ) -> Finding:
        """Judge ``sample`` by ``expectation``, and record and return what is found.

        Args:
            sample: a sample, or several by name that each have to meet the expectation.
            expectation: the limit.
            load: what the sample rests on besides the loads among the test's fixtures, such as one that
                was asked for in the midst of the test. If any of them is in trouble the finding is
                INCONCLUSIVE with its reasons, whatever the number, or no PASS at least; see
                :class:`~verdict_harness.samples.Trouble`. The number is kept for the reader.
        """
        named = tuple(load) if isinstance(load, Iterable) else (load,)
        loads = _distinct((*named, *self.loads))
        if isinstance(sample, Mapping):
            found = together(expectation, sample)
            self.exhibits += [Exhibit(name, each, expectation, loads) for name, each in sample.items()]
        else:
            found = expectation.judge(sample)
            self.exhibits.append(Exhibit("", sample, expectation, loads))
        return self._record(found, named)

    def show(self, listing: Listing) -> None:
        """Have the report show something beside the findings; nothing is judged by it."""
        self.listings.append(listing)

    def record(self, finding: Finding) -> Finding:
        """Record a finding that was made elsewhere; return it as recorded.

        A PASS or CONDITIONAL without a finite number, or resting on no sample, is recorded as
        INCONCLUSIVE: whatever made it, nothing passes on nothing.
        """
        return self._record(finding, ())

    def inconclusive(self, reason: str) -> Finding:
        """Record that the evidence can't carry a verdict, and why."""
        return self.record(without_value(Verdict.INCONCLUSIVE, reason))

    def demote(self, reason: str) -> None:
        """Make the worst finding so far INCONCLUSIVE for ``reason``, its number kept; a FAIL stays one."""
        if not self._found:
            self.inconclusive(reason)
            return
        finding, loads = max(self._found, key=lambda found: self._resting(*found).verdict)
        self._record(_demoted(finding, reason), loads)

    def _record(self, finding: Finding, loads: tuple[Carrier, ...]) -> Finding:
        self._found.append((_honest(finding), loads))
        return self._resting(*self._found[-1])

    def _resting(self, finding: Finding, loads: tuple[Carrier, ...]) -> Finding:
        told: dict[str, dict[str, None]] = {}
        owners: dict[str, None] = {}
        for load in _distinct((*loads, *self.loads)):
            for trouble in load.trouble:
                known = Trouble(trouble, "") if isinstance(trouble, str) else trouble
                if known.against == "ANY" or finding.verdict <= Verdict.CONDITIONAL:
                    # parts of one load share their name and their trouble
                    told.setdefault(str(getattr(load, "name", "")), {})[known.text] = None
                    owners[known.instrument] = None
        if not told:
            return finding
        text = "; ".join(": ".join(filter(None, (name, "; ".join(texts)))) for name, texts in told.items())
        owner = ", ".join(filter(None, owners))
        return dataclasses.replace(
            finding,
            verdict=Verdict.INCONCLUSIVE,
            reason=f"nothing is concluded from {finding.verdict}",
            doubt=Doubt("instrument", text, -math.inf, math.inf, owner),
            besides=(),
            decides="",
            otherwise=finding.sentence,
        )


def without_value(verdict: Verdict, reason: str) -> Finding:
    """Return a finding that rests on no number.

    >>> without_value(Verdict.INCONCLUSIVE, "not measured").value is None
    True
    """
    return Finding(verdict, value=None, unit="", limit="", query="", samples=0, reason=reason)


def _demoted(finding: Finding, reason: str) -> Finding:
    """Return the finding with nothing concluded, for a reason of its own."""
    told = f"{reason} (otherwise: {finding.sentence})"
    return dataclasses.replace(
        finding, verdict=Verdict.INCONCLUSIVE, reason=told, doubt=None, besides=(), decides="", otherwise=""
    )


def _honest(finding: Finding) -> Finding:
    if finding.verdict not in {Verdict.PASS, Verdict.CONDITIONAL}:
        return finding
    if finding.value is None:
        return _demoted(finding, f"{finding.verdict} was claimed without a value")
    if not math.isfinite(finding.value):
        return _demoted(finding, f"{finding.verdict} was claimed for {finding.value}, which is not a number")
    if finding.samples < 1:
        return _demoted(finding, f"{finding.verdict} was claimed on no samples")
    return finding
