"""For every test of this repository."""

import signal
import threading

import hypothesis

pytest_plugins = ["pytester"]

# How long one example takes says something of the machine, and nothing of the code.
hypothesis.settings.register_profile("verdicts", deadline=None)
hypothesis.settings.load_profile("verdicts")

# A shell that starts a job in the background lets it ignore Ctrl-C, and its children inherit that: tests of
# Ctrl-C would wait for an interrupt that nobody hears.
if (
    threading.current_thread() is threading.main_thread()
    and signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):
    signal.signal(signal.SIGINT, signal.default_int_handler)
