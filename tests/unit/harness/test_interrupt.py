"""Who ends the work is heard: once it ends in order, twice one is told so."""

import os
import signal
import threading

import pytest

from verdict_harness.processes import progress
from verdict_harness.processes.interrupt import Interrupts

BOTH = (signal.SIGINT, signal.SIGTERM)


@pytest.fixture
def said(monkeypatch):
    lines = []
    monkeypatch.setattr(progress, "say", lines.append)
    return lines


@pytest.fixture
def interrupts():
    interrupts = Interrupts()
    stop = interrupts.heed()
    yield interrupts
    stop()


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("first", BOTH)
@pytest.mark.parametrize("second", BOTH)
def test_the_first_ends_the_work_and_the_second_is_told_so(said, first, second):
    with pytest.raises(KeyboardInterrupt):
        send(first)
    assert said == []
    send(second)
    assert said == ["ending already, in order; once more ends it at once, without a report"]


def test_what_ends_anyway_is_not_interrupted(interrupts, said):
    interrupts.ending()
    send(signal.SIGINT)
    assert len(said) == 1


@pytest.mark.usefixtures("said")
def test_the_third_ends_the_process_by_the_signal(interrupts, monkeypatch):
    interrupts.ending()
    send(signal.SIGINT)
    sent = []
    monkeypatch.setattr(
        "verdict_harness.processes.interrupt.os.kill", lambda pid, number: sent.append((pid, number))
    )
    with pytest.raises(SystemExit):
        signal.getsignal(signal.SIGTERM)(signal.SIGTERM, None)
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_was_there_before_is_there_again():
    before = [signal.getsignal(number) for number in BOTH]
    Interrupts().heed()()
    assert [signal.getsignal(number) for number in BOTH] == before


def test_each_work_is_heard_anew(interrupts):
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)
    stop = interrupts.heed()
    with pytest.raises(KeyboardInterrupt):
        send(signal.SIGINT)
    stop()


def test_a_thread_listens_to_nothing():
    found = []

    def listen():
        before = signal.getsignal(signal.SIGTERM)
        Interrupts().heed()()
        found.append(signal.getsignal(signal.SIGTERM) is before)

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert found == [True]


def test_a_handler_may_speak_in_the_midst_of_speech():
    class Stream:
        def __init__(self):
            self.texts = []

        def isatty(self):
            return False

        def write(self, text):
            self.texts.append(text)
            if len(self.texts) == 1:
                reporter.say("from the handler")

        def flush(self):
            pass

    stream = Stream()
    reporter = progress.Reporter(stream)
    reporter.say("first")
    assert stream.texts == ["first\n", "from the handler\n"]
