# ruff: noqa: T201 - a program that logs by printing
"""A tiny service for tests of backends and loads: standard library only, every behaviour by request.

Words: ``--die=STATUS`` end at once; ``--unwell`` /health answers 503; ``--no-metrics`` /metrics answers 404;
``--slow=SECONDS`` each POST takes that long.
"""

from __future__ import annotations

import http.server
import os
import signal
import sys
import time
import urllib.request
from pathlib import Path

WORDS = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
OTHER = os.environ.get("OTHER", "")
requests = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/health":
            self.answer(503, "not well") if "unwell" in WORDS else self.answer(200, "well")
        elif self.path == "/metrics" and "no-metrics" not in WORDS:
            self.answer(200, f"# TYPE tiny_requests_total counter\ntiny_requests_total {requests}\n")
        elif self.path == "/other":
            self.answer(200, OTHER)
        elif self.path == "/mark":
            self.answer(200, Path(os.environ["MARK"]).read_text())
        elif self.path == "/die":
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            self.answer(404, "no such path")

    def do_POST(self) -> None:
        global requests  # noqa: PLW0603 - one number in one process
        requests += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        time.sleep(float(WORDS.get("slow", 0)))
        self.answer(200, "taken")

    def answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


def end(*_: object) -> None:
    if OTHER:
        try:
            urllib.request.urlopen(f"{OTHER}/health", timeout=5).close()
            print("SIGTERM; other answers", flush=True)
        except OSError:
            print("SIGTERM; other is gone", flush=True)
    os._exit(0)


def main() -> None:
    if "die" in WORDS:
        print("alas", flush=True)
        sys.exit(int(WORDS["die"]))
    if mark := os.environ.get("MARK"):
        path = Path(mark)
        path.write_text(str(int(path.read_text()) + 1 if path.exists() else 1))
    signal.signal(signal.SIGTERM, end)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
