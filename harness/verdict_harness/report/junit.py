"""JUnit XML with verdicts: what pytest wrote, put right for the four verdicts.

pytest knows passed, failed, error and skipped. CI systems read the file the same
way, so a FAIL has to be a ``<failure>`` and an INCONCLUSIVE an ``<error>``, never a
``<skipped>`` or a plain pass, and a criterion that never ran has to be there too.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path

from ..errors import EvidenceError
from ..record import write_atomic
from ..verdicts import Judged, Verdict
from .page import figure, interval

KEY = "criterion"
_OUTCOMES = ("failure", "error", "skipped")
_UNFIT = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def properties(judged: Judged) -> list[tuple[str, str]]:
    """Return a criterion's properties; the first one tells which criterion it is."""
    finding = judged.finding
    return [
        (KEY, judged.criterion.id),
        ("verdict", str(judged.verdict)),
        ("value", "" if finding.value is None else repr(finding.value)),
        ("unit", finding.unit),
        ("limit", finding.limit),
        ("query", finding.query),
        ("interval", interval(finding)),
        ("samples", str(finding.samples)),
        ("reason", finding.sentence),
        ("decides", finding.decides),
        ("doubts", "; ".join(doubt.text for doubt in finding.doubts)),
        ("evidence", " ".join(judged.evidence)),
    ]


def settle(source: Path, targets: Sequence[Path], judged: Sequence[Judged]) -> None:
    """Put what pytest wrote to ``source`` right and write it to ``targets``.

    Args:
        source: pytest's file; where there is none, one is made of the criteria alone.
        targets: where to write.
        judged: every criterion of the run.

    Raises:
        EvidenceError: if ``source`` is no JUnit XML, or a target can't be written.
    """
    root = _read(source)
    suite = root.find("testsuite") if root.tag == "testsuites" else root
    if suite is None:
        suite = ET.SubElement(root, "testsuite", name="pytest")
    for case in [case for case in suite.iter("testcase") if case.get("name") is None]:
        suite.remove(case)  # of a test that was interrupted before pytest knew what to say of it
    seen: set[str] = set()
    known = {one.criterion.id: one for one in judged}
    for case in suite.iter("testcase"):
        name = _property(case, KEY)
        if name is None or name not in known:
            continue
        if name in seen:  # pytest writes a second case where a test failed and its teardown too
            _strip(case, ("properties",))
            continue
        seen.add(name)
        _fill(case, known[name])
    for name, one in known.items():
        if name not in seen:
            path, _, test = one.criterion.test.partition("::")
            place = path.removesuffix(".py").replace("/", ".")
            _fill(ET.SubElement(suite, "testcase", classname=place, name=test or name, time="0"), one)
    _count(suite)
    text = ET.tostring(root, encoding="unicode")
    for target in targets:
        write_atomic(target, f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode())


def _read(source: Path) -> ET.Element:
    if not source.exists():
        return ET.Element("testsuites", name="pytest tests")
    try:
        return ET.parse(source).getroot()  # noqa: S314 - pytest wrote it a moment ago
    except (ET.ParseError, OSError) as error:
        raise EvidenceError("this is no JUnit XML", found=str(error), where=str(source)) from error


def _property(case: ET.Element, name: str) -> str | None:
    for each in case.iterfind("properties/property"):
        if each.get("name") == name:
            return each.get("value")
    return None


def _strip(case: ET.Element, tags: Sequence[str]) -> None:
    for child in [child for child in case if child.tag in tags]:
        case.remove(child)


def _fill(case: ET.Element, judged: Judged) -> None:
    own = [
        each
        for each in case.iterfind("properties/property")
        if each.get("name") not in dict(properties(judged))
    ]
    texts = [child.text or "" for child in case if child.tag in _OUTCOMES]
    _strip(case, ("properties", *_OUTCOMES))
    holder = ET.Element("properties")
    for name, value in properties(judged):
        ET.SubElement(holder, "property", name=name, value=_fit(value))
    holder.extend(own)
    case.insert(0, holder)
    tag = {Verdict.FAIL: "failure", Verdict.INCONCLUSIVE: "error"}.get(judged.verdict)
    if tag:
        finding = judged.finding
        value = f" {figure(finding)}, limit {finding.limit}:" if finding.limit else ""
        node = ET.Element(
            tag, type=str(judged.verdict), message=_fit(f"{judged.verdict}{value} {finding.sentence}")
        )
        node.text = _fit("\n\n".join(text for text in texts if text) or finding.sentence)
        case.insert(1, node)


def _fit(text: str) -> str:
    """Replace what XML can't hold."""
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def _count(suite: ET.Element) -> None:
    cases = list(suite.iter("testcase"))
    suite.set("tests", str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
