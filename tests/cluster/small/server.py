"""A service as small as one can be: health, metrics, a file that is to outlive it, and ways to break it."""

import http.server
import os
import threading
from pathlib import Path

MARK = Path("/data/mark")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        pages = {
            "/health": "well",
            "/metrics": "# TYPE small_requests_total counter\nsmall_requests_total 7\n",
            "/mark": MARK.read_text() if MARK.exists() else "none",
        }
        self.answer(pages.get(self.path, ""), 200 if self.path in pages else 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/exit":
            print("somebody asked for the end", flush=True)  # noqa: T201
            threading.Timer(0.2, os._exit, [3]).start()
        else:
            MARK.write_text(body)
        self.answer(body, 200)

    def answer(self, text: str, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *args: object) -> None:
        """Say nothing of clients that did not wait until the end of a pause."""


if __name__ == "__main__":
    if broken := os.environ.get("BROKEN"):
        raise SystemExit(f"can't start: BROKEN is {broken}")
    print("listening", flush=True)  # noqa: T201
    Server(("", 8080), Handler).serve_forever()
