"""Another version of the exchange: found in git, and put beside the working tree's."""

from __future__ import annotations

import tarfile
from pathlib import Path

from experiments.cluster import ROOT
from verdict_harness.errors import CommandError, UsageError
from verdict_harness.processes import run

PARTS = ("engine", "gateway")


def commit(ref: str, root: Path = ROOT) -> str:
    """Return the commit that a name means in the working tree's history.

    Args:
        ref: such as ``"main"``, ``"v1.2"`` or ``"HEAD~3"``.
        root: of the working tree.

    Raises:
        UsageError: there is no such commit, it has no exchange in ``src``, or there is no git.
    """
    ask = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}"]
    try:
        found = run(["git", "-C", root, *ask], check=False).stdout.strip()
    except CommandError as error:
        raise UsageError(
            "--against needs git, to find another version", found=error.what, todo="install git"
        ) from error
    if not found:
        raise UsageError(
            f"there is no commit {ref!r} to judge this version against",
            expected="a branch, a tag or a commit, such as main or HEAD~1",
            found=f"none in {root}",
            todo="git fetch, where it is elsewhere",
        )
    listed = run(["git", "-C", root, "ls-tree", "--name-only", found, "src/"]).stdout.split()
    missing = [part for part in PARTS if f"src/{part}" not in listed]
    if missing:
        raise UsageError(
            f"{ref!r} is no version of the exchange",
            expected="src/engine and src/gateway",
            found=f"no src/{missing[0]} in {found[:12]}",
        )
    return found


def sources(commit_: str, folder: Path, root: Path = ROOT) -> None:
    """Write the sources that a commit has to ``src`` in a folder.

    Args:
        commit_: of the working tree's history.
        folder: an empty one.
        root: of the working tree.
    """
    packed = folder / "src.tar"
    run(["git", "-C", root, "archive", "--format=tar", f"--output={packed}", commit_, "src"])
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    packed.unlink()
