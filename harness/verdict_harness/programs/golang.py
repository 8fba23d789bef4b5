"""Programs built from Go modules: a ``go.mod`` of ours names them, its ``go.sum`` pins every byte.

The module and build caches are ours, below the cache directory, and shared by
all Go builds: what two programs have in common is fetched and compiled once,
and a build that was interrupted goes on where it was.  They are large (several
GB) and of no use afterwards, so the last build to finish removes them.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

from ..errors import CommandError
from ..processes import run
from . import store
from .model import PINS
from .trouble import explain

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .model import Making, Program
    from .task import Task

_NETWORK = (
    "check the network. The Go client goes where GOPROXY (or `go env -w`) sends it:\n"
    "in a closed network set GOPROXY to your mirror, and HTTPS_PROXY if you need one"
)
_PACKAGE = re.compile(r"[\w.~/-]+")


def environment(go: Program, work: Path, temporary: Path) -> dict[str, str]:
    """Return the variables that make a build depend on the pins and on nothing of the user's.

    What says where modules come from (GOPROXY, GONOSUMDB, GOENV, ...) stays the user's.
    An empty value is the same as none to Go.
    """
    return {
        "GOTOOLCHAIN": "local",  # another toolchain would be a download that nothing pins
        "GOFLAGS": "-mod=readonly -modcacherw",
        "GOPATH": str(work / "path"),
        "GOMODCACHE": str(work / "mod"),
        "GOCACHE": str(work / "build"),
        "GOTMPDIR": str(temporary),
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        **dict.fromkeys(("GOOS", "GOARCH", "GOEXPERIMENT", "GO111MODULE", "GOBIN"), ""),
        # a GOROOT that belongs to another Go breaks the one from a wheel
        "GOROOT": "" if go.source.startswith(("PATH", "variable")) else str(go.path.parent.parent),
    }


def build(making: Making, pins: str, packages: tuple[str, ...], flags: tuple[str, ...]) -> None:
    """Build the main ``packages`` of the module pinned in ``pins`` into ``bin``.

    Args:
        making: where to, and whom to tell.
        pins: the directory with ``go.mod`` and ``go.sum``, below ``pins/``.
        packages: import paths.
        flags: of ``go build``, such as tags.
    """
    making.task.status("getting the Go toolchain")
    go = making.provide("go")
    source = making.temporary / "module"
    source.mkdir()
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(PINS / pins / name, source / name)
    flags = ("-trimpath", *flags)
    modules = _Modules(go.path, source, environment(go, making.work / "go", making.temporary), making.task)
    try:
        modules.fetch(packages, flags)
        # One compiler at a time: it uses all cores by itself, and the next one finds compiled what both need
        with store.lock("compiler", making.task, "the Go compiler"):
            modules.build(packages, flags, making.directory / "bin")
    except CommandError as error:
        what = f"{making.task.name} could not be built"
        raise explain(error, what, where=f"{packages[0]} with {go.path}", network=_NETWORK) from error


class _Modules:
    """Runs Go on one set of pins, and counts what it does for the status line."""

    def __init__(self, go: Path, source: Path, env: dict[str, str], task: Task) -> None:
        self._go = go
        self._source = source
        self._env = env
        self._task = task

    def fetch(self, packages: tuple[str, ...], flags: tuple[str, ...]) -> None:
        """Fetch all modules that are needed."""
        fetched = 0

        def count(line: str) -> None:
            nonlocal fetched
            if line.startswith("go: downloading"):
                fetched += 1
                self._task.status(f"downloading, {fetched} Go modules so far")

        self._task.status("downloading Go modules")
        self._run("list", *flags, "-deps", *packages, on_line=count)

    def build(self, packages: tuple[str, ...], flags: tuple[str, ...], into: Path) -> None:
        """Compile ``packages`` and put their executables ``into`` a directory."""
        self._task.status("asking Go what there is to compile")
        stale = "{{if .Stale}}{{.ImportPath}}{{end}}"
        total = len(self._run("list", *flags, "-deps", "-f", stale, *packages).split())
        done = 0

        def count(line: str) -> None:
            nonlocal done
            if _PACKAGE.fullmatch(line):
                done += 1
                self._task.status(f"compiling, {min(done, total)} of {total} packages")

        self._task.status(f"compiling {total} packages")
        self._run("build", "-v", *flags, "-o", f"{into}/", *packages, on_line=count)

    def _run(self, *words: str, on_line: Callable[[str], None] | None = None) -> str:
        return self._task.run([self._go, *words], cwd=self._source, env=self._env, on_line=on_line).stdout


def clean(work: Path, others: list[str]) -> None:
    """Remove the caches of Go, unless another build is using them: then that one will.

    Args:
        work: what :class:`~verdict_harness.programs.model.Making` calls so.
        others: the locks of all other recipes that build with Go.
    """
    with store.lock_if_free(others) as alone:
        if alone:
            store.remove(work / "go")


def repin(go: Program, pins: str, module: str, packages: tuple[str, ...], scratch: Path) -> None:
    """Write ``go.mod`` and ``go.sum`` anew for ``module`` (``path@version``).

    The module's own replace directives hold only where it is the main module, so they are repeated in ours.
    """
    env = {**environment(go, scratch, scratch), "GOFLAGS": "-mod=mod -modcacherw"}
    source = scratch / pins
    source.mkdir()
    run([go.path, "mod", "init", f"verdict-harness/{pins}"], cwd=source, env=env)
    fetched = json.loads(run([go.path, "mod", "download", "-json", module], cwd=source, env=env).stdout)
    theirs = json.loads(run([go.path, "mod", "edit", "-json", fetched["GoMod"]], cwd=source, env=env).stdout)
    edits = [f"-go={_least_go(theirs['Go'])}", f"-require={module}"]
    edits += [f"-tool={package}" for package in packages]
    edits += [f"-replace={_at(item['Old'])}={_at(item['New'])}" for item in theirs.get("Replace") or ()]
    run([go.path, "mod", "edit", *edits], cwd=source, env=env)
    run([go.path, "mod", "tidy"], cwd=source, env=env)
    for name in ("go.mod", "go.sum"):
        shutil.copyfile(source / name, PINS / pins / name)


def _at(module: dict[str, str]) -> str:
    version = module.get("Version")
    return f"{module['Path']}@{version}" if version else module["Path"]


def _least_go(version: str) -> str:
    """``tool`` lines came with Go 1.24.

    >>> _least_go("1.23.0"), _least_go("1.26.0")
    ('1.24.0', '1.26.0')
    """
    return max(version, "1.24.0", key=lambda text: [int(part) for part in text.split(".")])
