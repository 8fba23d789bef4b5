"""One version against another: found in git, each with its own orders, and the CPU that one takes."""

import math
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.against import versions
from experiments.against.comparison import CLIENT, LIMIT, PARTS, RATE, Comparison
from experiments.exchange import GATEWAY
from verdict_harness.errors import UsageError
from verdict_harness.loads import Fate, Order, Orders, sustained
from verdict_harness.samples import percent
from verdict_harness.systems import Endpoint
from verdict_harness.verdicts import Below, Judge, Verdict

BEGAN = 1000.0


@pytest.fixture
def history(tmp_path):
    """A repository of three commits: without the exchange, with it, and with another one."""
    root = tmp_path / "project"
    root.mkdir()

    def git(*words):
        told = ["git", "-C", root, "-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
        subprocess.run([*told, *words], check=True, capture_output=True)

    def commit(text, *parts):
        for part in parts:
            (root / "src" / part).mkdir(parents=True, exist_ok=True)
            (root / "src" / part / "__init__.py").write_text(text)
        (root / "README.md").write_text(text)
        git("add", "-A")
        git("commit", "-qm", text)

    git("init", "-q", "-b", "main")
    commit("bare")
    commit("one", *versions.PARTS)
    git("tag", "v1")
    commit("two", *versions.PARTS)
    return root


@pytest.mark.parametrize(("ref", "text"), [("v1", "one"), ("HEAD~1", "one"), ("main", "two")])
def test_another_version_is_found_by_any_name_of_git(history, tmp_path, ref, text):
    folder = tmp_path / "against"
    folder.mkdir()
    versions.sources(versions.commit(ref, history), folder, history)
    for part in versions.PARTS:
        assert (folder / "src" / part / "__init__.py").read_text() == text
    assert [path.name for path in folder.iterdir()] == ["src"], "and nothing else of it"


@pytest.mark.parametrize(
    ("ref", "said"),
    [
        ("nowhere", "there is no commit 'nowhere'"),
        ("--all", "there is no commit '--all'"),
        ("HEAD~2", "'HEAD~2' is no version of the exchange"),
    ],
)
def test_what_is_no_version_is_refused(history, ref, said):
    with pytest.raises(UsageError, match=said):
        versions.commit(ref, history)


def test_where_there_is_no_git_that_is_said(history, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="--against needs git"):
        versions.commit("main", history)


class Up:
    """Versions of which each order takes so many seconds of the CPU of each part."""

    def __init__(self, clock, cost):
        self.clock, self.cost = clock, cost

    def inside(self, service):
        return Endpoint(service, 80)

    def used(self, service):
        return RATE / 3 * (self.clock[0] - BEGAN) * self.cost[service]


def judged(monkeypatch, *, costs=None, late=0.0, waits=(1.0, 1.0, 1.0), trouble=()):
    """Judge versions of which some parts take so many times as much, and clients wait so much longer.

    Returns:
        What came out of each figure, and the load.
    """
    clock, plans = [BEGAN], []
    names = [part + ends for part in PARTS for ends in ("", "-before", "-again")]
    up = Up(clock, {name: 0.001 * (costs or {}).get(name, 1.0) for name in names})
    monkeypatch.setattr(sustained, "time", SimpleNamespace(time=lambda: clock[0] + late))

    def trial(plan):
        plans.append(plan)
        for at, act in plan.actions(up):
            clock[0] = BEGAN + at
            act()
        dues = [BEGAN + n / RATE for n in range(plan.iterations)]
        took = [waits[n % 3] * (0.01 + n % 100 / 1e5) for n in range(plan.iterations)]
        orders = tuple(
            Order(due, due, Fate.ACCEPTED, wait, wait, wait, f"r-against-{n}")
            for n, (due, wait) in enumerate(zip(dues, took, strict=True))
        )
        kept, window = SimpleNamespace(orders=Orders(BEGAN, orders, None)), SimpleNamespace(end=2000.0)
        return SimpleNamespace(name=plan.name, trouble=trouble, window=window, kept=kept)

    evidence = SimpleNamespace(fact=lambda _, ask: ask())
    run = SimpleNamespace(quick=True, profile="quick", run_id="r", evidence=evidence)
    found = Comparison(SimpleNamespace(run=run, trial=trial), Path("there")).samples
    verdicts = {}
    for name, sample in found.items():
        judge = Judge()
        judge(sample, Below(100 * LIMIT * percent))
        verdicts[name] = judge.findings[0].verdict
    return verdicts, plans[0], up


def test_the_same_version_is_within_the_limit(monkeypatch):
    verdicts, plan, up = judged(monkeypatch)
    assert verdicts == dict.fromkeys([*CLIENT, *PARTS], Verdict.PASS)
    told = plan.env(up)
    first, *others = (f"http://{GATEWAY}{ends}:80" for ends in ("", "-before", "-again"))
    assert (told["GATEWAY_URL"], told["OTHERS"].split(",")) == (first, others)
    services = {service.name: service for service in plan.system.services}
    for part in PARTS:
        env = {
            ends: services[part + ends].process.command(Somewhere()).env.get("PYTHONPATH")
            for ends in ("", "-before", "-again")
        }
        assert env == {"": None, "-before": "there", "-again": "there"}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_takes_more_of_the_cpu_fails_and_the_other_does_not(monkeypatch, part):
    verdicts, *_ = judged(monkeypatch, costs={part: 1.15})
    assert verdicts == dict.fromkeys([*CLIENT, *PARTS], Verdict.PASS) | {part: Verdict.FAIL}


@pytest.mark.parametrize("part", PARTS)
def test_where_the_other_version_differs_from_itself_nothing_can_be_told(monkeypatch, part):
    verdicts, *_ = judged(monkeypatch, costs={f"{part}-again": 1.15})
    assert verdicts == dict.fromkeys([*CLIENT, *PARTS], Verdict.PASS) | {part: Verdict.INCONCLUSIVE}


@pytest.mark.parametrize(
    ("waits", "verdict"),
    [
        ((1.15, 1.0, 1.0), Verdict.FAIL),
        ((math.inf, 1.0, 1.0), Verdict.FAIL),
        ((1.0, 1.0, 1.15), Verdict.INCONCLUSIVE),
    ],
)
def test_clients_that_wait_longer_are_seen(monkeypatch, waits, verdict):
    verdicts, *_ = judged(monkeypatch, waits=waits)
    assert verdicts == dict.fromkeys(CLIENT, verdict) | dict.fromkeys(PARTS, Verdict.PASS)


@pytest.mark.parametrize("amiss", [{"late": 1.0}, {"trouble": [SimpleNamespace(text="k6 was late")]}])
def test_what_was_not_as_planned_is_no_evidence(monkeypatch, amiss):
    verdicts, *_ = judged(monkeypatch, **amiss)
    assert set(verdicts.values()) == {Verdict.INCONCLUSIVE}


class Somewhere:
    """A place for a process."""

    directory = Path("here")

    def port(self, _name):
        return 1

    def endpoint(self, service, _port):
        return Endpoint(service, 80)
