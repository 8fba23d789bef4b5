"""Where a system can be made to run: one module for each word after ``--backend``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from ..errors import UsageError
from ..systems import Backend, Options

NAMES = ("local", "k3d", "kube", "external")


def backend(name: str, options: Options | None = None) -> Backend:
    """Return the backend ``name``.

    Raises:
        UsageError: there is no backend of that name.
    """
    options = options or Options()
    # imported here: nobody pays for a backend that is not used, or needs what it needs
    if name == "local":
        from ..systems import LocalBackend  # noqa: PLC0415

        return LocalBackend()
    if name == "external":
        from ..systems import ExternalBackend  # noqa: PLC0415

        return ExternalBackend(options.environment)
    if name == "k3d":
        from ..kubernetes import K3dBackend  # noqa: PLC0415

        return K3dBackend(options)
    if name == "kube":
        from ..kubernetes import KubeBackend  # noqa: PLC0415

        return KubeBackend(options)
    raise UsageError(
        "there is no such backend",
        expected=", ".join(NAMES),
        found=name,
        where="--backend or HARNESS_BACKEND",
    )


def check(name: str, options: Options) -> None:
    """Check that the backend ``name`` has what it needs, before anything is begun.

    Raises:
        UsageError: there is no such backend, or it lacks something; says how to get that.
    """
    found = backend(name, options)
    if preflight := getattr(found, "preflight", None):
        preflight()


@contextmanager
def opened(name: str, options: Options) -> Iterator[Backend]:
    """Yield the backend ``name``; what it keeps from one system to the next is gone afterwards."""
    found = backend(name, options)
    if isinstance(found, AbstractContextManager):
        with found:
            yield found
    else:
        yield found
