"""Every way of having no number, caused for real: a real Prometheus, real targets that misbehave.

One scenario of about half a minute runs once; the tests look at what was answered in it.

::

    0 s   steady targets; some of them observe for 3 s and are idle from then on
    8 s   one target ends
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

import prometheus_client
import pytest

from verdict_harness.processes import Pending, Ports, ask, running, until
from verdict_harness.programs import provide
from verdict_harness.record import Evidence
from verdict_harness.samples import (
    Empty,
    Estimate,
    Failed,
    Metrics,
    NotANumber,
    NoValue,
    Partial,
    Prometheus,
    Series,
    Server,
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

        self._server = until(f"port {self.port}", listen, timeout=60)
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
    asked = {"query": query, "time": str(at)}
    return ask(f"{url}/api/v1/query", lambda answer: answer.json()["data"]["result"], params=asked)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Run the scenario; return what was asked and answered, as a namespace."""
    directory = tmp_path_factory.mktemp("lab")
    evidence = Evidence.create(directory / "runs", profile="quick", backend="test", argv=[])
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(Ports())
        names = ("steady", "other", "victim")
        targets = {name: Target(ports.reserve()) for name in names}
        for name in names:
            stack.callback(lambda name=name: targets[name].close())
        port = ports.reserve()
        process = prometheus_process(directory, port, targets)
        stack.callback(process.wait)
        stack.callback(process.kill)
        url = f"http://127.0.0.1:{port}"
        yield scenario(url, evidence, targets, process, directory / "prometheus.log")


def scenario(url, evidence, targets, process, log):
    seconds = prometheus_client.Histogram(
        "seconds", "Durations", registry=targets["steady"].registry, buckets=BUCKETS
    )
    nan = prometheus_client.Gauge("nan", "None", registry=targets["steady"].registry)
    nan.set(float("nan"))

    def ready():
        up = ask_without_limit(url, "sum(up)", time.time())
        if not up or up[0]["value"][1] != "3":
            raise Pending(f"sum(up) = {up}")
        return True

    until("Prometheus to scrape all targets", ready, timeout=60, alive=running(process, log))
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
    killed = time.time()
    run(16)
    stopped = time.time()
    process.send_signal(signal.SIGSTOP)
    run(21)
    hasty = Prometheus(url, evidence, scrape=1, lookback=2, timeout=0.5)
    while_stopped = hasty.instant("level", begun + 5.5)
    run(22)
    process.send_signal(signal.SIGCONT)
    resumed = time.time()
    run(27)

    whole = Window(begun, resumed + 3)
    healthy, dying, holed = Window(begun, begun + 7), Window(begun, killed + 6), whole

    def ask(one):
        steady = '{job="steady"}'

        def level(window, **labels):
            return Server(Metrics(one, whole), window).gauge("level", **labels)

        return {
            "value": one.instant(f"level{steady}", begun + 6),
            "scalar": one.instant("2 + 3", begun + 6),
            "course": level(healthy, job="steady"),
            "empty": one.instant("nothing_of_that_name", begun + 6),
            "empty course": level(healthy, job="missing"),
            "nan": one.instant("nan", begun + 6),
            "idle p99": one.instant("histogram_quantile(0.99, rate(seconds_bucket[3s]))", begun + 12),
            "several": one.instant("level", begun + 6),
            "several courses": level(healthy),
            "bad query": one.instant("sum(", begun + 6),
            "range for a number": one.instant("level[5s]", begun + 6),
            "warned": one.instant("histogram_quantile(2, seconds_bucket)", begun + 6),
            "dead": one.instant('level{job="victim"}', killed + 4),
            "dying": level(dying, job="victim"),
            "dying rate": one.instant('rate(work_total{job="victim"}[6s])', killed + 3),
            "dead all through": level(Window(killed + 3, killed + 7), job="victim"),
            "in the hole": one.instant(f"level{steady}", stopped + 4),
            "over the hole": level(holed, job="steady"),
            "up, healthy": one.target_trouble('job=~"steady|victim"', healthy, targets=2),
            "up, one too few": one.target_trouble('job="steady"', healthy, targets=2),
            "up, dying": one.target_trouble('job="victim"', dying, targets=1),
            "up, hole": one.target_trouble('job="steady"', holed, targets=1),
            "future": one.instant(f"level{steady}", begun + 1000),
        }

    live = ask(Prometheus(url, evidence, scrape=1, lookback=2))
    unlimited = ask_without_limit(url, 'level{job="steady"}', stopped + 4)
    process.kill()
    process.wait()
    live["ended"] = Prometheus(url, evidence, scrape=1, lookback=2).instant("level", begun + 5)
    evidence.seal()
    replayed = ask(
        Prometheus("http://127.0.0.1:1", Evidence.replay(evidence.directory), scrape=1, lookback=2)
    )
    return types.SimpleNamespace(
        live=live, replayed=replayed, while_stopped=while_stopped, unlimited=unlimited
    )


def test_what_is_there_is_a_number(lab):
    assert lab.live["value"].value == 5.0
    assert lab.live["scalar"].value == 5.0
    assert isinstance(lab.live["course"], Series)
    assert lab.live["course"].samples >= 7
    assert {point.value for point in lab.live["course"]} == {5.0}


@pytest.mark.parametrize(
    ("question", "kind", "said"),
    [
        ("empty", Empty, "no such series"),
        ("empty course", Empty, "no such series"),
        ("nan", NotANumber, "nan"),
        ("idle p99", NotANumber, "nan"),
        ("several", Several, "3 series where one was meant"),
        ("several courses", Several, "series from 3 targets where 1 was meant"),
        ("bad query", Failed, "HTTP 400, bad_data"),
        ("range for a number", Failed, "a matrix where a vector"),
        ("warned", Partial, "Prometheus warns: "),
        ("dead", Stale, "the last was at"),
        ("dead all through", Empty, "no sample from"),
        ("dying", Partial, "scrapes of victim"),
        ("in the hole", Stale, "the last was at"),
        ("over the hole", Partial, "no scrape of steady"),
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


def test_a_dead_targets_rate_still_answers_and_the_guard_finds_it(lab):
    assert isinstance(lab.live["dying rate"], Estimate)
    assert lab.live["up, healthy"] is None
    assert "down at" in lab.live["up, dying"]
    assert "1 targets where 2 were expected" in lab.live["up, one too few"]
    assert "no raw sample between" in lab.live["up, hole"]


def test_a_replay_with_nothing_running_gives_the_same_samples(lab):
    live = {question: answer for question, answer in lab.live.items() if question != "ended"}
    assert lab.replayed == live
