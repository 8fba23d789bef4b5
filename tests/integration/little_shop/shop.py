"""A little shop, as another team may have one: standard library only. Copied as a project's ``shop.py``."""

import http.server
import os

sold = 0


def price(basket):
    return 100 + 20 * basket


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(f"# TYPE shop_sold_total counter\nshop_sold_total {sold}\n")

    def do_POST(self):
        global sold  # noqa: PLW0603 - one number in one process
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sold += 1
        self.answer(str(price(3)))

    def answer(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
