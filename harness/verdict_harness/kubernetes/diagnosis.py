"""What a cluster can tell of its pods: for an error, and for the run's folder before all is deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import HarnessError
from ..processes import tail
from .kubectl import Kubectl

_TIMEOUT = 20.0
_EVENTS = 6
_LINES = 12


def last_lines(
    kubectl: Kubectl,
    pod: Mapping[str, Any],
    container: str = "",
    lines: int = _LINES,
    *,
    before_restart: bool = False,
) -> str:
    """Return what a pod logged last; or, if there is such, what it logged before it was started again."""
    within, name = kubectl.within(pod["metadata"]["namespace"]), pod["metadata"]["name"]
    which = (f"--container={container}",) if container else ("--all-containers",)
    runs: tuple[tuple[str, ...], ...] = ((), ("--previous",))
    for before in reversed(runs) if before_restart else runs:
        found = _ask(within, "logs", name, *which, f"--tail={lines}", *before)
        if found.strip() and not found.startswith("("):
            return tail(found, lines)
    return "(it logged nothing)"


def events(kubectl: Kubectl, one: Mapping[str, Any]) -> str:
    """Return the last warnings about an object, one a line."""
    metadata = one["metadata"]
    wanted = f"involvedObject.name={metadata['name']},type=Warning"
    found = _ask(
        kubectl.within(metadata["namespace"]),
        *("get", "events", f"--field-selector={wanted}", "--sort-by=.lastTimestamp", "--no-headers"),
        *("-o", "custom-columns=R:.reason,M:.message"),
    )
    return tail(found, _EVENTS) or "(none)"


def collect(kubectl: Kubectl, namespaces: Iterable[str], directory: Path) -> list[str]:
    """Write every pod's logs, all events and the state of everything in ``namespaces`` into ``directory``.

    ``logs/<pod>.log``, also of containers that were started again; ``events.txt``, ``describe.txt`` and
    ``objects.txt``.  Never raises: it is called when something went wrong already.

    Returns:
        What could not be had.
    """
    problems: list[str] = []
    try:
        _collect(kubectl, list(namespaces), directory, problems)
    except (HarnessError, OSError, ValueError, KeyError) as error:
        problems.append(f"the cluster's state could not be collected: {error}")
    return problems


def _collect(kubectl: Kubectl, namespaces: list[str], directory: Path, problems: list[str]) -> None:
    (directory / "logs").mkdir(parents=True, exist_ok=True)
    everywhere = kubectl.within("")
    for file, words in {
        "objects.txt": ("get", "all,pvc,networkpolicies,configmaps", "-o", "wide"),
        "events.txt": ("get", "events", "--sort-by=.lastTimestamp"),
        "describe.txt": ("describe", "pods,pvc"),
    }.items():
        parts = [f"# {space}\n{_ask(kubectl.within(space), *words)}" for space in namespaces]
        (directory / file).write_text("\n".join(parts), encoding="utf-8")
    with (directory / "describe.txt").open("a", encoding="utf-8") as out:
        out.write(f"\n# nodes\n{_ask(everywhere, 'describe', 'nodes')}")
    for space in namespaces:
        for pod in kubectl.within(space).json("get", "pods", timeout=_TIMEOUT)["items"]:
            problems += save_logs(kubectl, pod, directory)


def save_logs(kubectl: Kubectl, pod: Mapping[str, Any], directory: Path) -> list[str]:
    """Write all that a pod logged into ``directory``/logs; return what could not be had.

    A pod of a StatefulSet has the name of the one before it: its log comes after that one's.
    """
    within, name = kubectl.within(pod["metadata"]["namespace"]), pod["metadata"]["name"]
    problems = []
    logs = directory / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    again = any(one.get("restartCount") for one in pod.get("status", {}).get("containerStatuses", ()))
    for suffix, words in {"": (), ".previous": ("--previous",)}.items():
        if suffix and not again:
            continue
        found = _ask(within, "logs", name, "--all-containers", "--timestamps", "--tail=-1", *words)
        if found.startswith("(kubectl"):
            problems.append(f"the log of {name}: {found}")
        with (logs / f"{name}{suffix}.log").open("a", encoding="utf-8") as out:
            out.write(found)
    return problems


def _ask(kubectl: Kubectl, *words: str) -> str:
    """Return what kubectl says, or in parentheses why it says nothing; never raises."""
    try:
        done = kubectl.run(*words, timeout=_TIMEOUT, check=False)
    except HarnessError as error:
        return f"(kubectl: {error.what}: {error.found})"
    return done.stdout if done.status == 0 else f"(kubectl: {tail(done.stderr, 2)})"
