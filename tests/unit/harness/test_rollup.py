import itertools

import pytest

from verdict_harness.verdicts import Criterion, Judged, Verdict, exit_status, roll_up, without_value

P, C, U, F = Verdict.PASS, Verdict.CONDITIONAL, Verdict.INCONCLUSIVE, Verdict.FAIL


def judged(verdict, asr="ASR 1", experiment="A2", counts=F):
    criterion = Criterion(f"{experiment}.{verdict}", experiment, asr, counts)
    return Judged(criterion, (without_value(verdict, "so"),))


@pytest.mark.parametrize("verdicts", list(itertools.product(Verdict, repeat=3)), ids=str)
def test_worst_wins_in_any_order(verdicts):
    whole = roll_up([judged(verdict) for verdict in verdicts])
    assert whole.run is whole.asrs["ASR 1"] is whole.experiments["A2"] is max(verdicts)


@pytest.mark.parametrize(
    ("verdict", "counts", "expected"),
    [(F, C, C), (F, U, U), (F, F, F), (U, C, U), (C, C, C), (P, C, P)],
)
def test_only_a_fail_counts_as_something_else(verdict, counts, expected):
    one = judged(verdict, counts=counts)
    assert one.verdict is verdict
    assert one.counts_as is roll_up([one]).run is expected


def test_parts_are_told_apart():
    whole = roll_up([judged(P), judged(F, "ASR 2", "B2"), judged(C, "", "smoke")])
    assert whole.asrs == {"ASR 1": P, "ASR 2": F}
    assert whole.experiments == {"A2": P, "B2": F, "smoke": C}
    assert whole.run is F


def test_nothing_is_inconclusive():
    assert roll_up([]).run is U
    assert exit_status([]) == 10


@pytest.mark.parametrize(("verdict", "expected"), [(P, U), (C, U), (U, U), (F, F)])
def test_with_trouble_a_run_is_inconclusive_at_best(verdict, expected):
    assert roll_up([judged(verdict)], ["a test failed"]).run is expected


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [([P], 0), ([P, C], 0), ([P, U], 10), ([C, U], 10), ([F], 1), ([F, U], 1), ([U, F, P], 1)],
)
def test_exit_status(verdicts, status):
    assert exit_status([judged(verdict) for verdict in verdicts]) == status


def test_a_fail_is_status_1_whatever_it_counts_as():
    assert exit_status([judged(F, counts=C)]) == 1


def test_what_else_went_wrong_has_a_status_too():
    assert exit_status([judged(P)], failures=["test_ordinary"]) == 1
    assert exit_status([judged(U)], failures=["test_ordinary"]) == 1
    assert exit_status([judged(P)], troubles=["the disk is full"]) == 10


def test_the_first_of_the_worst_findings_speaks():
    findings = [without_value(v, str(n)) for n, v in enumerate([P, F, U, F])]
    one = Judged(Criterion("A2.x", "A2"), tuple(findings))
    assert (one.verdict, one.finding.reason) == (F, "1")


def test_a_criterion_survives_the_run_description():
    criterion = Criterion.marked("A2.x", "A2", "ASR 1", "CONDITIONAL")
    assert criterion.fail_counts_as is C
    assert Criterion.from_json(criterion.to_json()) == criterion
