"""Programs that stand for k6 and Prometheus: they start the real one, and do something to it.

What is written here is the source of other programs; ``REAL`` in it is the path of the real one.
"""

from __future__ import annotations

from verdict_harness.sensitivity import Wrapper

_K6 = """\
import csv, gzip, os, pathlib, signal, subprocess, sys, time

if sys.argv[1:2] != ["run"]:
    os.execv(REAL, [REAL, *sys.argv[1:]])
raw = pathlib.Path(os.environ["K6_CSV_FILENAME"])
k6 = subprocess.Popen([REAL, *sys.argv[1:]])
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda got, _frame: k6.send_signal(got))


def rewritten(rows):
    with gzip.open(raw, "wt", encoding="utf-8") as file:
        file.writelines(rows)


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.readlines()


"""
_K6_ENDS = """
sys.exit(status if status >= 0 else 128 - status)
"""

_PROMETHEUS = """\
import http.client, http.server, json, os, pathlib, shutil, signal, socket, subprocess, sys, threading, time
import urllib.parse

if "--version" in sys.argv:
    os.execv(REAL, [REAL, *sys.argv[1:]])
LISTEN, DATA = "--web.listen-address=", "--storage.tsdb.path="
words = sys.argv[1:]
outside = next(word for word in words if word.startswith(LISTEN)).rpartition(":")[2]
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    inside = free.getsockname()[1]
words = [f"{LISTEN}127.0.0.1:{inside}" if word.startswith(LISTEN) else word for word in words]
data = next(word for word in words if word.startswith(DATA)).removeprefix(DATA)
began = None  # when k6 first handed samples over: the load is on
ending = threading.Event()


def since():
    return -1.0 if began is None else time.time() - began


def asked(path, question):
    pass


def answered(question, found):
    return found


def meanwhile():
    pass


"""
_PROMETHEUS_ENDS = """

class Between(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path, _, text = self.path.partition("?")
        question = dict(urllib.parse.parse_qsl(text))
        judged = began is not None and path.startswith("/api/v1/query")
        if judged:
            asked(path, question)
            path = f"{path}?{urllib.parse.urlencode(question)}"
        status, headers, body = self.passed(path if judged else self.path)
        if judged and status == 200:
            answer = json.loads(body)
            answer["data"]["result"] = answered(question, answer["data"]["result"])
            body = json.dumps(answer).encode()
        self.told(status, headers, body)

    def do_POST(self):
        global began
        if self.path == "/api/v1/write" and began is None:
            began = time.time()
            threading.Thread(target=meanwhile, daemon=True).start()
        self.told(*self.passed(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))

    def passed(self, path, body=None):
        skipped = {"host", "accept-encoding", "connection", "content-length"}
        headers = {name: value for name, value in self.headers.items() if name.lower() not in skipped}
        try:
            inner = http.client.HTTPConnection("127.0.0.1", inside, timeout=60)
            inner.request(self.command, path, body, headers)
            answer = inner.getresponse()
            return answer.status, answer.headers, answer.read()
        except OSError as error:
            return 502, {"Content-Type": "text/plain"}, str(error).encode()

    def told(self, status, headers, body):
        self.send_response(status)
        if "Content-Type" in headers:
            self.send_header("Content-Type", headers["Content-Type"])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def started():
    return subprocess.Popen([REAL, *words])


def ended(_number, _frame):
    ending.set()
    prometheus.terminate()


prometheus = started()
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, ended)
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(outside)), Between)
threading.Thread(target=server.serve_forever, daemon=True).start()
while not ending.wait(0.1):
    pass
sys.exit(prometheus.wait())
"""


def around_k6(script: str) -> Wrapper:
    """Return what runs in the place of k6.

    Args:
        script: what is done while it runs; sets ``status``, with which k6 is to have ended. ``k6`` is its
            process, ``raw`` the path of its raw samples, ``rows`` and ``rewritten`` read and write such.
    """
    return Wrapper("k6", "K6", f"{_K6}{script}{_K6_ENDS}")


def before_prometheus(script: str) -> Wrapper:
    """Return what runs in the place of Prometheus, and stands before it from a load's first samples on.

    Args:
        script: defines one or more of ``asked(path, question)``, which may change a question or wait;
            ``answered(question, found)``, which returns what is answered in the place of the series
            ``found``; and ``meanwhile()``, run beside a load. ``words`` are Prometheus's words, ``data`` is
            where it keeps what it has, ``since()`` seconds since the load began.
    """
    return Wrapper("prometheus", "PROMETHEUS", f"{_PROMETHEUS}{script}{_PROMETHEUS_ENDS}")
