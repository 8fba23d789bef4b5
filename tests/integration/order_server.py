"""A service that takes orders and misbehaves on request: standard library only.

Words: ``--slow=SECONDS`` each order takes that long; ``--hang=NUMBER,SECONDS`` nobody is answered for so long
from order NUMBER on; ``--exit=NUMBER`` it exits there; ``--reject`` every answer says so, with status 200;
``--tls=FILE`` it speaks TLS, with the certificate and key in there, and takes its time to shake hands.
"""

from __future__ import annotations

import http.server
import os
import socket
import ssl
import sys
import threading
import time

WORDS = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:])
HANG, PAUSE = (float(part) for part in WORDS.get("hang", "inf,0").split(","))
EXIT = float(WORDS.get("exit", "inf"))
HANDSHAKE = 0.8  # seconds
lock = threading.Lock()
orders = 0
resumes = 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.answer("well")

    def do_POST(self) -> None:
        global orders, resumes  # noqa: PLW0603 - one number in one process
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with lock:
            orders += 1
            if orders == HANG:
                resumes = time.monotonic() + PAUSE
            if orders == EXIT:
                os._exit(3)
        time.sleep(max(float(WORDS.get("slow", 0)), resumes - time.monotonic()))
        self.answer("REJECTED" if "reject" in WORDS else "ACCEPTED")

    def answer(self, text: str) -> None:
        body = text.encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
    daemon_threads = True

    def finish_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        if "tls" in WORDS:
            first = request.recv(1, socket.MSG_PEEK)
            if first == b"\x16":  # a handshake, and no look at whether it is ready
                time.sleep(HANDSHAKE)
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(WORDS["tls"])
                request = context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
