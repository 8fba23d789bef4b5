"""What a load in the cluster is aimed at: counts POSTs by path, k6's samples for Prometheus among them."""

from __future__ import annotations

import http.server
import json
from collections import Counter

taken: Counter[str] = Counter()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.answer(json.dumps(taken))

    def do_POST(self) -> None:
        taken[self.path] += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer("taken")

    def answer(self, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
