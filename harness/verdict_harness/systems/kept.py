"""A system that was left up, and the command that stops it.

::

    python -m verdict_harness.systems.kept stop DIRECTORY
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from ..errors import HarnessError, UsageError
from ..processes import Guarded, Ports

_FILE = "kept.json"
_SAME_START = 2.0  # seconds; a start time is computed from the boot time, which a clock's step may shift
_TIMEOUT = 60.0


def write(
    directory: Path,
    waves: Sequence[Sequence[str]],
    running: Mapping[str, Guarded],
    endpoints: Mapping[str, Mapping[str, str]],
) -> None:
    """Write down what runs, so that it can be stopped after we are gone.

    Args:
        directory: of the deployment.
        waves: service names in the order to stop them.
        running: each service's process.
        endpoints: ``host:port`` by service and port, for people.
    """
    services = {
        name: {
            "endpoints": endpoints[name],
            "guard": _identity(guarded.guard_pid),
            "process": _identity(guarded.pid),
        }
        for name, guarded in running.items()
    }
    text = json.dumps({"stop_in_this_order": waves, "services": services}, indent=2)
    (directory / _FILE).write_text(text + "\n", encoding="utf-8")


def stop_command(directory: Path) -> str:
    """Return the command line that stops what was left up."""
    return f"{sys.executable} -m {__name__} stop {directory}"


def stop(directory: Path) -> list[str]:
    """Stop what was left up and remove its state; return the names of the services that still ran.

    Raises:
        UsageError: nothing was left up there, or what was can't be read.
        HarnessError: something would not end; the file stays, so that the command can be repeated.
    """
    file = directory / _FILE
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            "no system was left up there",
            expected=f"a directory with {_FILE}, as --keep printed it",
            found=f"no {_FILE}",
            where=str(directory),
        ) from None
    except ValueError as error:
        raise UsageError(
            "what was left up there can't be read",
            expected="JSON, as --keep wrote it",
            found=str(error),
            where=str(file),
            todo=f"end the processes whose directory is below {directory / 'state'} by hand",
        ) from error
    stopped, left = [], []
    for wave in content["stop_in_this_order"]:
        guards, processes = [], []
        for name in wave:
            service = content["services"].get(name, {})
            if guard := _same(service.get("guard")):
                guards.append(guard)
            if process := _same(service.get("process")):
                processes.append(process)
                stopped.append(name)
        for guard in guards:
            with contextlib.suppress(psutil.NoSuchProcess):
                guard.send_signal(signal.SIGTERM)  # it ends the whole tree, and then itself
        psutil.wait_procs(guards, timeout=_TIMEOUT)
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()  # only where its guard was gone: psutil never signals a reused id
        _, alive = psutil.wait_procs([*guards, *processes], timeout=_TIMEOUT)
        left += alive
    if left:
        raise HarnessError(
            "not everything could be stopped",
            expected="no process left",
            found=", ".join(str(process) for process in left),
            todo="look at them with ps, then run the command again",
        )
    shutil.rmtree(directory / "state", ignore_errors=True)
    addresses = [address for one in content["services"].values() for address in one["endpoints"].values()]
    Ports().tidy(int(address.rpartition(":")[2]) for address in addresses)
    file.unlink()
    return stopped


def _identity(pid: int) -> dict[str, float] | None:
    try:
        return {"pid": pid, "started": psutil.Process(pid).create_time()}
    except psutil.NoSuchProcess:
        return None


def _same(identity: dict[str, float] | None) -> psutil.Process | None:
    """Return the process that was meant, never another one that has its id today."""
    if identity is None:
        return None
    try:
        process = psutil.Process(int(identity["pid"]))
        if abs(process.create_time() - identity["started"]) > _SAME_START:
            return None
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.NoSuchProcess:
        return None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m verdict_harness.systems.kept", description=__doc__.splitlines()[0]
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("stop", help="stop a system that --keep left up, and remove its state")
    command.add_argument("directory", type=Path, help="as --keep printed it")
    try:
        stopped = stop(parser.parse_args(arguments).directory)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"stopped: {', '.join(stopped) or 'nothing; it had all ended before'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
