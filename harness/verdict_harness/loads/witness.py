"""The machine's witness: whether the machine, and k6 on it, were there all the time.

A small process wakes every few milliseconds and notes when it woke late: then
nothing on this machine ran on time, the system under test no more than k6.  It
also reads what the kernel says of pressure and stolen time, and how much CPU k6
had.  What it saw is a file of the load; see :class:`Seen`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_PROGRAM = Path(__file__).with_name("wakes.py")
_END = 5.0  # seconds that it may take to end


@dataclass(frozen=True, slots=True)
class Seen:
    """What the witness saw of the machine that k6 ran on.

    Attributes:
        stalls: when it woke late: from when it should have woken to when it did, unix seconds.
        busiest: the most CPU that k6 took in a second, in cores; ``None`` if it could not be seen.
        waiting: the most that anything of this machine waited for a CPU in a second, 0 to 1; ``None``
            where the kernel does not say.
        stolen: the most that other machines on the same host took in a second, in cores; ``None`` likewise.
        whole: whether it saw the load from the beginning to the end.
    """

    stalls: tuple[tuple[float, float], ...] = ()
    busiest: float | None = None
    waiting: float | None = None
    stolen: float | None = None
    whole: bool = False


def read(path: Path) -> Seen:
    """Return what was seen; nothing, if nobody was there to see."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return Seen()
    lines = list(_whole(text))
    return Seen(
        tuple((line["from"], line["to"]) for line in lines if "from" in line),
        busiest=_most(lines, "k6"),
        waiting=_most(lines, "waiting"),
        stolen=_most(lines, "stolen"),
        whole=bool(lines) and "ended" in lines[-1],
    )


def _whole(text: str) -> Iterator[dict[str, Any]]:
    """Yield what stands before the first line that breaks off, as the last one of a killed witness may."""
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            return
        if isinstance(found, dict):
            yield found


def _most(lines: Sequence[Any], what: str) -> float | None:
    return max((line[what] for line in lines if line.get(what) is not None), default=None)


class Witness:
    """Watches this machine while a load is on; a context manager.

    Args:
        path: the file that it writes.
        pid: of k6; 0 if that is not known here.
    """

    def __init__(self, path: Path, pid: int = 0) -> None:
        self._argv = [sys.executable, "-I", "-S", str(_PROGRAM), str(path), str(pid)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        # its standard input ends with us, however we end, and it with that
        self._process = subprocess.Popen(self._argv, stdin=subprocess.PIPE, start_new_session=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None  # noqa: S101 - it was entered
        assert self._process.stdin is not None  # noqa: S101 - it has a pipe
        self._process.stdin.close()
        try:
            self._process.wait(_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
