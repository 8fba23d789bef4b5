"""A load as a real Prometheus saw it, which asks for a password: births, hangs, restarts, edges, rules.

One scenario of about half a minute runs once; the tests look at what was answered in it.

::

    0 s   settling: slow observations, and a slow last one
    5 s   the window: fast ones; a labelled counter is born at 30; one target restarts, one hangs
    15 s  the last second: slow ones
    16 s  the end; what covers it is waited for
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
import types
import wsgiref.simple_server

import httpx
import prometheus_client
import pytest

from verdict_harness.errors import WaitTimeout
from verdict_harness.processes import Guarded, Pending, Plan, Ports, until
from verdict_harness.programs import provide
from verdict_harness.record import Evidence
from verdict_harness.samples import (
    Empty,
    Estimate,
    Metrics,
    Partial,
    Prometheus,
    Rules,
    Server,
    Several,
    Window,
)
from verdict_harness.systems import (
    Address,
    ExternalBackend,
    Service,
    System,
    expressions,
    external,
    wait_until_covered,
)

PASSWORD = "s3cret"
HASH = "$2b$04$Uo7Mm7.uDRaebVvifaW1oOK3CqMZT/FLNndg/NYEMSe6o9c53qSoa"
RULES = """
groups:
  - name: g
    interval: 1s
    rules:
      - record: lat:p99
        expr: histogram_quantile(0.99, sum by (job, le) (rate(lat_seconds_bucket[4s]))) >= 0
      - record: work:rate
        expr: sum by (job) (rate(work_total[4s]))
      - record: lat:p50
        expr: histogram_quantile(0.5, sum by (job, le) (rate(lat_seconds_bucket[4s]))) >= 0
"""
QUERY = "count(count_over_time(up[3s]) >= 2)"
# as it is loaded: one is replaced by a constant, one is lacking
LOADED = RULES.replace("sum by (job) (rate(work_total[4s]))", "0 * sum by (job) (work_total) + 7").partition(
    "      - record: lat:p50"
)[0]


class Target:
    """An exporter on a port of its own, until it is closed."""

    def __init__(self, port):
        self.port = port
        self.hangs = threading.Event()
        self.registry = prometheus_client.CollectorRegistry()
        make = {"registry": self.registry}
        self.work = prometheus_client.Counter("work", "Done", **make)
        self.errors = prometheus_client.Counter("errors", "Failed", ["kind"], **make)
        self.lat = prometheus_client.Histogram("lat_seconds", "Took", buckets=(0.01, 0.1, 1.0), **make)
        self.start = prometheus_client.Gauge("process_start_time_seconds", "Since", **make)
        self.start.set(time.time())
        metrics = prometheus_client.make_wsgi_app(self.registry, disable_compression=True)

        def serve(environ, start_response):
            while self.hangs.is_set():
                time.sleep(0.05)
            return metrics(environ, start_response)

        def listen():
            try:
                return wsgiref.simple_server.make_server("127.0.0.1", port, serve, handler_class=_Quiet)
            except OSError as error:
                raise Pending(str(error)) from error

        self._server = until(f"port {port}", listen, timeout=10)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self):
        self.hangs.clear()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def handle(self):
        with contextlib.suppress(ConnectionError):  # whoever scraped a target that hung has left
            super().handle()


def configure(directory, targets):
    jobs = "".join(
        f'  - job_name: {name}\n    static_configs: [{{targets: ["127.0.0.1:{target.port}"]}}]\n'
        for name, target in targets.items()
    )
    (directory / "rules.yml").write_text(LOADED)
    (directory / "web.yml").write_text(f"basic_auth_users: {{me: {HASH}}}\n")
    (directory / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{directory / 'rules.yml'}]\nscrape_configs:\n{jobs}"
    )


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    directory = tmp_path_factory.mktemp("lab")
    with contextlib.ExitStack() as stack:
        ports = stack.enter_context(Ports())
        targets = {name: Target(ports.reserve()) for name in ("steady", "hung", "reborn")}
        stack.callback(lambda: [target.close() for target in targets.values()])
        configure(directory, targets)
        port = ports.reserve()
        argv = (
            str(provide("prometheus").path),
            f"--config.file={directory / 'prometheus.yml'}",
            f"--web.config.file={directory / 'web.yml'}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--web.enable-remote-write-receiver",
            "--log.level=warn",
        )
        held = [ports.descriptor(port)]
        with Guarded(Plan(argv, cwd=directory, log=directory / "prometheus.log", hold=held)) as process:
            url = f"http://me:{PASSWORD}@127.0.0.1:{port}"
            found = load(url, targets, lambda: _alive(process))
            yield asked(found, url, directory, targets)


def _alive(process):
    assert process.status is None, "Prometheus ended"


def load(url, targets, alive):
    address = Address.of(url)
    with httpx.Client(base_url=address, auth=address.login, trust_env=False) as client:

        def ready():
            try:
                answer = client.get("/api/v1/query", params={"query": QUERY}).json()
            except (httpx.HTTPError, ValueError) as error:
                raise Pending(str(error)) from error
            return [one["value"][1] for one in answer["data"]["result"]] == ["3"]

        until("all targets to be up", ready, timeout=40, alive=alive)
    begun, counts = time.time(), []

    def run(until_second, seconds):
        while (now := time.time()) < begun + until_second:
            for target in targets.values():
                target.work.inc()
            targets["steady"].lat.observe(seconds)
            counts.append(now)
            time.sleep(0.01)

    run(5, 0.5)
    start = time.time()
    run(9, 0.05)
    targets["steady"].errors.labels("full").inc(30)
    targets["reborn"].close()
    targets["reborn"] = Target(targets["reborn"].port)
    run(11, 0.05)
    targets["hung"].hangs.set()
    run(15, 0.05)
    run(16, 0.5)
    end = time.time()
    uncovered = wait_until_covered(address, end, ["lat:p99", "work:rate"])
    return types.SimpleNamespace(
        begun=begun, start=start, end=end, asked=time.time(), uncovered=uncovered, counts=counts
    )


def asked(found, url, directory, targets):
    evidence = Evidence.create(directory / "runs", profile="quick", backend="test", argv=[])
    window = Window(found.start, found.end)
    (directory / "written.yml").write_text(RULES)

    def ask(prometheus):
        metrics = Metrics(prometheus, Window(found.begun - 2, found.asked))
        server = Server(metrics, window, "orders")
        rules = Rules(prometheus, metrics, expressions(directory / "written.yml"), found.asked)
        p99 = server.quantile(0.99, "lat_seconds", job="steady")
        return {
            "p99": p99,
            "p50": server.quantile(0.5, "lat_seconds", job="steady"),
            "settling": Server(metrics, Window(found.begun, found.start - 1.5)).quantile(
                0.5, "lat_seconds", job="steady"
            ),
            "windows": server.windows(0.5, "lat_seconds", job="steady", every=3),
            "work": server.growth("work_total", job="steady"),
            "rate": server.rate("work_total", job="steady"),
            "ratio": server.ratio("errors_total", "work_total", job="steady"),
            "errors": server.growth("errors_total", of="work_total", job="steady"),
            "hung": server.growth("work_total", job="hung"),
            "hung rate": server.rate("work_total", job="hung"),
            "reborn": server.growth("work_total", job="reborn"),
            "several": server.growth("work_total"),
            "together": server.growth("work_total", job=("steady", "hung")),
            "missing": server.growth("missing_total", job="steady"),
            "misspelt": server.growth("work_total", job="steady", kind="full"),
            "start": server.gauge_max("process_start_time_seconds", job="steady"),
            "sound rule": rules.check("lat:p99", window, {"job": "steady"}, p99),
            "constant rule": rules.check("work:rate", window, {"job": "steady"}),
            "lacking rule": rules.check("lat:p50", window, {"job": "steady"}),
        }

    began = time.monotonic()
    live = ask(Prometheus(url, evidence, scrape=1))
    took = time.monotonic() - began
    questions = len(list((evidence.directory / "facts").iterdir()))
    evidence.seal()
    replayed = ask(Prometheus("http://127.0.0.1:1", Evidence.replay(evidence.directory), scrape=1))
    return types.SimpleNamespace(
        **vars(found), live=live, replayed=replayed, took=took, questions=questions, url=url,
        directory=directory, evidence=evidence, targets=targets,
    )  # fmt: skip


def test_the_last_second_counts_and_the_settling_time_does_not(lab):
    p99, p50 = lab.live["p99"], lab.live["p50"]
    assert p99.interval == (0.1, 1.0), "one order in eleven was slow, all of them in the last second"
    assert p50.interval == (0.01, 0.1), "of the slow ones of the settling time there is none"
    assert lab.live["settling"].interval == (0.1, 1.0), lab.live["settling"]
    assert len(lab.live["windows"].parts) == 3
    assert lab.live["windows"].whole == p50


def test_everything_between_the_scrapes_is_counted_once(lab):
    work, rate = lab.live["work"], lab.live["rate"]
    assert work.lo == work.hi == lab.live["p50"].n
    begin = work.at - work.seconds
    assert begin >= lab.start - 0.002
    assert work.at >= lab.end - 0.002
    # a scrape has the time at which it was asked for, and a busy machine answers a little later
    least, most = (sum(begin + late <= moment for moment in lab.counts) for late in (0.15, 0.0))
    assert least - 2 <= work.value <= most + 2, "what was made after the first scrape, to the last of them"
    # a rate ends with the last scrape of the window, not with what was idle after it
    within = sum(rate.at - rate.seconds <= moment <= rate.at for moment in lab.counts)
    assert rate.lo < within / rate.seconds < rate.hi
    assert lab.end - 1.1 < rate.at <= lab.end


def test_what_covers_the_end_was_waited_for(lab):
    assert "hung" in lab.uncovered or lab.uncovered == ""
    assert lab.live["work"].at <= lab.asked


def test_a_labelled_counter_that_first_appears_at_30_grew_by_30(lab):
    assert lab.live["errors"].interval == (30, 30)
    assert lab.live["errors"].n == lab.live["work"].n
    assert lab.live["ratio"].value == pytest.approx(30 / lab.live["work"].value)


def test_a_target_that_hangs_may_have_done_anything(lab):
    for question in ("hung", "hung rate", "together"):
        sample = lab.live[question]
        assert isinstance(sample, Estimate)
        assert sample.hi == math.inf
        assert "scrapes of hung" in sample.doubts[-1].text
        assert sample.doubts[-1].instrument.startswith("scrapes of hung")
    assert 0 < lab.live["hung"].lo < lab.live["work"].value


def test_a_process_that_restarted_and_series_of_others_are_no_numbers(lab):
    assert isinstance(lab.live["reborn"], Partial)
    assert "reset" in lab.live["reborn"].reason
    assert isinstance(lab.live["several"], Several)
    assert isinstance(lab.live["missing"], Empty)
    assert isinstance(lab.live["misspelt"], Empty)


def test_a_sound_rule_is_no_trouble_and_a_constant_or_a_lacking_one_is(lab):
    assert lab.live["sound rule"].trouble == ()
    assert len(lab.live["sound rule"].points) >= 8
    (constant,) = [one.text for one in lab.live["constant rule"].trouble if "in Prometheus" in one.text]
    assert "0 * sum by (job) (work_total) + 7" in constant
    assert any("says 7" in one.text for one in lab.live["constant rule"].trouble)
    assert "not among those that Prometheus evaluates" in lab.live["lacking rule"].trouble[0].text


def test_a_replay_with_nothing_running_gives_the_same(lab):
    assert lab.replayed == lab.live


def test_few_questions_are_asked(lab):
    """One for each metric and each target; whatever criteria there are, they read from those."""
    assert lab.questions <= 25


def test_the_password_is_nowhere(lab):
    files = [path for path in lab.evidence.directory.rglob("*") if path.is_file()]
    assert len(files) > lab.questions
    assert not [path for path in files if PASSWORD in path.read_text()]
    assert PASSWORD not in repr(lab.live)


def test_an_external_prometheus_that_asks_for_a_password(lab, tmp_path, monkeypatch):
    monkeypatch.setattr(external, "_PATIENCE", 0.5)
    service = Service("one", {"http": 80}, "http:/health", url_variable="ONE_URL")
    told = {"ONE_URL": f"http://127.0.0.1:{lab.targets['steady'].port}", "PROMETHEUS_URL": lab.url}
    with ExternalBackend(told).deploy(System("s", (service,)), tmp_path) as deployment:
        assert PASSWORD not in f"{deployment.prometheus}{deployment.prometheus!r}"
        assert deployment.prometheus.login == ("me", PASSWORD)
    told["PROMETHEUS_URL"] = lab.url.replace(PASSWORD, "wr0ng")
    with (
        pytest.raises(WaitTimeout, match="PROMETHEUS_URL points") as caught,
        ExternalBackend(told).deploy(System("s", (service,)), tmp_path),
    ):
        pytest.fail("it does not let us in")
    assert "401" in str(caught.value)
    assert "wr0ng" not in f"{caught.value}{caught.value.__cause__}"
