"""Ways into a cluster, with a kubectl that forwards to nobody but listens: opened, brought back, closed."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import psutil
import pytest

from verdict_harness.kubernetes import Way, Ways
from verdict_harness.kubernetes.kubectl import Kubectl
from verdict_harness.processes import Pending, Ports, until

KUBECTL = """#!{python}
import socket, sys
words = sys.argv[1:]
if "get" in words:
    print("" if "grafana" in words else "service/there")
    sys.exit()
ports = words[-1].split(":")
open("{directory}/asked", "a").write(" ".join(words) + "\\n")
listening = socket.create_server(("127.0.0.1", int(ports[0])))
while True:
    listening.accept()[0].close()
"""


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    file = tmp_path / "kubectl"
    file.write_text(KUBECTL.format(python=sys.executable, directory=tmp_path))
    file.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return Kubectl("k3d-mine", "")


def answers(address: str) -> bool:
    host, _, port = address.partition(":")
    try:
        socket.create_connection((host, int(port)), 1.0).close()
    except OSError as error:
        raise Pending(str(error)) from error
    return True


def test_a_way_comes_back_and_what_is_not_there_is_left_out(kubectl: Kubectl, tmp_path: Path) -> None:
    with Ports() as ports:
        wished = ports.reserve()
    asked = [
        Way("shard", "exchange", "me-shard-a", 8080, wished),
        Way("grafana", "monitoring", "grafana", 80, wished + 1),
    ]
    with Ways(kubectl, asked, tmp_path) as ways:
        assert ways.addresses == {"shard": f"localhost:{wished}"}
        assert answers(ways.addresses["shard"])
        words = (tmp_path / "asked").read_text()
        assert "--namespace=exchange port-forward --address=127.0.0.1 service/me-shard-a" in words
        numbers = f"{wished}:8080"
        started = psutil.process_iter(["cmdline"])
        (ending,) = [one for one in started if numbers in (one.info["cmdline"] or [])[-1:]]
        ending.kill()  # as a forward ends with its pod
        ending.wait(10)
        until("the way to come back", lambda: answers(ways.addresses["shard"]), timeout=30)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", wished), 1.0)


def test_a_port_that_is_taken_is_passed_over(kubectl: Kubectl, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        wished = taken.getsockname()[1]
        with Ways(kubectl, [Way("shard", "exchange", "me-shard-a", 8080, wished)], tmp_path) as ways:
            assert ways.addresses["shard"] != f"localhost:{wished}"
            assert answers(ways.addresses["shard"])
