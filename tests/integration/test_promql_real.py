"""Every way of having no number, caused for real: a real Prometheus, real targets that misbehave.

One scenario of about half a minute runs once; the tests look at what was answered in it.

::

    0 s   steady targets; some of them observe for 3 s and are idle from then on
    8 s   one target ends, another starts anew with its counters at zero
    16 s  Prometheus is stopped for 6 s, asked meanwhile, and goes on
    27 s  Prometheus ends
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
import types
import wsgiref.simple_server

import httpx
import prometheus_client
import pytest

from verdict_harness.processes import Pending, Ports, until
from verdict_harness.programs import provide
from verdict_harness.record import Evidence
from verdict_harness.samples import (
    Empty,
    Estimate,
    Failed,
    NotANumber,
    NoValue,
    Partial,
    Prometheus,
    Series,
    Several,
    Stale,
    Window,
    ms,
)
from verdict_harness.verdicts import Below, Verdict

BUCKETS = (0.01, 0.1, 1.0)


class Target:
    """An exporter: serves a registry of its own on its port until it is closed."""

    def __init__(self, port):
        self.registry = prometheus_client.CollectorRegistry()
        self.work = prometheus_client.Counter("work", "Work done", registry=self.registry)
        self.level = prometheus_client.Gauge("level", "A level", registry=self.registry)
        self.level.set(5)
        self.port = port
        self.serve()

    def serve(self):
        app = prometheus_client.make_wsgi_app(self.registry, disable_compression=True)

        def listen():
            try:
                return wsgiref.simple_server.make_server("127.0.0.1", self.port, app, handler_class=_Quiet)
            except OSError as error:  # somebody may be trying whether the port is free
                raise Pending(str(error)) from error

        self._server = until(f"port {self.port}", listen, timeout=10)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass


def prometheus_process(directory, port, targets):
    jobs = "".join(
        f'  - job_name: {name}\n    static_configs: [{{targets: ["127.0.0.1:{target.port}"]}}]\n'
        for name, target in targets.items()
    )
    config = directory / "prometheus.yml"
    config.write_text(f"global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n{jobs}")
    argv = [
        provide("prometheus").path,
        f"--config.file={config}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (directory / "prometheus.log").open("wb") as log:
        return subprocess.Popen(argv, stdout=log, stderr=log)


def ask_without_limit(url, query, at):
    """What Prometheus says to those who do not limit how far it looks back."""
    answer = httpx.get(f"{url}/api/v1/query", params={"query": query, "time": at}, trust_env=False).json()
    return answer["data"]["result"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Run the scenario; return what was asked and answered, as a namespace."""
    directory = tmp_path_factory.mktemp("lab")
    evidence = Evidence.create(directory / "runs", profile="quick", backend="test", argv=[])
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(Ports())
        names = ("steady", "other", "victim", "reborn")
        targets = {name: Target(ports.reserve()) for name in names}
        for name in names:
            stack.callback(lambda name=name: targets[name].close())
        port = ports.reserve()
        process = prometheus_process(directory, port, targets)
        stack.callback(process.wait)
        stack.callback(process.kill)
        url = f"http://127.0.0.1:{port}"
        yield scenario(url, evidence, targets, process)


def scenario(url, evidence, targets, process):
    seconds = prometheus_client.Histogram(
        "seconds", "Durations", registry=targets["steady"].registry, buckets=BUCKETS
    )
    nan = prometheus_client.Gauge("nan", "None", registry=targets["steady"].registry)
    nan.set(float("nan"))

    def ready():
        try:
            up = ask_without_limit(url, "sum(up)", time.time())
        except httpx.HTTPError as error:
            raise Pending(str(error)) from error
        if not up or up[0]["value"][1] != "4":
            raise Pending(f"sum(up) = {up}")
        return True

    def alive():
        assert process.poll() is None, "Prometheus ended"

    until("Prometheus to scrape all targets", ready, timeout=30, alive=alive)
    begun = time.time()

    def run(until_second):
        while (now := time.time() - begun) < until_second:
            for target in targets.values():
                target.work.inc()
            if now < 3:
                seconds.observe(0.05)
            time.sleep(0.02)

    run(8)
    targets["victim"].close()
    targets["reborn"].close()
    targets["reborn"] = Target(targets["reborn"].port)
    killed = time.time()
    run(16)
    stopped = time.time()
    process.send_signal(signal.SIGSTOP)
    run(21)
    hasty = Prometheus(url, evidence, step=1, lookback=2, timeout=0.5)
    while_stopped = hasty.instant("level", begun + 5.5)
    run(22)
    process.send_signal(signal.SIGCONT)
    resumed = time.time()
    run(27)

    whole = Window(begun, resumed + 3)
    healthy, dying, holed = Window(begun, begun + 7), Window(begun, killed + 6), whole
    idle = Window(begun + 1, begun + 15)

    def ask(one):
        steady = '{job="steady"}'
        return {
            "value": one.instant(f"level{steady}", begun + 6),
            "scalar": one.instant("2 + 3", begun + 6),
            "series": one.over(f"work_total{steady}", healthy),
            "each": one.each("level", healthy, "job", ["steady", "other", "victim", "reborn"]),
            "each, unexpected": one.each("level", healthy, "job", ["steady", "missing"]),
            "difference": one.difference(f"work_total{steady}", healthy),
            "rate": one.rate(f"work_total{steady}", healthy),
            "summed": one.difference('work_total{job=~"steady|other"}', healthy, series=2),
            "empty": one.instant("nothing_of_that_name", begun + 6),
            "empty series": one.over("nothing_of_that_name", healthy),
            "nan": one.instant("nan", begun + 6),
            "idle p99": one.over("histogram_quantile(0.99, rate(seconds_bucket[3s]))", idle),
            "several": one.instant("level", begun + 6),
            "several series": one.over("level", healthy),
            "several counters": one.difference("work_total", healthy),
            "bad query": one.instant("sum(", begun + 6),
            "range for a number": one.instant("level[5s]", begun + 6),
            "warned": one.instant("histogram_quantile(2, seconds_bucket)", begun + 6),
            "dead": one.instant('level{job="victim"}', killed + 4),
            "dying": one.over('level{job="victim"}', dying),
            "dying counter": one.difference('work_total{job="victim"}', dying),
            "dying rate": one.instant('rate(work_total{job="victim"}[6s])', killed + 3),
            "dead all through": one.over('level{job="victim"}', Window(killed + 3, killed + 7)),
            "reset": one.difference('work_total{job="reborn"}', dying),
            "in the hole": one.instant(f"level{steady}", stopped + 4),
            "over the hole": one.over(f"level{steady}", holed),
            "counter over the hole": one.difference(f"work_total{steady}", holed),
            "up, healthy": one.target_trouble('job=~"steady|victim"', healthy, targets=2),
            "up, one too few": one.target_trouble('job="steady"', healthy, targets=2),
            "up, dying": one.target_trouble('job="victim"', dying, targets=1),
            "up, hole": one.target_trouble('job="steady"', holed, targets=1),
            "future": one.instant(f"level{steady}", begun + 1000),
        }

    live = ask(Prometheus(url, evidence, step=1, lookback=2))
    unlimited = ask_without_limit(url, 'level{job="steady"}', stopped + 4)
    process.kill()
    process.wait()
    live["ended"] = Prometheus(url, evidence, step=1, lookback=2).instant("level", begun + 5)
    evidence.seal()
    replayed = ask(Prometheus("http://127.0.0.1:1", Evidence.replay(evidence.directory), step=1, lookback=2))
    return types.SimpleNamespace(
        live=live, replayed=replayed, while_stopped=while_stopped, unlimited=unlimited
    )


def test_what_is_there_is_a_number(lab):
    assert lab.live["value"].value == 5.0
    assert lab.live["scalar"].value == 5.0
    assert isinstance(lab.live["series"], Series)
    assert lab.live["series"].samples == 8
    assert {key: type(sample) for key, sample in lab.live["each"].items()} == dict.fromkeys(
        ["steady", "other", "victim", "reborn"], Series
    )


def test_a_counter_grows_by_what_it_counted(lab):
    """At most 50 a second were counted, and fewer where this machine is busy: the two ways must agree."""
    difference, rate, series = lab.live["difference"], lab.live["rate"], lab.live["series"]
    assert isinstance(difference, Estimate)
    assert difference.samples >= 6
    grown = series.points[-1].value - series.points[0].value
    assert 0 < difference.value <= grown + 100
    assert difference.value == round(difference.value), "raw samples are not extrapolated"
    assert rate.value == pytest.approx(difference.value / 6.5, rel=0.25)
    assert lab.live["summed"].value == pytest.approx(2 * difference.value, rel=0.4)


@pytest.mark.parametrize(
    ("question", "kind", "said"),
    [
        ("empty", Empty, "no such series"),
        ("empty series", Empty, "no such series"),
        ("nan", NotANumber, "nan"),
        ("idle p99", NotANumber, "of 15 points are no numbers (nan)"),
        ("several", Several, "4 series where one was meant"),
        ("several series", Several, "4 series where one was meant"),
        ("several counters", Several, "4 series where 1 were meant"),
        ("bad query", Failed, "HTTP 400, bad_data"),
        ("range for a number", Failed, "a matrix where a vector"),
        ("warned", Partial, "Prometheus warns: "),
        ("dead", Stale, "the last was at"),
        ("dead all through", Stale, "the last was at"),
        ("dying", Partial, "; none between"),
        ("dying counter", Partial, "s before the window's end"),
        ("reset", Partial, "the counter was reset"),
        ("in the hole", Stale, "the last was at"),
        ("over the hole", Partial, "; none between"),
        ("counter over the hole", Partial, "no raw sample between"),
        ("future", Failed, "had not happened yet"),
        ("ended", Failed, "ConnectError"),
    ],
)
def test_what_is_no_number_is_of_its_kind_and_never_passes(lab, question, kind, said):
    sample = lab.live[question]
    assert type(sample) is kind, sample
    assert said in sample.reason
    assert Below(1e9 * ms).judge(sample).verdict is Verdict.INCONCLUSIVE


def test_a_stopped_prometheus_has_not_answered(lab):
    assert isinstance(lab.while_stopped, Failed)
    assert "no answer within 0.5 s" in lab.while_stopped.reason


def test_without_the_limit_prometheus_gives_an_old_value_for_the_hole(lab):
    """The reason for asking with lookback_delta: this number was measured before the hole."""
    assert [each["value"][1] for each in lab.unlimited] == ["5"]
    assert isinstance(lab.live["in the hole"], NoValue)


def test_by_label_a_missing_one_is_empty_and_an_unexpected_one_shows(lab):
    kinds = {key: type(sample) for key, sample in lab.live["each, unexpected"].items()}
    assert kinds == {
        "steady": Series, "missing": Empty, "other": Several, "victim": Several, "reborn": Several
    }  # fmt: skip


def test_a_dead_targets_rate_still_answers_and_the_guard_finds_it(lab):
    assert isinstance(lab.live["dying rate"], Estimate)
    assert lab.live["up, healthy"] is None
    assert "down at" in lab.live["up, dying"]
    assert "1 targets where 2 were expected" in lab.live["up, one too few"]
    assert "no raw sample between" in lab.live["up, hole"]


def test_a_replay_with_nothing_running_gives_the_same_samples(lab):
    live = {question: answer for question, answer in lab.live.items() if question != "ended"}
    assert lab.replayed == live
