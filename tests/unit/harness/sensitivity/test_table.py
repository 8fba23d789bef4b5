"""The table says what was seen and nothing else: what was not run, missed or never failed is in it, too."""

import dataclasses

import pytest

from verdict_harness.sensitivity import Defect, table
from verdict_harness.sensitivity.records import Origin, Records
from verdict_harness.sensitivity.seeing import Ended, Outcome, Seen, broken
from verdict_harness.sensitivity.sound import alarms, selected

MACHINE = {"cores": 2, "cpu": "Z80", "memory": 2**30, "system": "CP/M", "python": "CPython 3.11"}
NOW = Origin("source", "abc", MACHINE)
TABLE = {"The shop": ("S.price", "S.wait", "S.stock", "S.new")}


def defect(name, *fails, turns=()):
    return Defect(name, "shop", f"It is {name}.", (), "", fails=fails, turns=turns)


DEAR, SLOW, SOLD, LOST, GONE = DEFECTS = [
    defect("dear", "S.price"),
    defect("slow", "S.wait"),
    defect("sold", turns=["S.stock"]),
    defect("lost", "S.price"),
    defect("gone", "S.stock"),
]


@pytest.fixture
def records(tmp_path):
    found = Records(tmp_path, NOW)
    found.keep(DEAR, Seen(Outcome.CAUGHT, "", 31.0, 45.0, {"S.price": "FAIL", "S.wait": "PASS"}))
    found.keep(SLOW, Seen(Outcome.MISSED, "S.wait is PASS, and has to FAIL", None, 45.0, {"S.wait": "PASS"}))
    found.keep(SOLD, Seen(Outcome.CAUGHT, "", 5.0, 45.0, {"S.stock": "INCONCLUSIVE"}))
    found.keep(GONE, broken("the code\nhas | moved"))
    return found


def section(page, title):
    return page.split(f"## {title}")[1].split("\n##")[0]


def test_each_defect_is_there_with_what_was_seen(records):
    page = table.render(DEFECTS, records, TABLE)
    assert "Of commit abc, on 2 cores of Z80, 1.0 GiB, CP/M." in page
    assert "5 defects: 2 caught, 1 missed, 1 broken, 1 not run." in page
    rows = [line.replace("\N{EN DASH}", "-") for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        "| `dear`: It is dear. | shop | S.price FAIL | caught; S.price FAIL | 31 s |",
        "| `slow`: It is slow. | shop | S.wait FAIL | **missed**; S.wait PASS | - |",
        "| `sold`: It is sold. | shop | S.stock | caught; S.stock INCONCLUSIVE | 5 s |",
        "| `lost`: It is lost. | shop | S.price FAIL | **not run** | - |",
        "| `gone`: It is gone. | shop | S.stock FAIL | **broken**; the code has \\| moved | - |",
    ]


def test_what_nothing_catches_is_open(records):
    page = table.render(DEFECTS, records, TABLE)
    assert "- `slow`: S.wait is PASS, and has to FAIL" in section(page, "Open")
    assert "- `gone`: the code has | moved" in section(page, "Broken")
    assert "None." in section(table.render([DEAR], records, TABLE), "Open")


def test_a_criterion_that_nothing_failed_is_unproven(records):
    assert table.unproven(DEFECTS, records, TABLE) == ["S.wait", "S.stock", "S.new"]
    lines = section(table.render(DEFECTS, records, TABLE), "Unproven").splitlines()
    assert [line for line in lines if line.startswith("-")] == [
        "- S.wait",
        "- S.stock",
        "- S.new (no defect names it)",
    ]
    assert table.unnamed(DEFECTS, TABLE) == ["S.new"]


def test_what_was_seen_of_other_source_proves_nothing_and_says_so(records):
    later = Records(records.folder, dataclasses.replace(NOW, source="other", commit="def+"))
    assert "S.price" in table.unproven(DEFECTS, later, TABLE)
    page = table.render(DEFECTS, later, TABLE)
    assert "Of commit def with changes" in page
    assert "caught; S.price FAIL; of other source, commit abc" in page
    assert "0 caught" in page
    assert "4 seen of other source only" in page


def test_what_was_seen_on_another_machine_says_so(records):
    here = Records(records.folder, dataclasses.replace(NOW, machine={**MACHINE, "cpu": "6502"}))
    assert "caught; S.price FAIL; on 2 cores of Z80" in table.render([DEAR], here, TABLE)


def test_it_is_written_whole(records, tmp_path):
    table.write(tmp_path / "docs" / "page.md", DEFECTS, records, TABLE)
    assert (tmp_path / "docs" / "page.md").read_text() == table.render(DEFECTS, records, TABLE)


def ended(**verdicts):
    return Ended(0, "", 1.0, {"criteria": [{"id": name, "verdict": it} for name, it in verdicts.items()]})


def test_false_alarms_have_their_interval(records):
    assert "None." in section(table.render(DEFECTS, records, TABLE), "The sound system")
    for _ in range(18):
        records.keep_sound("a1", ended(A="PASS", B="PASS"))
    records.keep_sound("a1", ended(A="PASS", B="INCONCLUSIVE"))
    records.keep_sound("a1", ended(A="FAIL", B="INCONCLUSIVE"))
    said = section(table.render(DEFECTS, records, TABLE), "The sound system")
    assert (
        "`a1`: a false alarm in 1 of 20 runs of the sound system, so in 0.3% to 21.6% of such runs; 1 und"
        in said
    )
    assert "- A: FAIL in 1, INCONCLUSIVE in 0 of 20" in said
    assert "- B: FAIL in 0, INCONCLUSIVE in 2 of 20" in said
    assert Records(records.folder, dataclasses.replace(NOW, source="other")).sound() == {}
    records.forget_sound()
    assert records.sound() == {}


def test_of_no_run_nothing_is_said():
    assert str(alarms([])) == "the sound system was not run"


def test_whatever_a_defect_runs_on_is_run():
    assert selected(
        [dataclasses.replace(DEAR, select="a1 or b2"), dataclasses.replace(SLOW, select="b2")]
    ) == ("a1 or b2")
    assert selected([dataclasses.replace(DEAR, select="a1"), DEAR]) == "", "all, if one is tried on all"
