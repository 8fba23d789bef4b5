"""Real k6 on real servers: whose trouble it is, and how long orders took from when they were due."""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import trustme

from verdict_harness.loads import Arrivals, Fate, Load, Order, Ramp, run_load
from verdict_harness.loads.reading import read
from verdict_harness.loads.response import Stretch, claimed, errors, response
from verdict_harness.loads.runner import read_orders
from verdict_harness.programs import store
from verdict_harness.samples import Estimate
from verdict_harness.systems import Command, LocalBackend, Place, Process, Service, System

SERVER = Path(__file__).with_name("order_server.py")
RATE, SECONDS = 40, 5
PLANNED = RATE * SECONDS
#: Where others take the machine's cores k6 sends a few orders late, not at all, or beyond the end. That is
#: said of k6, and no test here is about it.
SOME = PLANNED // 5
LIMIT = 0.2  # seconds, as the criteria have it
SCRIPT = """
import http from "k6/http";
import exec from "k6/execution";
import { Counter } from "k6/metrics";
const accepted = new Counter("accepted");
export const options = { insecureSkipTLSVerify: true, noConnectionReuse: !!__ENV.NEW, scenarios: { load: {
  executor: "constant-arrival-rate", rate: Number(__ENV.RATE), timeUnit: "1s", duration: `${__ENV.SECONDS}s`,
  preAllocatedVUs: Number(__ENV.VUS), maxVUs: Number(__ENV.VUS) } } };
export default function () {
  const answer = http.post(`${__ENV.URL}/orders`, "x", { tags: { name: "order" }, timeout: "20s" });
  if (answer.body === "ACCEPTED") accepted.add(1);
}
"""


def service(*words: str) -> Service:
    def command(at: Place) -> Command:
        return Command((sys.executable, str(SERVER), *words), {"PORT": str(at.port("http"))})

    return Service("orders", {"http": 8080}, "http:/health", Process(command))


@dataclass
class Run:
    """A load that was run, and what its orders say."""

    load: Load
    directory: Path

    @property
    def orders(self) -> tuple[Order, ...]:
        return read_orders(self.directory, self.load).all

    @property
    def stretch(self) -> Stretch:
        return Stretch.of("L", read_orders(self.directory, self.load), 0.0, math.inf)

    @property
    def p99(self) -> Estimate:
        found = response(self.stretch, 0.99)
        assert isinstance(found, Estimate)
        return found

    @property
    def errors(self) -> Estimate:
        found = errors(self.stretch)
        assert isinstance(found, Estimate)
        return found

    @property
    def claimed(self) -> Estimate:
        found = claimed("L", read_orders(self.directory, self.load))
        assert isinstance(found, Estimate)
        return found

    @property
    def against(self) -> set[str]:
        return {trouble.against for trouble in self.load.trouble}

    @property
    def void(self) -> list[str]:
        """Why nothing at all can be concluded, other than a few orders too many."""
        ours = re.compile(rf"\d+ orders came, where {PLANNED} were planned")
        return [
            one.text for one in self.load.trouble if one.against == "ANY" and not ours.fullmatch(one.text)
        ]

    @property
    def sent(self) -> list[Order]:
        """All that k6 sent; which must be nearly all."""
        found = [order for order in self.orders if order.fate is not Fate.UNSENT]
        assert len(found) >= len(self.orders) - SOME
        return found

    def fates(self) -> Counter[Fate]:
        return Counter(order.fate for order in self.orders)


Runner = Callable[..., Run]


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    """Run a load on a server; the script offers what the words say, the plan claims 40/s for 5 s."""

    def run(
        *words: str,
        rate: float = RATE,
        seconds: float = SECONDS,
        vus: int = 400,
        arrivals: Arrivals | None = Arrivals.constant(RATE, SECONDS),  # noqa: B008 - it is frozen
        at: Path = tmp_path,
        scheme: str = "http",
        during: Callable[[], None] | None = None,
        **env: str,
    ) -> Run:
        at.mkdir(exist_ok=True)
        script = at / "script.js"
        script.write_text(SCRIPT)
        with LocalBackend().deploy(System("orders", (service(*words),)), at / "run") as deployment:
            url = f"{scheme}://{deployment.endpoint('orders').address}"
            told = {"URL": url, "RATE": f"{rate:g}", "SECONDS": f"{seconds:g}", "VUS": str(vus), **env}
            load = run_load(
                deployment,
                script,
                name="L",
                testid=f"{at.name}/L",
                directory=at / "load",
                seconds=SECONDS,
                env=told,
                arrivals=arrivals,
                accepted="accepted",
                tags={"name": "order"},
                actions=[(1.5, during)] if during else [],
            )
        assert Load.from_json(json.loads(json.dumps(load.to_json()))) == load
        return Run(load, at / "load")

    return run


def the_k6() -> psutil.Process:
    (found,) = (one for one in psutil.Process().children(recursive=True) if one.name() == "k6")
    return found


def test_a_sound_system(run: Runner) -> None:
    done = run()
    assert not done.void
    assert {order.fate for order in done.sent} == {Fate.ACCEPTED}
    assert PLANNED <= len(done.orders) <= PLANNED + SOME
    assert done.errors.lo == 0
    dues = [order.due for order in done.orders]
    assert all(b - a == pytest.approx(1 / RATE, abs=1e-6) for a, b in itertools.pairwise(dues))
    assert all(order.begun is not None and order.begun >= order.due - 0.1 for order in done.sent)
    # a p99 of 200 orders has no upper bound
    assert done.p99.hi == math.inf
    assert done.p99.doubts[0].least == 299


def test_a_slow_system_is_late_and_fails(run: Runner) -> None:
    done = run("--slow=0.9")
    assert not done.void
    assert done.p99.lo > LIMIT


def test_a_system_that_hangs_fails_though_k6_ran_out_of_virtual_users(run: Runner) -> None:
    done = run("--hang=60,2.5", vus=20)
    fates = done.fates()
    assert fates[Fate.BUSY] > RATE / 4, "not sent for want of virtual users, which all waited"
    assert fates[Fate.ACCEPTED] + fates[Fate.BUSY] + fates[Fate.UNSENT] == len(done.orders)
    assert done.p99.lo > LIMIT
    assert done.errors.lo > 0.01
    assert done.claimed.hi < 0.99, "the system kept them from being sent"


def test_a_system_that_exits_in_mid_load_fails(run: Runner) -> None:
    done = run("--exit=100")
    assert "exit status 3" in done.load.died
    # where others take the cores k6 may have been late with all before, so that those after it seem early
    assert not [one for one in done.void if "sent before they were due" not in one]
    fates = done.fates()
    assert fates[Fate.ACCEPTED] <= 99
    lost = (Fate.UNANSWERED, Fate.CUT, Fate.DEAD)
    assert sum(fates[fate] for fate in lost) >= PLANNED - 99 - SOME
    assert PLANNED <= len(done.orders) <= PLANNED + SOME
    assert done.errors.lo > 0.3
    assert done.p99.hi == math.inf


def test_a_system_that_takes_nothing_and_says_so_with_status_200(run: Runner) -> None:
    done = run("--reject")
    assert set(done.load.statuses) == {"200"}
    assert {order.fate for order in done.sent} == {Fate.REFUSED}
    assert done.errors.lo > 0.97 * len(done.sent) / len(done.orders)
    assert done.p99.hi == math.inf


@pytest.mark.parametrize("seconds", [1.3, 2.5])
def test_a_k6_that_was_stopped_offered_less_than_it_claims(run: Runner, seconds: float) -> None:
    def stop() -> None:
        k6 = the_k6()
        k6.send_signal(signal.SIGSTOP)
        threading.Timer(seconds, k6.send_signal, [signal.SIGCONT]).start()

    done = run(during=stop)
    assert PLANNED <= len(done.orders) <= PLANNED + SOME, "the missed ones were sent in a burst"
    assert "PASS" in done.against
    assert not done.void
    assert any("the load was gentler than it claims" in one.text for one in done.load.trouble)
    assert max(order.waited for order in done.orders) > seconds - 0.2, "time counts from when it was due"
    assert done.p99.lo < LIMIT, "and it was no fault of the system's"
    assert (done.claimed.lo < 0.9, done.claimed.hi) == (True, 1.0)


def test_a_k6_that_is_throttled_makes_doubt(run: Runner) -> None:
    def throttle() -> None:
        k6 = the_k6()

        def slices() -> None:
            for _ in range(8):
                k6.send_signal(signal.SIGSTOP)
                time.sleep(0.3)
                k6.send_signal(signal.SIGCONT)
                time.sleep(0.02)

        threading.Thread(target=slices).start()

    done = run(during=throttle)
    assert any(doubt.instrument == "machine" for doubt in done.p99.doubts)
    assert done.p99.lo < LIMIT


@pytest.mark.parametrize(
    ("offered", "against", "words"),
    [
        ({"rate": 120}, "ANY", r"6\d\d orders came, where 200 were planned"),
        (
            {"rate": 44, "seconds": 4.5},
            "ANY",
            r"sent before they were due|2\d\d orders came, where 200 were",
        ),
        ({"rate": 13}, "PASS", "the load was gentler than it claims"),
        ({"seconds": 2}, "PASS", r"k6 did not send 1\d\d of 200 orders"),
    ],
    ids=["three times as many", "a tenth too fast", "a third of the rate", "ended early"],
)
def test_another_load_than_was_planned(
    run: Runner, offered: dict[str, float], against: str, words: str
) -> None:
    done = run(**offered)
    assert against in done.against
    assert any(trouble.against == against for trouble in done.load.trouble)
    assert re.search(words, "\n".join(trouble.text for trouble in done.load.trouble))


def test_samples_of_another_load_are_no_evidence(run: Runner, tmp_path: Path) -> None:
    one, other = run(at=tmp_path / "one", seconds=1), run(at=tmp_path / "other", seconds=1)
    mine = read(one.directory / "raw.csv.gz", {}, testid=one.load.testid)
    theirs = read(other.directory / "raw.csv.gz", {}, testid=one.load.testid)
    assert mine.foreign == 0
    assert theirs.foreign > theirs.all_requests


def test_connecting_counts(run: Runner, tmp_path: Path) -> None:
    pem = tmp_path / "server.pem"
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    done = run(f"--tls={pem}", scheme="https", NEW="1")
    assert done.load.percentiles["p(99)"] < 800, "which k6's own duration leaves out"
    # connecting takes 0.8 s, of which the machine may have stood still for some
    assert done.p99.lo > 0.7
    nobody_said = run(f"--tls={pem}", scheme="https", NEW="1", arrivals=None)
    assert nobody_said.p99.lo > 0.7


def test_settings_of_the_user_change_nothing(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for settings in (".config/k6", ".config/loadimpact/k6"):
        (tmp_path / "user" / settings).mkdir(parents=True)
        (tmp_path / "user" / settings / "config.json").write_text('{"vus": 1, "iterations": 3}')
    monkeypatch.setenv("VERDICT_HARNESS_CACHE", str(store.cache()))  # below the real HOME
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "user" / ".config"))
    monkeypatch.setenv("K6_DURATION", "1s")
    monkeypatch.setenv("SECRET_OF_THE_USER", "x")
    done = run(at=tmp_path / "a=b, c d")
    assert PLANNED <= len(done.orders) <= PLANNED + SOME, "and not three, of one virtual user"
    told = json.loads((done.directory / "k6-L.json").read_text())
    assert told["argv"][1] == "run"
    assert set(told["environment"]) == {
        "HOME", "LANG", "LC_ALL", "PATH", "K6_CSV_FILENAME", "K6_CSV_TIME_FORMAT",
        "K6_PROMETHEUS_RW_PUSH_INTERVAL", "K6_PROMETHEUS_RW_SERVER_URL", "K6_PROMETHEUS_RW_STALE_MARKERS",
        "K6_PROMETHEUS_RW_TREND_AS_NATIVE_HISTOGRAM",
    }  # fmt: skip
    served = json.loads((tmp_path / "a=b, c d" / "run" / "logs" / "orders.json").read_text())
    assert set(served["environment"]) == {"HOME", "LANG", "LC_ALL", "PATH", "PORT"}


def test_the_witness_sees_the_machine_stand_still(run: Runner) -> None:
    def stall() -> None:
        (witness,) = (
            one for one in psutil.Process().children(recursive=True) if "wakes.py" in " ".join(one.cmdline())
        )
        witness.send_signal(signal.SIGSTOP)
        threading.Timer(1.0, witness.send_signal, [signal.SIGCONT]).start()

    done = run("--slow=0.3", during=stall)
    stalls = read_orders(done.directory, done.load).stalls
    assert any(end - start > 0.9 for start, end in stalls)
    spared = [order for order in done.orders if order.lo == 0]
    assert len(spared) > 0.9 * RATE, "what was due then may have waited for the machine alone"
    assert all(order.waited > 0.29 for order in done.sent), "and this widens downwards only"
    rows = [json.loads(line) for line in (done.directory / "machine.jsonl").read_text().splitlines()]
    assert any("k6" in row for row in rows)
    assert "ended" in rows[-1]


@contextmanager
def shipped(at: Path) -> Iterator[Path]:
    """The repository's own scripts, with stages of a few seconds."""
    shutil.copytree(Path(__file__).parents[2] / "k6", at / "k6")
    profiles = at / "k6" / "lib" / "profiles.json"
    content = json.loads(profiles.read_text())
    for stage in content["experiments"]["B3"]["stages"]:
        stage["length_s"]["quick"] = 2
    profiles.write_text(json.dumps(content))
    yield at / "k6" / "test-asr2-b3-ramp.js"


def test_our_own_ramp_is_on_schedule(tmp_path: Path) -> None:
    arrivals = Arrivals((Ramp(17, 17, 2), Ramp(17, 42, 2), Ramp(42, 84, 2), Ramp(84, 84, 2)), ramping=True)
    system = System("orders", (service(),))
    with LocalBackend().deploy(system, tmp_path / "run") as deployment, shipped(tmp_path) as script:
        url = deployment.endpoint("orders").url
        load = run_load(
            deployment,
            script,
            name="L",
            testid="ramp/L",
            directory=tmp_path / "load",
            seconds=8.0,
            env={"PROFILE": "quick", "GATEWAY_URL": url, "SEED": "0", "REPLENISH": "0", "RUN_ID": "r"},
            arrivals=arrivals,
            accepted="orders_accepted",
            tags={"name": "order"},
        )
    orders = read_orders(tmp_path / "load", load)
    assert arrivals.planned <= len(orders.all) <= arrivals.planned * 1.05
    assert orders.early == 0
    # this server speaks no JSON: by the script's own word nothing was accepted
    sent = [order for order in orders.all if order.fate is Fate.REFUSED]
    assert [order.id for order in sent] == [f"r-{n}" for n in range(len(sent))], "each in its own place"
    assert len(sent) > 0.8 * len(orders.all), "a busy machine may miss some"
