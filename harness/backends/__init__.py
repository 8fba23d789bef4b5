"""Where a system can be made to run: one module for each word after ``--backend``."""

from __future__ import annotations

from ..errors import Unsupported, UsageError
from ..system import Backend

NAMES = ("local", "k3d", "kube", "external")


def backend(name: str) -> Backend:
    """Return the backend ``name``.

    Raises:
        UsageError: there is no backend of that name.
        Unsupported: there will be, and is not yet.
    """
    # imported here: nobody pays for a backend that is not used, or needs what it needs
    if name == "local":
        from .local import LocalBackend  # noqa: PLC0415

        return LocalBackend()
    if name == "external":
        from .external import ExternalBackend  # noqa: PLC0415

        return ExternalBackend()
    if name in NAMES:
        raise Unsupported(
            f"the backend {name} is not there yet",
            expected="local, or external for a system that already runs (on Kubernetes, too)",
            found=name,
            todo="use --backend local, or port-forward the cluster's services and use --backend external",
        )
    raise UsageError(
        "there is no such backend",
        expected=", ".join(NAMES),
        found=name,
        where="--backend or HARNESS_BACKEND",
    )
