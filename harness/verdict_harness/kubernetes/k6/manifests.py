"""What Kubernetes is told about a load: a ConfigMap with the scripts, and a Job of one pod that runs k6."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ...errors import LoadError

Manifest = dict[str, Any]

OUT, SCRIPTS = PurePosixPath("/out"), PurePosixPath("/scripts")
ADDRESS = "127.0.0.1:6565"
#: Marks everything of ours; network policies may go by the first of them.
LABELS = {"app.kubernetes.io/name": "k6", "app.kubernetes.io/managed-by": "verdict-harness"}

_MOST_BYTES = 1_000_000  # of all scripts: a ConfigMap takes 1 MiB, keys included
_COLLECT = 300  # seconds for which results wait for somebody who collects them
_KEPT = 600  # seconds after which Kubernetes removes what nobody removed
_USER = 12345  # as the image has it
_RESOURCES = {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"cpu": "2", "memory": "1Gi"}}
_SCRATCH = "2Gi"

# A shell lets what it starts in the background ignore SIGINT, so k6 is in the foreground and the look-out
# behind it. What is said here is all that the pod logs; k6's own log is a file. PID 1 gets no SIGTERM that
# it did not ask for, so that only now an end from outside is heard: there is nothing left to lose.
# Whether k6 runs, its REST API says: `k6 status` went with k6 2. Images of k6 have wget, those of others
# maybe bash, which needs no more than itself.
LOOK_OUT = f"""
k6_says() {{
  if command -v wget >/dev/null; then
    http_proxy='' wget -q -T 2 -O - http://{ADDRESS}/v1/status
  else
    bash -c 'exec 3<>/dev/tcp/{ADDRESS.replace(":", "/")} || exit
      printf "GET /v1/status HTTP/1.0\\r\\n\\r\\n" >&3
      cat <&3'
  fi 2>/dev/null
}}
k6_runs() {{
  k6_says | grep -Eq '"status": *([7-9]|[1-9][0-9])'
}}
"""
_WRAPPER = f"""
cd {OUT} || exit
echo "harness: started $(k6 version)"
{LOOK_OUT}
{{
  until k6_runs; do
    [ -e status ] && exit
    sleep 0.3
  done
  echo "harness: running"
}} &
sh -c 'echo $$ >pid && exec "$@"' sh "$@" >log 2>&1 </dev/null
status=$?
echo "$status" >status
echo "harness: ended $status"
trap exit TERM
n=0
until [ $n -ge {_COLLECT} ]; do sleep 1; n=$((n + 1)); done
"""


def scripts(name: str, directory: Path, leave_out: Path) -> tuple[Manifest, list[dict[str, str]]]:
    """Return a ConfigMap of the files in ``directory`` and below, and where in the pod each belongs.

    Hidden files and folders are left out, and so is ``leave_out``.

    Raises:
        LoadError: there is more than a ConfigMap can take.
    """
    files = {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(directory).parts)
        and not path.is_relative_to(leave_out)
    }
    sizes = {path: len(content) for path, content in files.items()}
    if sum(sizes.values()) > _MOST_BYTES:
        biggest = sorted(sizes, key=lambda path: -sizes[path])[:3]
        raise LoadError(
            "the load's scripts do not fit into a ConfigMap",
            expected=f"{_MOST_BYTES} bytes at most, in the script's directory and below",
            found=f"{sum(sizes.values())} bytes; the biggest: "
            + ", ".join(f"{path} ({sizes[path]})" for path in biggest),
            where=str(directory),
            todo="keep other files elsewhere, or run k6 on this machine: HARNESS_K6=host",
        )
    # a key can't have a slash, and two folders may have a file of the same name
    keys = {path: f"{n}-{re.sub(r'[^-._a-zA-Z0-9]', '_', path)}"[:250] for n, path in enumerate(files)}
    manifest: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(name)}
    for path, content in files.items():
        try:
            manifest.setdefault("data", {})[keys[path]] = content.decode()
        except UnicodeDecodeError:
            manifest.setdefault("binaryData", {})[keys[path]] = base64.b64encode(content).decode()
    return manifest, [{"key": key, "path": path} for path, key in keys.items()]


def job(  # noqa: PLR0913 - each is one part of the manifest
    name: str,
    *,
    image: str,
    argv: Sequence[str],
    env: Mapping[str, str],
    items: Sequence[Mapping[str, str]],
    seconds: float,
) -> Manifest:
    """Return the Job, suspended.

    Args:
        name: of the Job and of the ConfigMap.
        image: with k6 and a shell.
        argv: k6's command line.
        env: k6's environment.
        items: the ConfigMap's keys and paths.
        seconds: that k6 may take.
    """
    variables = {"HOME": "/tmp", **env}  # noqa: S108 - a volume of the pod's own
    container = {
        "name": "k6",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [_literally(word) for word in ("sh", "-c", _WRAPPER, "sh")],
        "args": [_literally(word) for word in argv],
        "env": [{"name": key, "value": _literally(value)} for key, value in variables.items()],
        "resources": _RESOURCES,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "scripts", "mountPath": str(SCRIPTS), "readOnly": True},
            {"name": "out", "mountPath": str(OUT)},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
    }
    # a node to itself, where there is one: what makes the load is not to slow down what bears it
    apart = {"labelSelector": {}, "topologyKey": "kubernetes.io/hostname"}
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 5,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,  # K6_… of a service of that name would be k6's options
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "affinity": {
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": apart}]
            }
        },
        "containers": [container],
        "volumes": [
            {"name": "scripts", "configMap": {"name": name, "items": list(items)}},
            {"name": "out", "emptyDir": {"sizeLimit": _SCRATCH}},
            {"name": "tmp", "emptyDir": {"sizeLimit": _SCRATCH}},
        ],
    }
    spec = {
        "suspend": True,
        "backoffLimit": 0,
        "completions": 1,
        "parallelism": 1,
        "activeDeadlineSeconds": round(seconds) + _COLLECT,
        "ttlSecondsAfterFinished": _KEPT,
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": _metadata(name), "spec": spec}


def _metadata(name: str) -> Manifest:
    return {"name": name, "labels": LABELS}


def _literally(text: str) -> str:
    """Escape what Kubernetes would take for the name of a variable, or for such an escape."""
    return text.replace("$", "$$")
