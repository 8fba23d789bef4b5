"""The guard: a small program that stands between us and one process, and outlives neither.

Started by :mod:`verdict_harness.processes.guarded` with one end of a socket pair as its
standard input.  The other end belongs to the test runner alone, so the guard
reads end-of-file however the runner ended: normally, by a crash, by SIGKILL.
It then ends the child and everything the child started.

Nothing is started before its description has arrived whole on the socket, so
there is no moment in which a process runs and nobody is in charge of it.

It is run by path, isolated and without site packages (``python -I -S``), to be
there in milliseconds: the standard library only, nothing of ours.

Requests, one JSON object a line, are answered in order by one line each;
``{"event": "exited", "status": ...}`` comes in between as soon as the child ends.

=========== ==============================================================
``start``   ``argv``, ``env``, ``cwd``, ``log``, ``grace``: run the child
``signal``  ``number``: send a signal to the child alone
``freeze``  stop every process of the tree (SIGSTOP)
``thaw``    let them go on (SIGCONT)
``stop``    SIGTERM to the tree, SIGKILL after ``grace`` seconds; guard ends
``kill``    SIGKILL to the tree; guard ends
``detach``  from now on end-of-file means nothing; only SIGTERM ends the tree
=========== ==============================================================
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LINUX = sys.platform.startswith("linux")
_CONTROL = 0
_LOOK = 0.02  # seconds between two looks at a tree that is ending
_GIVE_UP = 10.0  # seconds after SIGKILL; what is left then hangs in the kernel


def main() -> None:
    """Serve one child until it and its whole tree have ended."""
    # A terminal's Ctrl-C does not reach us (own session); whoever signals the guard means the tree.
    wake, write_end = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)
    ended: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda got, _frame: ended.append(got))
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None
    if libc is not None:
        # Orphans of the tree, double-forked daemons too, become our children instead of init's.
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guard = _Guard(libc)
    attached, buffer = True, b""
    while not guard.reap() and not ended:
        readable, _, _ = select.select([wake, _CONTROL] if attached else [wake], [], [])
        if wake in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(wake, 4096)
        if _CONTROL in readable:
            data = _read_control()
            if not data:
                attached = False
                if not guard.detached:
                    break
            buffer += data
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                if guard.serve(json.loads(line)):
                    return
    guard.end(grace=guard.grace)


def _read_control() -> bytes:
    try:
        return os.read(_CONTROL, 65536)
    except OSError:  # reset: as good as the end
        return b""


class _Guard:
    def __init__(self, libc: Any) -> None:
        self._libc = libc
        self._child = 0
        self._childless = True
        self.grace = 0.0
        self.detached = False

    def serve(self, request: dict[str, Any]) -> bool:
        """Do what is asked and answer; return whether that was the end of the guard."""
        what = request["do"]
        answer: dict[str, Any] = {"done": what}
        last = False
        try:
            if what == "start":
                answer["pid"] = self._start(request)
            elif what == "signal":
                self._send(self._child, request["number"])
            elif what == "freeze":
                answer["pids"] = self._freeze()
            elif what == "thaw":
                for pid in self._tree():
                    self._send(pid, signal.SIGCONT)
            elif what == "detach":
                self.detached = True
            elif what in ("stop", "kill"):
                self.reap()
                answer["left"] = self.end(grace=self.grace if what == "stop" else -1.0)
                last = True
        except OSError as error:
            answer["error"] = str(error)
            last = what == "start"
        self._tell(answer)
        return last

    def reap(self) -> bool:
        """Collect ended children, ours and adopted ones; return whether ours has ended."""
        gone = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                self._childless = True
                return gone
            if pid == 0:
                self._childless = False
                return gone
            if pid == self._child:
                gone = True
                self._tell({"event": "exited", "status": os.waitstatus_to_exitcode(status)})

    def end(self, *, grace: float) -> list[int]:
        """End the tree: SIGTERM, ``grace`` seconds (negative: no SIGTERM), SIGKILL; return what is left."""
        if not self._child:
            return []
        now = time.monotonic()
        if grace >= 0:
            for pid in self._tree():
                self._send(pid, signal.SIGTERM)
                self._send(pid, signal.SIGCONT)  # a stopped process can't act on SIGTERM
        deadline, give_up = now + grace, now + max(grace, 0.0) + _GIVE_UP
        while True:
            self.reap()
            tree = self._tree()
            now = time.monotonic()
            # Where orphans become our children, having none is certain; a look at /proc may miss one that
            # changes its parent meanwhile.
            if (self._childless if self._libc is not None else not tree) or now >= give_up:
                return tree
            if now >= deadline:
                # again on every look: a process may fork between our look and its end
                for pid in tree:
                    self._send(pid, signal.SIGKILL)
            time.sleep(_LOOK)

    def _start(self, request: dict[str, Any]) -> int:
        self.grace = request["grace"]
        guard = os.getpid()

        def prepare() -> None:
            if self._libc is not None:
                self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
                if os.getppid() != guard:  # it died before the line above took hold
                    os._exit(1)

        with open(request["log"], "ab") as log:  # noqa: PTH123 - pathlib costs milliseconds at start
            process = subprocess.Popen(
                request["argv"],
                cwd=request["cwd"],
                env=request["env"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 - safe: the guard has one thread
            )
        process.returncode = 0  # we reap it ourselves; this keeps Popen from trying to
        self._child = process.pid
        return process.pid

    def _freeze(self) -> list[int]:
        frozen: set[int] = set()
        while new := [pid for pid in self._tree() if pid not in frozen]:
            for pid in new:
                self._send(pid, signal.SIGSTOP)
            frozen.update(new)
        return sorted(frozen)

    def _tree(self) -> list[int]:
        """Every process below the guard, parents first, and the child's process group.

        Zombies too: one whose first thread has ended looks like one, and lives.

        The group is for systems that don't let the guard adopt orphans.
        """
        table = _processes()
        below, found = {os.getpid()}, []
        grown = True
        while grown:
            grown = False
            for pid, (parent, group) in table.items():
                if pid not in below and (parent in below or (self._child and group == self._child)):
                    below.add(pid)
                    found.append(pid)
                    grown = True
        return found

    @staticmethod
    def _send(pid: int, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)

    @staticmethod
    def _tell(answer: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            os.write(_CONTROL, json.dumps(answer).encode() + b"\n")


def _processes() -> dict[int, tuple[int, int]]:
    """Return parent and process group of every process."""
    table: dict[int, tuple[int, int]] = {}
    if _LINUX:
        for name in os.listdir("/proc"):  # noqa: PTH208 - as above
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                        # the name in parentheses may hold anything, parentheses and blanks too
                        _state, parent, group = file.read().rpartition(b")")[2].split()[:3]
                except (OSError, ValueError):
                    continue  # it ended meanwhile
                table[int(name)] = int(parent), int(group)
        return table
    # S607: ps is where the system has it
    with subprocess.Popen(["ps", "-axo", "pid=,ppid=,pgid="], stdout=subprocess.PIPE) as lister:  # noqa: S607
        listing = lister.communicate()[0]
    for line in listing.split(b"\n"):
        fields = line.split()
        if len(fields) == 3:  # noqa: PLR2004 - the columns asked for
            table[int(fields[0])] = int(fields[1]), int(fields[2])
    table.pop(lister.pid, None)  # it lists itself
    return table


if __name__ == "__main__":
    main()
