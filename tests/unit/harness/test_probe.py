"""One look at a program that may not be up, against a server that gives everything but the answer first."""

import subprocess
import sys

import pytest

from tests.hostile import INSTEAD, hostile, http
from verdict_harness.errors import ServiceDied, WaitTimeout
from verdict_harness.processes import Answer, Pending, ask, not_yet, running, until

RIGHT = http({"status": "success", "data": {"result": [{"value": [0, "5"]}]}})


def value(answer: Answer) -> float:
    return float(answer.json()["data"]["result"][0]["value"][1])


def test_whatever_a_starting_program_gives_is_not_yet():
    looks = []

    def look():
        looks.append(1)
        return ask(server.url, value, timeout=0.2)

    with hostile(lambda _: RIGHT, refused=0.1) as server:
        assert until("the server", look, timeout=60, interval=0.005) == 5.0
    assert all(server.got.values()), server.got
    assert len(looks) > len(INSTEAD), "it was refused first"


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("reset", "connection reset by peer"),
        ("silence", "no answer within 0.1 s"),
        ("nothing", "disconnected"),
        ("empty", "/api answers 200 and nothing else (JSONDecodeError"),
        ("HTML", "/api answers 200 <!DOCTYPE html><title>UP</title>"),
        ("503", '/api answers 503 {"status": "UP"}'),
        ("404", "/api answers 404 404 page not found"),
        ("half", "JSONDecodeError"),
        ("cut short", "peer closed connection"),
        ("a list", "/api answers 200 [] (TypeError"),
        ("null", "/api answers 200 null (TypeError"),
        ("another shape", "TypeError"),
        ("no Prometheus yet", "KeyError: 'data'"),
    ],
)
def test_a_wait_in_vain_says_what_there_was_instead(what, said):
    served = hostile(lambda _: INSTEAD[what], refused=0, instead={})
    with served as server, pytest.raises(WaitTimeout) as caught:
        until("it", lambda: ask(f"{server.url}/api", value, timeout=0.1), timeout=0.0)
    assert said in caught.value.found


def test_what_would_be_right_is_not_with_another_status():
    said = http({"data": {"result": [{"value": [0, "5"]}]}}, "503 Service Unavailable")
    with hostile(lambda _: said, refused=0, instead={}) as server:
        with pytest.raises(Pending, match="answers 503"):
            ask(server.url, value)
        assert ask(server.url, value, good=(503,)) == 5.0


def test_who_refuses_is_quoted():
    with pytest.raises(Pending, match="connection refused"):
        ask("http://127.0.0.1:1/", value)


def test_an_answer_that_drips_is_not_waited_for_without_end():
    drip = (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", *[b"x"] * 1000)
    served = hostile(lambda _: drip, refused=0, instead={})
    with served as server, pytest.raises(Pending, match="an answer without end"):
        ask(server.url, value, timeout=0.3)


def test_what_the_reader_says_itself_is_said():
    def unready(_):
        raise Pending("three of four", "one")

    with hostile(lambda _: RIGHT, refused=0, instead={}) as server, pytest.raises(Pending) as caught:
        ask(server.url, unready)
    assert (caught.value.seen, caught.value.brief) == ("three of four", "one")


def test_a_defect_of_the_reader_is_not_waited_out():
    with hostile(lambda _: RIGHT, refused=0, instead={}) as server, pytest.raises(ZeroDivisionError):
        ask(server.url, lambda _: 1 / 0)


def test_other_looks_can_be_not_yet_too():
    for error in (ConnectionResetError("gone"), ValueError("no JSON"), KeyError("data"), TypeError("None")):
        with pytest.raises(Pending, match=type(error).__name__), not_yet():
            raise error
    with pytest.raises(Pending, match="no answer within 3 s"), not_yet(3):
        raise TimeoutError
    with pytest.raises(Pending, match="StopIteration"), not_yet():
        next(iter(()))
    with pytest.raises(ZeroDivisionError), not_yet():
        raise ZeroDivisionError


def test_a_program_that_has_died_is_not_waited_for(tmp_path):
    program = "import sys; print(list(range(40)), 'alas', sep='\\n'); sys.exit(3)"
    log = tmp_path / "log"
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", program], stdout=file)
    with pytest.raises(ServiceDied, match="exit status 3") as caught:
        until("it", lambda: ask("http://127.0.0.1:1/", value), timeout=600, alive=running(process, log))
    assert "alas" in caught.value.found
    assert caught.value.where == str(log)


def test_who_runs_is_waited_for(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    alive = running(process, tmp_path / "log")
    alive()
    process.communicate(b"\n")
    (tmp_path / "log").write_text("")
    with pytest.raises(ServiceDied, match="exit status 0"):
        alive()


def test_an_answer_is_shown_on_one_line():
    assert str(Answer(503, "not\n  well\n")) == "503 not well"
    assert str(Answer(200, "")) == "200 and nothing else"
