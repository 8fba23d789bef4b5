"""Whether a Prometheus has anything of a stretch of the past, before anybody rests a verdict on it."""

import datetime as dt
import http.server
import json
import threading
import time
import urllib.parse

import pytest

from verdict_harness.errors import UsageError, WaitTimeout
from verdict_harness.systems import check_past, external, prometheus_there
from verdict_harness.systems.address import Address

NOW = time.time()
SERIES = "orders_total"


class Fake(http.server.ThreadingHTTPServer):
    """A Prometheus that keeps what it is told to, and has the series that it is told of."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = Address.of(f"http://127.0.0.1:{self.server_port}")
        self.told = {"storageRetention": "15d", "startTime": when(NOW - 3600)}
        self.has = {"up", SERIES}
        self.asked = []


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        asked = dict(urllib.parse.parse_qsl(parts.query))
        self.server.asked.append((parts.path, asked))
        if parts.path.endswith("runtimeinfo"):
            data = self.server.told
        else:
            known = any(f"({name}[" in asked["query"] for name in self.server.has)
            data = {"resultType": "vector", "result": [{}] if known or "vector(1)" in asked["query"] else []}
        text = json.dumps({"status": "success", "data": data} if data is not None else {}).encode()
        self.send_response(200 if data is not None else 404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def when(moment):
    return dt.datetime.fromtimestamp(moment, dt.UTC).isoformat()


@pytest.fixture
def fake():
    server = Fake()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def refused(fake, start, end):
    with pytest.raises(UsageError) as caught:
        check_past(fake.address, start, end, SERIES)
    assert str(fake.address) in str(caught.value)
    return str(caught.value)


def test_what_has_the_window_is_asked_about_that_window(fake):
    check_past(fake.address, NOW - 400, NOW - 100, SERIES)
    path, asked = fake.asked[-1]
    assert path == "/api/v1/query"
    assert asked["query"] == f"count(count_over_time({SERIES}[300s]))"
    assert float(asked["time"]) == pytest.approx(NOW - 100, abs=0.001)


def test_nothing_of_the_system_in_the_window(fake):
    fake.has = {"up"}
    said = refused(fake, NOW - 400, NOW - 100)
    assert "has nothing of that load" in said
    assert f"series such as {SERIES} from " in said


@pytest.mark.parametrize("kept", ["1h", "1h or 10GiB"])
def test_a_window_that_is_older_than_what_is_kept(fake, kept):
    fake.told["storageRetention"] = kept
    said = refused(fake, NOW - 3700, NOW - 100)
    assert "keeps nothing that old" in said
    assert f"it keeps {kept}" in said
    check_past(fake.address, NOW - 1800, NOW - 100, SERIES)


def test_a_window_from_before_its_start(fake):
    fake.has = {SERIES}
    said = refused(fake, NOW - 3700, NOW - 100)
    assert "was not there yet" in said
    assert "has nothing of before" in said
    fake.has = {SERIES, "up"}
    check_past(fake.address, NOW - 3700, NOW - 100, SERIES)


@pytest.mark.parametrize(
    "told", [None, {}, {"storageRetention": "10GiB"}, {"storageRetention": "", "startTime": "long ago"}]
)
def test_what_is_not_told_is_not_held_against_it(fake, told):
    fake.told = told
    check_past(fake.address, NOW - 1e8, NOW - 100, SERIES)


def test_which_prometheus_the_variables_name(fake):
    url = str(fake.address)
    assert prometheus_there({"PROM_URL": url}) == url
    assert prometheus_there({"PROM_URL": "http://127.0.0.1:1", "PROMETHEUS_URL": f"{url}/"}) == url


def test_variables_that_name_none(monkeypatch):
    monkeypatch.setattr(external, "_PATIENCE", 0.1)
    with pytest.raises(UsageError, match="is not known") as caught:
        prometheus_there({})
    assert "PROMETHEUS_URL, or PROM_URL" in str(caught.value)
    with pytest.raises(UsageError, match="PROM_URL can't be understood"):
        prometheus_there({"PROM_URL": "localhost:9090"})
    with pytest.raises(WaitTimeout) as refused_:
        prometheus_there({"PROM_URL": "http://127.0.0.1:1"})
    assert "where PROM_URL points" in str(refused_.value)
