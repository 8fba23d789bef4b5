"""How a service is known to be ready, where its description says it by a port or says nonsense."""

import socket

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.processes import Pending
from verdict_harness.systems import Endpoint, Service, System, answers


def service(ready):
    return Service("web", {"http": 80}, ready)


def test_a_port_that_somebody_listens_on():
    with socket.create_server(("127.0.0.1", 0)) as server:
        at = Endpoint("127.0.0.1", server.getsockname()[1])
        asked = []
        assert answers(service("tcp:http"), lambda port: asked.append(port) or at)
    assert asked == ["http"]
    with pytest.raises(Pending, match="refused"):
        answers(service("tcp:http"), lambda _: at)


@pytest.mark.parametrize("ready", ["", "https:/health", "udp:http", "/health"])
def test_a_word_that_is_none_is_the_users_mistake_and_is_not_waited_for(ready):
    with pytest.raises(UsageError, match="how web is ready can't be understood") as caught:
        answers(service(ready), lambda _: Endpoint("127.0.0.1", 1))
    assert caught.value.found == ready
    assert "tcp:<port name>" in caught.value.expected


def test_a_service_that_is_not_there_says_which_are():
    with pytest.raises(KeyError, match=r"no service 'nobody' in s; there are \['web'\]"):
        System("s", (service("http:/"),)).service("nobody")
