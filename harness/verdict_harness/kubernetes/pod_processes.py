"""The processes of a pod, reached from the k3d node that they run on: frozen, thawed, ended for certain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ServiceDied
from ..processes import Pending, run, until

_TIMEOUT = 20.0
_GONE = 30.0

# A pod's id stands in the control group of each of its processes, with dashes or, where systemd manages
# groups, underscores. Signals go out until a look finds no process that is not yet as it should be: one may
# fork between a look and its signal. Only what any sh, grep, sed and kill can do: a node has little else.
_PIDS = """
pids() {
  for p in /proc/[0-9]*; do
    grep -qE "$PATTERN" $p/cgroup 2>/dev/null || continue
    state=$(sed 's/.*) //; s/ .*//' $p/stat 2>/dev/null)
    case $1$state in
      any | anyZ | anyX | to-stop | to-stop[TtZX] | stopped | stopped[!Tt]) ;;
      *) echo ${p#/proc/} ;;
    esac
  done
}
until_none() {
  n=0
  while [ $n -lt 20 ] && l=$(pids $1) && [ -n "$l" ]; do kill -$2 $l 2>/dev/null; n=$((n + 1)); done
}
"""
_FREEZE = "until_none to-stop STOP; pids stopped"
_THAW = "until_none stopped CONT; pids any"
_KILL = 'l=$(pids any); [ -z "$l" ] || kill -KILL $l 2>/dev/null; pids any'


def freeze(pod: Mapping[str, Any]) -> list[int]:
    """Stop every process of ``pod``; return their ids on its node.

    Raises:
        ServiceDied: there is none.
    """
    if not (found := _on_node(pod, _FREEZE)):
        raise ServiceDied(f"{pod['metadata']['name']} has no process that could be frozen")
    return found


def thaw(pod: Mapping[str, Any]) -> None:
    """Undo :func:`freeze`."""
    _on_node(pod, _THAW)


def end(pod: Mapping[str, Any]) -> None:
    """End every process of ``pod`` at once, and wait until there is none.

    Raises:
        WaitTimeout: one would not go.
    """

    def gone() -> bool:
        if left := _on_node(pod, _KILL):
            raise Pending(f"process ids {left} are left")
        return True

    until(f"every process of {pod['metadata']['name']} to end", gone, timeout=_GONE)


def _on_node(pod: Mapping[str, Any], script: str) -> list[int]:
    uid = pod["metadata"]["uid"]
    pattern = f"{uid}|{uid.replace('-', '_')}"
    done = run(
        [
            "docker",
            "exec",
            pod["spec"]["nodeName"],
            "sh",
            "-c",
            f"PATTERN='{pattern}'\n{_PIDS}\n{script}",
        ],
        timeout=_TIMEOUT,
    )
    return [int(word) for word in done.stdout.split()]
