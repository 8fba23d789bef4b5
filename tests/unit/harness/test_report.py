import dataclasses
import datetime as dt
import html.parser
import json
import math
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import pytest

from verdict_harness.errors import EvidenceError
from verdict_harness.loads import Figures, Found
from verdict_harness.record import Run, Watched, write_json
from verdict_harness.report import junit, plots, terminal
from verdict_harness.report import page as report
from verdict_harness.samples import (
    Doubt,
    Empty,
    Point,
    Series,
    Unit,
    Windows,
    count,
    exact,
    ms,
    per_minute,
    ratio,
)
from verdict_harness.verdicts import (
    AtLeast,
    Below,
    Budget,
    Criterion,
    Exhibit,
    Finding,
    Judged,
    Listing,
    Mark,
    NotGrowing,
    Verdict,
    Within,
    roll_up,
    without_value,
)

NASTY = """<script>alert("x")</script> & 'quotes' $\\frac{1}{2}$ {{ 7*7 }} \x01"""
START = 1_763_690_000.0


def series(values, query="q"):
    return Series(query, tuple(Point(START + 30 + 5 * i, value) for i, value in enumerate(values)))


LOAD = SimpleNamespace(started=START, window=SimpleNamespace(start=START + 30), trouble=())


def finding(verdict, value=1.0, text="fine"):
    return Finding(verdict, value, "ms", f"< 200 ms {text}", f"query {text}", 9, f"reason {text}")


def outcome(tmp_path, judged, exhibits=None, profile="full", **more):
    evidence = Watched.create(tmp_path, profile=profile, backend="local", argv=["pytest", NASTY])
    return report.Outcome(
        run=Run(evidence),
        judged=tuple(judged),
        whole=roll_up(judged, more.get("failures", ())),
        finished=dt.datetime.now(dt.UTC),
        exhibits=exhibits or {},
        **more,
    )


class Page(html.parser.HTMLParser):
    """Collects what a browser would see."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.words, self.links, self.ids = [], [], [], []
        self.feed(source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        attributes = dict(attributes)
        self.links += [attributes[name] for name in ("href", "src", "xlink:href") if name in attributes]
        self.ids += [attributes["id"]] if "id" in attributes else []

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_escapes_everything(tmp_path):
    criterion = Criterion(NASTY, NASTY, NASTY, Verdict.CONDITIONAL, NASTY, NASTY)
    judged = [Judged(criterion, (finding(Verdict.FAIL, text=NASTY), finding(Verdict.PASS)), (NASTY,))]
    exhibits = {NASTY: [Exhibit(NASTY, series([0.1, 0.3], NASTY), Below(200 * ms), (LOAD,))]}
    page = Page(report.html(outcome(tmp_path, judged, exhibits, failures=(NASTY,), troubles=(NASTY,))))
    assert "script" not in page.tags
    assert page.text.count("alert(") > 10
    assert "{{ 7*7 }}" in page.text
    assert "svg" in page.tags


def test_the_page_needs_nothing_from_elsewhere(tmp_path):
    exhibits = {
        f"A2.{name}": [Exhibit(shard, series([0.1, 0.3]), Below(200 * ms), (LOAD,)) for shard in "ab"]
        for name in "xy"
    }
    judged = [Judged(Criterion(name, "A2"), (finding(Verdict.PASS),)) for name in exhibits]
    source = report.html(outcome(tmp_path, judged, exhibits))
    page = Page(source)
    assert not re.findall(r"""(?:src|href|url\()\s*=?\s*["']?https?:""", source.replace("xmlns:xlink=", ""))
    assert not {"link", "script", "img", "iframe"} & set(page.tags)
    assert page.tags.count("svg") == 4
    assert len(page.ids) == len(set(page.ids))
    inner = [link for link in page.links if link.startswith("#")]
    assert inner
    assert {link[1:] for link in inner} <= set(page.ids)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_page_says_what_was_found(tmp_path, verdict):
    criterion = Criterion(
        "A2.p99", "A2", "ASR 1", Verdict.CONDITIONAL, "p99 stays low.", "test_it.py::test_p99"
    )
    judged = [Judged(criterion, (finding(verdict, 12.3456),), ("facts/p99-1.json",))]
    page = Page(report.html(outcome(tmp_path, judged)))
    for words in ("p99 stays low.", "12.35 ms", "< 200 ms fine", "query fine", "reason fine", str(verdict)):
        assert words in page.text
    assert "facts/p99-1.json" in page.links
    assert "Not evidence." not in page.text
    assert ("counts as CONDITIONAL" in page.text) == (verdict is Verdict.FAIL)


def test_the_page_of_nothing_says_so(tmp_path):
    page = Page(report.html(outcome(tmp_path, [])))
    assert "INCONCLUSIVE 0 criteria:" in page.text


def test_the_page_says_why_nothing_is_drawn(tmp_path, monkeypatch):
    exhibits = {"A2.x": [Exhibit("a", series([0.1, 0.3]), Below(200 * ms), (LOAD,))]}
    judged = [Judged(Criterion("A2.x", "A2"), (finding(Verdict.PASS),))]
    drawn = Page(report.html(outcome(tmp_path, judged, exhibits)))
    monkeypatch.setattr(plots, "find_spec", lambda _: None)
    page = Page(report.html(outcome(tmp_path, judged, exhibits)))
    assert ("svg" in drawn.tags, "verdict-harness[plots]" in drawn.text) == (True, False)
    assert ("svg" in page.tags, "verdict-harness[plots]" in page.text) == (False, True)


def test_the_page_knows_the_machine(tmp_path):
    text = Page(report.html(outcome(tmp_path, []))).text
    assert "machine cores" in text
    assert re.search(r"machine memory [\d.]+ GiB", text)


def load_figures(name):
    rate = exact("rate", 1192.0, at=0.0, n=5100).widened("chance", "few", lo=1100.0, hi=1300.0)
    beyond = dataclasses.replace(exact("p99", 1.0, at=0.0, n=5100), value=None)
    return Figures(
        name,
        (
            Found("matches/min", "", per_minute, rate),
            Found("matches/min", "shard a", per_minute, Empty("rate", f"no <series> of {name}")),
            Found("slowest", "shard a", ms, beyond.widened("resolution", "no bucket", hi=math.inf)),
            Found("lost", "", count, exact("lost", 0.0, at=0.0, n=5100)),
        ),
    )


def test_the_page_shows_the_figures_of_each_load_below_the_criteria(tmp_path):
    told = outcome(tmp_path, [], figures=(load_figures("A1"), load_figures("A2")))
    page = Page(report.html(told)).text
    assert page.index("Criteria") < page.index("Figures of each load") < page.index("Each criterion, and why")
    assert "A1 in all shard a matches/min 1192 /min 1100 to 1300 /min absent no <series> of A1" in page
    assert "slowest >= 1000 ms lost 0 " in page
    assert "absent no <series> of A2" in page
    assert "Figures of each load" not in Page(report.html(outcome(tmp_path, []))).text


def test_the_document_has_the_figures_of_each_load(tmp_path):
    write_json(tmp_path / "it.json", report.document(outcome(tmp_path, [], figures=(load_figures("A2"),))))
    (told,) = json.loads((tmp_path / "it.json").read_text())["figures"]
    assert told["load"] == "A2"
    rate, absent, beyond, lost = told["figures"]
    assert (rate["value"], rate["unit"], rate["interval"]) == (1192.0, "/min", [1100.0, 1300.0])
    assert (absent["value"], absent["interval"], absent["reason"]) == (None, None, "no <series> of A2")
    assert (beyond["value"], beyond["interval"]) == (None, [1000.0, None])
    assert (lost["value"], lost["reason"]) == (0.0, "")


def test_the_terminal_shows_the_figures_of_one_load_and_not_of_many(tmp_path):
    def shown(*names):
        told = outcome(tmp_path, [], figures=tuple(map(load_figures, names)))
        return " ".join(terminal.render(terminal.summary(told, "", None), width=200, colour=False).split())

    assert "matches/min 1192 /min absent slowest >= 1000 ms lost 0" in shown("A2")
    assert "absent matches/min shard a: no <series> of A2" in shown("A2")
    assert "matches/min" not in shown("A1", "A2")


@pytest.mark.parametrize(
    ("expectation", "lines"),
    [
        (Below(200 * ms, conditional=50 * ms), {"200 ms", "50 ms"}),
        (AtLeast(4750 * per_minute, hold=60), {"4750 /min"}),
        (Budget(2 * ms), {"6 ms", "4 ms"}),
        (Within(0.8 * ratio, 0.02 * ratio), {"0.78", "0.82"}),
        (NotGrowing(), set()),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("values", [[0.0, 0.0], [0.001], [0.004, 0.002, 0.3], [5000.0] * 60, [-1.0, 1e12]])
def test_series_are_drawn_with_their_limits(expectation, lines, values):
    (plot,) = plots.draw("p", [Exhibit("a <b>", series(values), expectation, (LOAD,))])
    root = ET.fromstring(plot.svg.replace(' role="img"', ' xmlns="http://www.w3.org/2000/svg"', 1))
    texts = {node.text for node in root.iter() if node.tag.endswith("text")}
    assert lines | {"warm-up", "seconds since the load began"} <= texts
    assert not any("math" in (text or "") for text in texts)
    assert "var(--line)" in plot.svg
    assert ("var(--fail)" in plot.svg) == bool(lines)
    assert not re.search(r"#0[0-9]0[0-9]0[0-9]\b", plot.svg)  # every colour is the page's


def test_a_unit_is_drawn_as_it_is_written():
    cost = Unit("$x_2$", 1.0, "cost")
    (plot,) = plots.draw("p", [Exhibit("", series([1.0, 2.0]), Below(5 * cost), ())])
    assert ">$x_2$<" in plot.svg
    assert ">5 $x_2$<" in plot.svg


def test_values_are_drawn_against_the_numbers_in_their_labels():
    values = {"1000 users": 0.002, "100 users": 0.001, "10000 users": 0.004, "all": 0.001}
    exhibits = [
        Exhibit(label, exact("q", v, at=0.0, n=1), Below(200 * ms), ()) for label, v in values.items()
    ]
    (plot,) = plots.draw("p", exhibits)
    assert plot.title == "against users"
    assert [word in plot.svg for word in ("users", "10000", "200 ms")] == [True] * 3
    assert "seconds since" not in plot.svg
    assert plots.draw("p", exhibits[:1]) == [], "one value makes no line"


def test_only_series_are_drawn():
    exhibits = [
        Exhibit("", sample, Below(1 * ms), ()) for sample in (exact("q", 1.0, at=0, n=1), Empty("q", "no"))
    ]
    assert plots.draw("p", exhibits) == []


def test_without_a_load_nothing_is_shaded():
    (plot,) = plots.draw("p", [Exhibit("", series([1.0, 2.0]), Below(1 * ms), ())])
    assert "warm-up" not in plot.svg


def test_json_has_no_nan(tmp_path):
    judged = [Judged(Criterion("A2.p99", "A2"), (finding(Verdict.FAIL, math.inf),))]
    path = tmp_path / "verdict.json"
    write_json(path, report.document(outcome(tmp_path, judged)) | {"more": [math.nan, (-math.inf, 1.5)]})

    def refuse(word):
        raise AssertionError(word)

    document = json.loads(path.read_text(), parse_constant=refuse)
    assert document["criteria"][0]["value"] is None
    assert document["more"] == [None, [None, 1.5]]


@pytest.mark.parametrize("width", [100, 200])
def test_the_table_fits(tmp_path, width):
    long = "q" * 150
    judged = [
        Judged(
            Criterion(f"B2.{long}", "B2", "ASR 2"),
            (finding(Verdict.FAIL, 1234567.8, long),),
            (f"facts/{long}-1.json",),
        ),
        Judged(
            Criterion("A2.x", "A2"), (without_value(Verdict.INCONCLUSIVE, "no [red]samples[/red]\nmore"),)
        ),
    ]
    whole = terminal.summary(outcome(tmp_path, judged, profile="quick"), tmp_path / "report.html", None)
    text = terminal.render(whole, width=width, colour=False)
    assert max(map(len, text.splitlines())) <= width
    assert "\x1b" not in text
    for words in ("1234568 ms", "[red]samples[/red]", "quick profile: not evidence", "FAIL", "INCONCLUSIVE"):
        assert words in text


def case(root, name):
    return next(case for case in root.iter("testcase") if case.get("name") == name)


def judged_by(test, verdict=Verdict.PASS):
    return Judged(Criterion("A2.p99", "A2", test=test), (finding(verdict, text="\x00<&>"),))


def test_junit_is_made_where_pytest_made_none(tmp_path):
    target = tmp_path / "junit.xml"
    junit.settle(tmp_path / "none.xml", [target], [judged_by("dir/test_it.py::test_p99", Verdict.FAIL)])
    root = ET.parse(target).getroot()
    made = case(root, "test_p99")
    assert made.get("classname") == "dir.test_it"
    assert "\N{REPLACEMENT CHARACTER}<&>" in made.find("failure").get("message")
    assert root.find("testsuite").get("failures") == "1"


def test_junit_keeps_what_is_not_a_criterion(tmp_path):
    source = tmp_path / "junit.xml"
    source.write_text(
        '<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="9" tests="9">'
        '<testcase name="ours"><properties><property name="criterion" value="A2.p99"/>'
        '<property name="mine" value="1"/></properties><skipped/><system-out>out</system-out></testcase>'
        '<testcase name="ours"><properties><property name="criterion" value="A2.p99"/></properties>'
        "<error/></testcase>"
        '<testcase name="theirs"><skipped/></testcase></testsuite></testsuites>'
    )
    junit.settle(source, [source], [judged_by("test_it.py::ours", Verdict.INCONCLUSIVE)])
    suite = ET.parse(source).getroot().find("testsuite")
    ours, teardown, theirs = suite.iter("testcase")
    assert [child.tag for child in ours] == ["properties", "error", "system-out"]
    assert ours.find("properties/property[@name='mine']").get("value") == "1"
    assert [child.tag for child in teardown] == ["error"]
    assert [child.tag for child in theirs] == ["skipped"]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "3", "failures": "0", "errors": "2", "skipped": "1"}


def test_junit_that_is_none_is_an_error(tmp_path):
    source = tmp_path / "junit.xml"
    source.write_text("<testsuites>")
    with pytest.raises(EvidenceError, match="no JUnit XML"):
        junit.settle(source, [source], [])


@pytest.mark.parametrize(
    "text",
    [None, "", "<testsuites>", "<testsuites/>", "<testsuites><testsuite/></testsuites>", "\x00"],
)
def test_a_junit_file_that_names_no_manifest_vouches_for_none(tmp_path, text):
    path = tmp_path / "junit.xml"
    if text is not None:
        path.write_text(text)
    assert junit.manifest(path) == ""


def test_what_is_known_of_a_run_stands_once_at_the_head_of_junit(tmp_path):
    path = tmp_path / "junit.xml"
    path.write_text(
        '<testsuites><testsuite name="pytest"><properties><property name="theirs" value="1"/></properties>'
        "</testsuite></testsuites>"
    )
    junit.settle(path, [path], [], [("manifest", "sha256 abc")])
    (holder,) = ET.parse(path).getroot().find("testsuite").iterfind("properties")
    assert [one.attrib for one in holder] == [
        {"name": "theirs", "value": "1"},
        {"name": "manifest", "value": "sha256 abc"},
    ]
    assert junit.manifest(path) == "abc"


def test_a_block_of_text_has_everything_in_few_lines(tmp_path):
    judged = Judged(
        Criterion("A2.p99", "A2", "ASR 1", sentence="p99 stays low."),
        (finding(Verdict.FAIL, 300.0, "a"), finding(Verdict.INCONCLUSIVE, None, "b"), finding(Verdict.PASS)),
        ("facts/a.json", "facts/b.json"),
    )
    run = outcome(tmp_path, [judged]).run
    lines = report.block(judged, run).splitlines()
    assert lines[0] == "FAIL  A2.p99"
    text = "\n".join(lines)
    for words in ("p99 stays low.", "300 ms", "query a", "reason a", "INCONCLUSIVE: reason b", "--judge"):
        assert words in text
    assert str(run.directory / "facts/b.json") in text
    assert "reason fine" not in text
    assert len(lines) <= 12


# -- intervals and doubts


LOST = Doubt(
    "missing", "1 of 55 scrapes of me-shard-a failed", 20.0, math.inf, "scrapes of me-shard-a", 0, ""
)
OPEN = Finding(
    Verdict.INCONCLUSIVE,
    33.0,
    "ms",
    "< 40 ms",
    "q",
    5100,
    "33 ms (at least 20 ms): whether that is < 40 ms can't be told",
    interval=(20.0, math.inf),
    doubts=(LOST,),
    doubt=LOST,
    decides="no failed scrape",
    counted="orders",
)


def shared(tmp_path, *names):
    return outcome(tmp_path, [Judged(Criterion(name, "A2", "ASR 1"), (OPEN,)) for name in names])


def test_json_holds_interval_observations_doubts_and_what_would_decide(tmp_path):
    text = json.dumps(report.document(shared(tmp_path, "A2.x")), allow_nan=False)
    (entry,) = json.loads(text)["criteria"]
    assert (entry["interval"], entry["samples"], entry["counted"]) == ([20.0, None], 5100, "orders")
    assert entry["decides"] == "no failed scrape"
    assert entry["reason"].endswith("1 of 55 scrapes of me-shard-a failed; no failed scrape would decide")
    assert [doubt["text"] for doubt in entry["doubts"]] == [LOST.text]
    assert (entry["doubts"][0]["lo"], entry["doubts"][0]["hi"]) == (20.0, None)


def test_a_doubt_that_several_share_is_said_once_and_named_by_each(tmp_path):
    names = ["A2.x", "A2.y", "A2.z"]
    several = shared(tmp_path, *names)
    (note,) = report.document(several)["doubts"]
    assert (note["text"], note["instrument"]) == (LOST.text, "scrapes of me-shard-a")
    assert list(note["criteria"]) == names
    said = terminal.render(terminal.summary(several, "", None), width=200, colour=False)
    assert said.count(LOST.text) == 1
    assert said.count("; doubt 1; no failed scrape would decide") == 3
    page = Page(report.html(several))
    assert page.text.count("; doubt 1; no failed scrape would decide") == 3
    assert "Doubts that several criteria share" in page.text


def test_a_doubt_of_one_alone_is_said_where_it_is(tmp_path):
    alone = shared(tmp_path, "A2.x")
    assert report.document(alone)["doubts"] == []
    said = terminal.render(terminal.summary(alone, "", None), width=200, colour=False)
    assert f"can't be told; {LOST.text}; no failed scrape would decide" in said
    assert "doubt 1" not in said


def test_terminal_page_and_block_show_interval_and_observations(tmp_path):
    one = shared(tmp_path, "A2.x")
    said = terminal.render(terminal.summary(one, "", None), width=200, colour=False)
    assert "33 ms (>= 20 ms)" in said
    assert " 5100 " in said
    page = Page(report.html(one)).text
    assert "33 ms (>= 20 ms)" in page
    assert "5100 orders" in page
    block = report.block(one.judged[0], one.run)
    assert "value:       33 ms (>= 20 ms)" in block
    assert "rests on:    5100 orders" in block
    assert "decides:     no failed scrape" in block


def test_junit_has_properties_of_all_of_it(tmp_path):
    (judged,) = shared(tmp_path, "A2.x").judged
    found = dict(junit.properties(judged))
    assert (found["interval"], found["samples"]) == (">= 20 ms", "5100")
    assert (found["decides"], found["doubts"]) == ("no failed scrape", LOST.text)
    assert found["reason"] == OPEN.sentence


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ((20.0, 50.0), "20 to 50 ms"),
        ((20.0, 20.0), ""),
        (None, ""),
        ((-math.inf, 5.0), "<= 5 ms"),
        ((-math.inf, math.inf), "not bounded"),
    ],
)
def test_an_interval_as_people_read_it(ends, shown):
    assert report.interval(dataclasses.replace(OPEN, interval=ends)) == shown


def test_a_number_beyond_all_that_was_measured_is_shown_by_its_bound():
    assert report.figure(dataclasses.replace(OPEN, value=None)) == ">= 20 ms"


def test_windows_are_drawn_with_their_intervals():
    parts = [exact("q", 0.1, START + 30.0 * i, n=510, seconds=30.0) for i in (2, 3, 4)]
    parts[1] = parts[1].widened("chance", "few", lo=0.05, hi=0.3)
    parts[2] = parts[2].widened("chance", "fewer", lo=-math.inf, hi=math.inf)
    sample = Windows("q", exact("q", 0.1, START + 120.0, n=1530), tuple(parts))
    plain = Windows("q", sample.whole, (parts[0],))
    drawn, fewer = (
        plots.draw("p", [Exhibit("a", each, Below(200 * ms), (LOAD,))])[0].svg for each in (sample, plain)
    )
    assert "200 ms" in drawn
    assert [svg.count("stroke-opacity: 0.6") for svg in (drawn, fewer)] == [2, 0]
    assert plots.draw("p", [Exhibit("a", Windows("q", sample.whole, ()), Below(200 * ms), (LOAD,))]) == []


@pytest.mark.parametrize("text", [None, "", "<testsuites", "<testsuites/>"], ids=repr)
def test_junit_that_names_no_manifest_names_none(tmp_path, text):
    path = tmp_path / "junit.xml"
    if text is not None:
        path.write_text(text)
    assert junit.manifest(path) == ""


LISTING = Listing(
    "3 trials & more",
    ("orders/s", "what broke first"),
    (("100", ""), ("130", "p99 <200 ms>")),
    "orders/s",
    "p99, ms",
    (Mark("one", 100, 12.0, True), Mark("one", 130, 220.0, False), Mark("3", 100, math.inf, False)),
)


def test_a_listing_is_shown_with_its_criterion_and_judges_nothing(tmp_path):
    one = judged_by("test_it.py::test_p99")
    made = outcome(tmp_path, [one], listings={one.criterion.id: [LISTING]})
    page = report.html(made)
    assert "3 trials &amp; more" in page
    assert "p99 &lt;200 ms&gt;" in page
    assert page.count("<svg ") == 1
    assert "not sustained" in page
    assert report.document(made)["criteria"] == report.document(outcome(tmp_path, [one]))["criteria"]


def test_a_listing_without_marks_is_not_drawn():
    assert plots.draw("p", (), [dataclasses.replace(LISTING, marks=())]) == []
