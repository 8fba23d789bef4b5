"""kubectl on one cluster and one namespace: never on whichever happen to be the current ones."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..processes import Completed, command

TIMEOUT = 60.0  # seconds; what takes longer by its nature says so


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl, bound to a cluster and a namespace.

    Attributes:
        context: name of the context in the configuration file.
        namespace: where objects are that don't say so themselves; empty where each says it.
        kubeconfig: the configuration file; ``None`` for the user's own.

    >>> Kubectl("k3d-demo", "shop").argv("get", "pods")
    ['kubectl', '--context=k3d-demo', '--namespace=shop', 'get', 'pods']
    """

    context: str
    namespace: str
    kubeconfig: Path | None = None

    def argv(self, *words: str) -> list[str]:
        """Return the whole command line, to be run by others (a guard, say)."""
        file = [] if self.kubeconfig is None else [f"--kubeconfig={self.kubeconfig}"]
        space = [f"--namespace={self.namespace}"] if self.namespace else []
        return ["kubectl", *file, f"--context={self.context}", *space, *words]

    def run(
        self, *words: str, stdin: str | bytes = b"", timeout: float = TIMEOUT, check: bool = True
    ) -> Completed:
        """Run kubectl with ``words`` and wait for its end.

        Args:
            words: as they are typed after ``kubectl``.
            stdin: what it reads, for ``-f -`` and ``exec -i``.
            timeout: seconds.
            check: raise if it fails.

        Raises:
            CommandError: it is not there, took too long, or (``check``) failed.
        """
        return command.run(self.argv(*words), stdin=stdin, timeout=timeout, check=check)

    def json(self, *words: str, timeout: float = TIMEOUT) -> Any:
        """Run kubectl with ``words`` and ``-o json``, and return what it printed.

        Raises:
            CommandError: it is not there, took too long, or failed.
        """
        return json.loads(self.run(*words, "-o", "json", timeout=timeout).stdout)

    def within(self, namespace: str) -> Kubectl:
        """Return the same for another namespace."""
        return dataclasses.replace(self, namespace=namespace)


def current_context() -> str:
    """Return the context that the user's kubectl uses.

    Raises:
        UsageError: there is none.
    """
    done = command.run(["kubectl", "config", "current-context"], timeout=TIMEOUT, check=False)
    if done.status or not done.stdout.strip():
        raise UsageError(
            "which cluster is meant is not known",
            expected="--context NAME, or a current context",
            found=done.stderr.strip() or "none",
            where="kubectl config get-contexts",
            todo="name one of those that are listed there",
        )
    return done.stdout.strip()
