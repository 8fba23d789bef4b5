"""Blocks in turn: when they are, which came about, and what is said of them."""

import dataclasses
import math
import random
from types import SimpleNamespace

import pytest

from verdict_harness.loads import Held
from verdict_harness.loads.interleaved import (
    Interleaved,
    Judged,
    Schedule,
    Switching,
    at_the_client,
    change,
    judged,
)
from verdict_harness.samples import Block, Empty, Estimate, Partial, Trouble

SCHEDULE = Schedule(pairs=6, block=10, switch=5, settle=4)


def pairs(factor=1.0, *, bursts=0.0, seed=1, many=6):
    draw = random.Random(seed)

    def block(times):
        times *= 4 if draw.random() < bursts else 1
        return Block(tuple(sorted(times * draw.uniform(1, 1.2) for _ in range(300))))

    return [(block(1.0), block(factor)) for _ in range(many)]


def test_each_pair_has_one_switch_and_both_arms():
    spans = SCHEDULE.spans
    assert "".join(span.arm for span in spans) == "ABBAABBAABBA"
    assert len(list(SCHEDULE.switches())) == SCHEDULE.pairs
    assert all(span.end - span.start == SCHEDULE.block for span in spans)
    assert SCHEDULE.seconds == 4 + 12 * 10 + 6 * 5


def test_blocks_begin_when_their_switch_has_taken_hold():
    held = {f"{at:g}": 1000 + at + 2 for at, _ in SCHEDULE.switches()}
    held["14"] = 1000 + 21.0  # it took 7 s, two of them of the block
    found = judged(SCHEDULE, 1000.0, held)
    assert found[0] == Judged(a=(1004.0, 1014.0), b=(1021.0, 1029.0))
    assert found[1] == Judged(a=(1044.0, 1054.0), b=(1029.0, 1039.0))
    assert len(found) == 6


def test_a_pair_of_which_a_switch_left_too_little_is_none():
    held = {f"{at:g}": 1000 + at + 2 for at, _ in SCHEDULE.switches()}
    held["14"] = 1000 + 26.0
    found = judged(SCHEDULE, 1000.0, held)
    assert len(found) == 5
    assert found[0].a == (1044.0, 1054.0)


def test_without_a_word_a_switch_takes_as_long_as_planned():
    assert judged(SCHEDULE, 0.0, {})[0] == Judged(a=(4.0, 14.0), b=(19.0, 29.0))


@dataclasses.dataclass
class Load:
    """A load that does what is to be done in it, and has no trouble."""

    actions: object = lambda _: ()
    trouble = ()
    window = SimpleNamespace(end=1100.0)
    kept = SimpleNamespace(orders=SimpleNamespace(began=1000.0))

    def run(self):
        for _, act in self.actions("what is up"):
            act()
        return self


def compared(facts, switch):
    """Return what is said of a comparison of one load; what goes on record of it is in ``facts``."""
    evidence = SimpleNamespace(fact=lambda key, ask: facts.setdefault(key, ask()))
    stage = SimpleNamespace(run=SimpleNamespace(evidence=evidence), trial=Load.run)
    one = Interleaved(stage, "change", [SCHEDULE], lambda *_: Load(), switch)
    same = Block(tuple(1 + n / 1000 for n in range(300)))
    return one.change("client", lambda *_: same, 0.99, 0.1)


def test_what_is_said_names_the_means_by_which_an_arm_took_over():
    facts = {}
    by_scaling = compared(
        facts, lambda _: {"A": lambda: Held(0.0), "B": lambda: Held(0.0, "paused by scaling x to 0")}
    )
    assert by_scaling.query == "client: p99 in arm B, paused by scaling x to 0, against arm A"
    assert facts["switches of change-1"]["B"] == "paused by scaling x to 0", "judged again, it says the same"
    assert compared({}, None).query == "client: p99 in arm B against arm A"


def test_no_change_is_within_the_limit():
    found = change("q", pairs(), 0.99, limit=0.1, at=0.0, looks=(6,))
    assert found.hi <= 0.1
    assert found.n == 3600
    assert "A against A" in found.doubts[-1].text


def test_a_change_is_beyond_the_limit():
    assert change("q", pairs(1.3), 0.99, limit=0.1, at=0.0, looks=(6,)).lo > 0.1


def test_a_machine_that_can_not_tell_leaves_it_open_and_says_so():
    restless = [
        (Block(tuple(4 * one for one in a.values)) if n % 2 else a, b) for n, (a, b) in enumerate(pairs())
    ]
    found = change("q", restless, 0.99, limit=0.1, at=0.0, looks=(6,))
    assert (found.lo, found.hi) == (-1.0, math.inf)
    assert found.doubts[-1].instrument == "machine"
    assert "A against A" in found.doubts[-1].text


@pytest.mark.parametrize("bursts", [0.0, 0.3])
def test_a_huge_change_is_one_on_any_machine(bursts):
    assert change("q", pairs(30.0, bursts=bursts), 0.99, limit=0.1, at=0.0, looks=(6,)).lo > 1.0


def test_what_is_never_answered_is_a_change_beyond_any_limit():
    gone = Block((1.0,) * 90 + (math.inf,) * 10)
    found = change("q", [(a, gone) for a, _ in pairs()], 0.99, limit=0.1, at=0.0, looks=(6,))
    assert found.lo > 1000


@pytest.mark.parametrize("factor", [1.0, math.inf])
def test_of_what_was_never_answered_there_is_no_change(factor):
    """Neither that the other never is either, nor that it is, says that nothing changed."""
    gone = Block((1.0,) * 90 + (math.inf,) * 10)
    alike = [(gone, gone)] * 6
    made = [(gone, gone if factor == math.inf else b) for _, b in pairs()]
    for given in ((), alike):
        found = change("q", made, 0.99, limit=0.1, at=0.0, looks=(6,), alike=given)
        assert (found.lo, found.hi) == (-1.0, math.inf)
        assert "never accepted" in found.doubts[-1].text or "can't tell" in found.doubts[-1].text


def test_each_switch_is_made_on_time_and_what_it_says_is_kept():
    made = []

    def to(arm):
        return lambda: made.append(arm) or Held(1000.0 + len(made))

    switching = Switching({"A": to("A"), "B": to("B")})
    actions = switching.actions(SCHEDULE)
    assert [at for at, _ in actions] == [at for at, _ in SCHEDULE.switches()]
    for _, action in actions:
        action()
    assert made == [arm for _, arm in SCHEDULE.switches()]
    assert switching.to_json() == {f"{at:g}": 1001.0 + n for n, (at, _) in enumerate(SCHEDULE.switches())}


def client(waited, load="L"):
    orders = [SimpleNamespace(hi=value) for value in waited]
    return SimpleNamespace(name=load, kept=SimpleNamespace(orders=SimpleNamespace(due=lambda *_: orders)))


def test_the_client_waits_for_ever_for_what_was_not_accepted_and_for_nothing_where_none_was_due():
    assert at_the_client(client([0.2, math.inf, 0.1]), 0, 1) == Block((0.1, 0.2, math.inf))
    nothing = at_the_client(client([]), 0, 1)
    assert (type(nothing), nothing.reason) == (Empty, "no order was due")


def looked_at(blocks, monkeypatch, *, trouble=(), looks=2):
    """A comparison whose loads have six pairs each, made of ``blocks(number of the load)``."""
    spans = [Judged((2.0 * n, 2.0 * n + 1), (2.0 * n + 1, 2.0 * n + 2)) for n in range(6)]
    made = []

    def load(_self, name, _schedule):
        made.append(name)
        trial = SimpleNamespace(trouble=trouble, window=SimpleNamespace(end=99.0), number=len(made))
        return trial, spans, ""

    monkeypatch.setattr(Interleaved, "_made", load)
    comparison = Interleaved(None, "C", [SCHEDULE] * looks, None)
    found = comparison.change("client", lambda trial, start, _end: blocks(trial, start), 0.99, 0.1)
    return found, made


def test_it_ends_as_soon_as_it_is_decided(monkeypatch):
    made = pairs()
    found, loads = looked_at(lambda _trial, start: made[int(start) // 2][int(start) % 2], monkeypatch)
    assert found.hi <= 0.1
    assert loads == ["C-1"], "the second load is not needed"


def test_what_is_open_is_looked_at_again_with_all_pairs(monkeypatch):
    made = {1: pairs(bursts=0.5, seed=5), 2: pairs(bursts=0.5, seed=6)}

    def blocks(trial, start):
        return made[trial.number][int(start) // 2][int(start) % 2]

    found, loads = looked_at(blocks, monkeypatch)
    assert loads == ["C-1", "C-2"]
    assert found.n == 7200, "of both loads"


def test_a_load_in_trouble_compares_nothing(monkeypatch):
    found, loads = looked_at(lambda *_: pytest.fail("asked"), monkeypatch, trouble=[Trouble("k6 died", "k6")])
    assert isinstance(found, Partial)
    assert found.reason == "k6 died"
    assert loads == ["C-1"]


def test_blocks_without_orders_are_no_pairs_and_the_reason_is_theirs(monkeypatch):
    found, loads = looked_at(lambda *_: Empty("q", "no order was due"), monkeypatch)
    assert found == Empty("q", "no order was due")
    assert loads == ["C-1", "C-2"]


def side_by_side(monkeypatch, *, changed=1.0, other=1.0, both=1.0, trouble=(), missing=()):
    """What waits so many times as long in arm B, and another; bursts slow both at the same time."""
    spans = [Judged((2.0 * n, 2.0 * n + 1), (2.0 * n + 1, 2.0 * n + 2)) for n in range(6)]
    looked = []

    def load(_self, name, _schedule):
        looked.append(name)
        return SimpleNamespace(trouble=trouble, window=SimpleNamespace(end=99.0)), spans, "paused by hand"

    def block(start, times, seed):
        draw = random.Random(f"{seed} {start}")
        slow = (4 if start // 2 % 2 else 1) * (both if start % 2 else 1)
        if start in missing:
            return Empty("orders", "none was due")
        return Block(tuple(sorted(times * slow * draw.uniform(1, 1.05) for _ in range(400))))

    monkeypatch.setattr(Interleaved, "_made", load)
    found = Interleaved(None, "C", [SCHEDULE] * 2, None).beside(
        lambda _trial, start, _end: block(start, changed if start % 2 else other, "one"),
        lambda _trial, start, _end: block(start, 1.0, "other"),
        0.99,
        0.1,
    )
    return found, looked


def test_what_slows_both_at_the_same_time_is_no_change(monkeypatch):
    found, looked = side_by_side(monkeypatch)
    assert found.hi <= 0.1
    assert looked == ["C-1"]
    assert found.query == "p99 of what arm B is about, paused by hand, against what it leaves alone"


def test_what_slows_the_one_alone_while_arm_b_is_on_is_one(monkeypatch):
    found, looked = side_by_side(monkeypatch, changed=1.25)
    assert found.lo > 0.1
    assert looked == ["C-1"]


def test_what_slows_both_whenever_arm_b_is_on_is_one_too(monkeypatch):
    """Such as a shard without a broker that takes a whole core for nothing."""
    found, looked = side_by_side(monkeypatch, both=5.0)
    assert found.lo > 0.1
    assert found.query == "p99 in arm B against arm A"
    assert looked == ["C-1"]


def test_where_the_two_are_not_alike_in_arm_a_nothing_can_be_told(monkeypatch):
    found, looked = side_by_side(monkeypatch, changed=1.25, other=1.25)
    assert (found.lo, found.hi) == (-1.0, math.inf)
    assert "this machine can't tell +10% today" in found.doubts[-1].text
    assert len(looked) == 2


def test_beside_each_other_too_a_load_in_trouble_or_blocks_that_lack_are_no_evidence(monkeypatch):
    found, _ = side_by_side(monkeypatch, trouble=[SimpleNamespace(text="k6 died")])
    assert (type(found), found.reason) == (Partial, "k6 died")
    found, looked = side_by_side(monkeypatch, missing={0.0})
    assert len(looked) == 2, "with the second load there are pairs enough"
    assert isinstance(found, Estimate)
    found, _ = side_by_side(monkeypatch, missing={1.0, 3.0, 5.0, 7.0})
    assert isinstance(found, Empty)
