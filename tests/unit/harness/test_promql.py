from __future__ import annotations

import copy
import email.utils
import http.server
import json
import re
import threading
import time
import urllib.parse

import pytest

from verdict_harness.record import Evidence
from verdict_harness.samples import (
    Empty,
    Estimate,
    Failed,
    NotANumber,
    Partial,
    Prometheus,
    Several,
    Stale,
    Window,
    exact,
    fetch,
)

WINDOW = Window(1_700_000_000.0, 1_700_000_060.0)
AT = WINDOW.end


class Fake(http.server.ThreadingHTTPServer):
    """Answers from a list, as whatever Prometheus or somebody on its port would."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked = []
        self.answers = []
        self.date = None

    def says(self, *answers, status=200):
        self.answers += [(status, answer) for answer in answers]


def _named(answer, query):
    """Give every series the name that was asked for, unless it has one: as Prometheus would."""
    name = re.match(r"[a-z_]+(?=$|[{\[])", query)
    answer = copy.deepcopy(answer)
    if name and isinstance(answer.get("data"), dict):
        for one in answer["data"].get("result", ()):
            if isinstance(one, dict) and "metric" in one:
                one["metric"].setdefault("__name__", name[0])
    return answer


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        self.server.asked.append((parts.path, dict(urllib.parse.parse_qsl(parts.query)), self.headers))
        status, answer = self.server.answers.pop(0)
        asked = self.server.asked[-1][1].get("query", "")
        text = answer if not isinstance(answer, dict) else json.dumps(_named(answer, asked))
        if status is None:
            self.connection.close()
            return
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def date_time_string(self, timestamp=None):
        return self.server.date or super().date_time_string(timestamp)

    def log_message(self, *_):
        pass


@pytest.fixture
def fake():
    with Fake() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def evidence(tmp_path):
    return Evidence.create(tmp_path, profile="quick", backend="test", argv=[])


@pytest.fixture
def prometheus(fake, evidence):
    return Prometheus(fake.url, evidence, timeout=2)


def vector(*values, **rest):
    result = [{"metric": {"shard": "abcdef"[i]}, "value": [AT, v]} for i, v in enumerate(values)]
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **rest}


def matrix(*series, **rest):
    result = [{"metric": labels, "values": [[t, str(v)] for t, v in points]} for labels, points in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}, **rest}


def line(values, labels=(), start=WINDOW.start, step=5.0):
    return dict(labels), [(start + step * i, v) for i, v in enumerate(values)]


NOTHING = {"status": "success", "data": {"resultType": "matrix", "result": []}}


# -- asking


def test_a_question_limits_how_far_prometheus_looks_back(fake, prometheus):
    fake.says(vector("0.25"))
    assert prometheus.instant("x", AT) == exact("x", 0.25, AT, n=1)
    path, params, _ = fake.asked[0]
    assert path == "/api/v1/query"
    assert params == {"query": "x", "time": "1700000060.000", "lookback_delta": "15.000", "timeout": "2.000"}


def test_a_course_asks_for_both_ends_and_a_path_in_front_stays(fake, evidence):
    fake.says(matrix(line([1] * 13)))
    (track,) = Prometheus(fake.url + "/prom/", evidence).course("x", WINDOW.start, WINDOW.end, 5.0)
    assert (len(track.points), track.points[-1]) == (13, (AT, 1.0))
    path, params, _ = fake.asked[0]
    assert path == "/prom/api/v1/query_range"
    assert (params["start"], params["end"], params["step"]) == ("1700000000.000", "1700000060.000", "5.000")


def test_raw_samples_are_of_the_window_and_both_ends_belong_to_it(fake, prometheus):
    fake.says(matrix(line(range(13), {"shard": "a"})))
    query, (track,) = prometheus.raw('c_total{shard="a"}', WINDOW)
    assert query == 'c_total{shard="a"}[60001ms]'
    assert fake.asked[0][1]["time"] == "1700000060.000"
    assert [point.value for point in track.points] == list(range(13))


def test_the_answer_is_written_as_it_came_and_a_replay_needs_nobody(fake, prometheus, evidence):
    fake.says(vector("0.25"), matrix(line(range(13))), matrix(line([1, float("nan"), 2])))
    fake.says("<html>", status=502)

    def ask(one):
        return [
            one.instant("x", AT),
            one.raw("c_total", WINDOW),
            one.raw("c_total", WINDOW),
            str(one.course("nan", WINDOW.start, WINDOW.start + 10, 5.0)),  # no NaN is like another
            one.instant("gateway", AT),
        ]

    live = ask(prometheus)
    assert len(fake.asked) == 4, "who asks the same gets the same answer"
    recorded = json.loads(next((evidence.directory / "facts").glob("x-time-*.json")).read_text())["answer"]
    assert recorded["body"] == _named(vector("0.25"), "x")
    assert recorded["url"] == f"{fake.url}/api/v1/query"
    assert (recorded["status"], recorded["params"]["query"]) == (200, "x")
    assert abs(recorded["asked"] - time.time()) < 60
    evidence.seal()
    again = ask(Prometheus("http://gone.invalid", Evidence.replay(evidence.directory)))
    assert again == live
    assert len(fake.asked) == 4


def test_a_password_is_used_but_not_written_down(fake, evidence):
    fake.says(vector("1"))
    url = fake.url.replace("//", "//jane:secret@")
    assert isinstance(Prometheus(url, evidence).instant("x", AT), Estimate)
    assert fake.asked[0][2]["Authorization"].startswith("Basic ")
    assert not any("secret" in path.read_text() for path in evidence.directory.rglob("*.json"))


def test_a_proxy_of_the_environment_is_not_asked_about_this_machine(fake, prometheus, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    fake.says(vector("1"))
    assert isinstance(prometheus.instant("x", AT), Estimate)


def test_a_broken_connection_is_tried_again(fake, prometheus):
    fake.answers.append((None, ""))
    fake.says(vector("1"))
    assert isinstance(prometheus.instant("x", AT), Estimate)
    assert len(fake.asked) == 2


def test_a_connection_that_stays_broken_has_failed(fake, prometheus):
    fake.answers += [(None, "")] * 3
    sample = prometheus.instant("x", AT)
    assert isinstance(sample, Failed)
    assert "could not be asked: RemoteProtocolError" in sample.reason
    assert len(fake.asked) == 3


def test_a_closed_port_has_failed(evidence, fake):
    fake.shutdown()
    fake.server_close()
    sample = Prometheus(fake.url, evidence).instant("x", AT)
    assert isinstance(sample, Failed)
    assert "ConnectError" in sample.reason
    assert "refused" in sample.reason


def test_no_answer_in_time_has_failed_and_is_not_tried_again(evidence, monkeypatch):
    asked = []

    def get(*question):
        asked.append(question)
        raise fetch.web.httpx.ReadTimeout("")

    monkeypatch.setattr(fetch, "_get", get)
    sample = Prometheus("http://127.0.0.1:1", evidence, timeout=3).instant("x", AT)
    assert isinstance(sample, Failed)
    assert sample.reason.endswith("ReadTimeout: no answer within 3 s")
    assert len(asked) == 1


def test_who_does_not_answer_costs_a_tenth_of_the_patience_until_an_answer_comes(evidence, monkeypatch):
    given = []

    def get(_address, _path, params, timeout):
        given.append(timeout)
        if params["query"] != "back":
            raise fetch.web.httpx.ReadTimeout("")
        return fetch.web.httpx.Response(200, json=vector("1"))

    monkeypatch.setattr(fetch, "_get", get)
    prometheus = Prometheus("http://127.0.0.1:1", evidence, timeout=3)
    for query in [*(f"x{n}" for n in range(12)), "back", "y"]:
        prometheus.instant(query, AT)
    short = pytest.approx(0.3)
    assert given == [3, 3, *[short] * 8, 3, short, short, 3]
    assert "no answer within 0.3 s" in prometheus.instant("x11", AT).reason


@pytest.mark.parametrize("url", ["http://[", "127.0.0.1:9", "", "http://127.0.0.1:99999999"])
def test_what_is_no_address_has_failed(evidence, url):
    assert isinstance(Prometheus(url, evidence).instant("x", AT), Failed)


# -- reading


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (200, "<html>a proxy</html>", "HTTP 200 and not JSON: '<html>a proxy"),
        (200, '{"status":"success","data":NaN}', "not JSON"),
        (302, "", "HTTP 302 and not JSON"),
        (400, '{"status":"error","errorType":"bad_data","error":"unclosed"}', "HTTP 400, bad_data: unclosed"),
        (503, '{"status":"error","errorType":"timeout","error":"too slow"}', "HTTP 503, timeout: too slow"),
        (200, '{"status":"error","error":"odd"}', "odd"),
        (500, '{"status":"success","data":{"resultType":"vector","result":[]}}', "HTTP 500"),
        (200, "[]", "not an answer of Prometheus"),
        (200, "null", "not an answer of Prometheus"),
        (200, '"success"', "not an answer of Prometheus"),
        (200, "{}", "HTTP 200, no error type"),
        (200, '{"status":"success"}', "not an answer of Prometheus"),
        (200, '{"status":"success","data":{"resultType":"vector","result":[{}]}}', "not an answer"),
        (
            200,
            '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"one"]}]}}',
            "one",
        ),
        (
            200,
            '{"status":"success","data":{"resultType":"string","result":[1,"a"]}}',
            "is a string where a vector",
        ),
        (
            200,
            '{"status":"success","data":{"resultType":"matrix","result":[]}}',
            "is a matrix where a vector",
        ),
        (
            200,
            '{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{}]}]}}',
            "a histogram and not a number",
        ),
    ],
)
def test_what_makes_no_sense_has_failed_and_says_how(fake, prometheus, status, text, said):
    fake.says(text, status=status)
    sample = prometheus.instant("x", AT)
    assert isinstance(sample, Failed)
    assert said in sample.reason


@pytest.mark.parametrize("points", [[], [(1.0, 1), (1.0, 2)], [(2.0, 1), (1.0, 2)]])
def test_a_series_without_order_has_failed(fake, prometheus, points):
    fake.says(matrix(({}, points)))
    assert isinstance(prometheus.course("x", WINDOW.start, WINDOW.end, 5.0), Failed)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf"])
def test_not_a_number(fake, prometheus, value):
    fake.says(vector(value))
    assert isinstance(prometheus.instant("x", AT), NotANumber)


def test_a_scalar_is_a_number(fake, prometheus):
    fake.says({"status": "success", "data": {"resultType": "scalar", "result": [AT, "5"]}})
    assert prometheus.instant("scalar(x)", AT) == exact("scalar(x)", 5.0, AT, n=1)


def test_several_are_named(fake, prometheus):
    fake.says(vector("1", "2", "3", "4", "5"))
    sample = prometheus.instant("x", AT)
    assert isinstance(sample, Several)
    assert sample.reason.startswith('5 series where one was meant: x{shard="a"}, x{shard="b"}')
    assert sample.reason.endswith("…")


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ({"warnings": ["1 store did not answer"]}, "Prometheus warns: 1 store did not answer"),
        ({"infos": ["buckets had to be fixed"]}, "Prometheus warns: buckets had to be fixed"),
        ({"isPartial": True}, "it is not whole: isPartial"),
        ({"partialResponse": True}, "it is not whole: partialResponse"),
    ],
)
def test_an_answer_that_is_not_whole_is_partial(fake, prometheus, mark, said):
    fake.says(vector("1", **mark))
    sample = prometheus.instant("x", AT)
    assert isinstance(sample, Partial)
    assert said in sample.reason


def test_what_prometheus_guesses_from_a_name_and_a_mark_that_is_off_are_no_doubt(fake, prometheus):
    fake.says(vector("1", infos=['PromQL info: metric might not be a counter: "x"'], isPartial=False))
    assert isinstance(prometheus.instant("x", AT), Estimate)


@pytest.mark.parametrize(
    ("query", "series", "said"),
    [
        ("x", ({"__name__": "y"}, [(AT, 1)]), '__name__="x" was asked for'),
        ('x{shard="a"}', ({"shard": "b"}, [(AT, 1)]), 'shard="a" was asked for'),
        ('x{shard="a"}', ({}, [(AT, 1)]), 'shard="a" was asked for'),
        ('x{shard=~"a|b"}', ({"shard": "c"}, [(AT, 1)]), 'shard=~"a|b" was asked for'),
        ('x{shard!="a"}', ({"shard": "a"}, [(AT, 1)]), 'shard!="a" was asked for'),
        ("sum(x)", ({}, [(AT - 600, 1)]), "22:04:20Z, where 22:14:20Z to 22:14:20Z was asked for"),
    ],
)
def test_another_question_was_answered(fake, prometheus, query, series, said):
    labels, [(time_, value)] = series
    answer = {"resultType": "vector", "result": [{"metric": labels, "value": [time_, str(value)]}]}
    fake.says({"status": "success", "data": answer})
    sample = prometheus.instant(query, AT)
    assert isinstance(sample, Failed)
    assert said in sample.reason


@pytest.mark.parametrize(
    ("start", "step", "said"),
    [
        (WINDOW.start - 600, 5.0, "was asked for"),
        (WINDOW.start + 600, 5.0, "was asked for"),
        (WINDOW.start + 1, 5.0, "at other moments than every 5 s"),
    ],
)
def test_points_of_another_time_are_not_taken(fake, prometheus, start, step, said):
    fake.says(matrix(line([1] * 12, start=start, step=step)))
    sample = prometheus.course("sum(x)", WINDOW.start, WINDOW.end, 5.0)
    assert isinstance(sample, Failed)
    assert said in sample.reason


def test_never_there_is_empty_and_there_before_is_stale(fake, prometheus):
    fake.says(vector(), NOTHING, vector(), matrix(line([1, 1], start=AT - 200)))
    assert isinstance(prometheus.instant("never", AT), Empty)
    sample = prometheus.instant("gone", AT)
    assert isinstance(sample, Stale)
    assert sample.reason == "no such series any more at 22:14:20Z; the last was at 22:11:05Z"


def test_if_the_past_cannot_be_asked_it_is_empty_all_the_same(fake, prometheus):
    fake.says(vector())
    fake.says("{}", status=500)
    assert isinstance(prometheus.instant("x", AT), Empty)


def test_the_future_is_not_asked_about(fake, prometheus):
    fake.says(vector("1"))
    sample = prometheus.instant("x", time.time() + 30)
    assert isinstance(sample, Failed)
    assert "had not happened yet" in sample.reason


@pytest.mark.parametrize("off", [-42, 42])
def test_a_clock_that_is_off_is_noticed(fake, prometheus, off):
    fake.date = email.utils.formatdate(time.time() + off, usegmt=True)
    fake.says(vector("1"))
    sample = prometheus.instant("x", AT)
    assert isinstance(sample, Failed)
    assert "clock" in sample.reason


# -- targets


def up(values, instance="a:1", start=WINDOW.start + 2):
    return line(values, {"__name__": "up", "job": "engine", "instance": instance}, start)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (matrix(up([1] * 12)), None),
        (matrix(up([1, 1, 1, 0, 0, *[1] * 7])), "down at 22:13:37Z (2 scrapes failed)"),
        (matrix(up([1] * 8)), "the last raw sample is 23.0 s before"),
        (matrix(up([1] * 8, start=WINDOW.start + 17)), "the first raw sample is 17.0 s after"),
        (matrix(), "0 targets where 1 were expected: up{job="),
        (matrix(up([1] * 12), up([1] * 12, "b:1")), '2 targets where 1 were expected: up{instance="a:1"'),
        (matrix((up([])[0], up([1] * 12)[1][::2])), "6 scrapes where 12 were expected"),
        ({"status": "error", "errorType": "execution", "error": "no"}, "not known: HTTP 200, execution: no"),
    ],
)  # fmt: skip
def test_targets_have_to_be_up_all_through(fake, prometheus, answer, said):
    fake.says(answer)
    trouble = prometheus.target_trouble('job="engine"', WINDOW, targets=1)
    if said is None:
        assert trouble is None
    else:
        assert said in trouble


def test_a_target_is_known_by_its_service_or_by_its_job_where_there_is_none(fake, prometheus):
    """On a cluster all have one job, and a label says whose service each is of."""
    labels, values = up([1] * 12)
    there = ({**labels, "job": "exchange", "service": "engine"}, values)
    other = ({**labels, "job": "engine", "service": "gateway"}, up([0] * 12)[1])
    alone = ({**labels, "job": "broker"}, values)
    fake.says(matrix(there, other, alone))
    for name in ("engine", "broker"):
        assert prometheus.target_trouble("", WINDOW, targets=1, service=name) is None
    assert "down at" in prometheus.target_trouble("", WINDOW, targets=1, service="gateway")
    assert "0 targets" in prometheus.target_trouble("", WINDOW, targets=1, service="exchange")
