"""Container images that are certainly made of the source tree as it is now.

An image carries the digest of what it was made of, twice: as a label, by which
one that is there already is known to be fresh, and in its environment, by which
a container that runs can be asked which it is.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import CommandError, UsageError
from ..figures import duration
from ..processes import progress, run
from ..systems import Image

LABEL = "verdict-harness.source"
VARIABLE = "VERDICT_HARNESS_SOURCE"

_BUILD_TIMEOUT = 900.0
_TIMEOUT = 60.0
_SAVE_TIMEOUT = 600.0
_CONTAINERD = "io.containerd.snapshotter"
_PLATFORM = "{{.Os}}/{{.Architecture}}{{if .Variant}}/{{.Variant}}{{end}}"
_NOT_SOURCE = {"__pycache__", ".DS_Store"}


def digest(image: Image) -> str:
    """Return the SHA-256 of everything that ``image`` is made of: paths, contents and the build's recipe.

    Raises:
        UsageError: something that it is said to be made of is not there.
    """
    found = hashlib.sha256()
    for path in sorted({file for one in (image.dockerfile, *image.sources) for file in _files(image, one)}):
        content = (image.context / path).read_bytes()
        found.update(f"{path.as_posix()}\0{len(content)}\0".encode())
        found.update(content)
    return found.hexdigest()


def _files(image: Image, path: Path) -> Iterable[Path]:
    whole = image.context / path
    if whole.is_file():
        yield path
    elif whole.is_dir():
        for file in whole.rglob("*"):
            relative = file.relative_to(image.context)
            if file.is_file() and not _NOT_SOURCE.intersection(relative.parts):
                yield relative
    else:
        raise UsageError(
            f"the image {image.name} can't be built", expected="its sources", found="none", where=str(whole)
        )


def build(image: Image) -> str:
    """Build ``image`` unless one made of the same sources is there; return the digest of these.

    Raises:
        UsageError: a source is not there.
        CommandError: the build failed.
    """
    wanted = digest(image)
    if _label(image.name) == wanted:
        return wanted
    progress.status(f"building {image.name}")
    recipe = (image.context / image.dockerfile).read_text(encoding="utf-8")
    # appended to the last stage, so that every image says what it is, whatever its recipe
    recipe += f"\nLABEL {LABEL}={wanted}\nENV {VARIABLE}={wanted}\n"
    done = run(
        ["docker", "build", "--tag", image.name, "--file", "-", image.context],
        stdin=recipe,
        timeout=_BUILD_TIMEOUT,
        on_line=lambda line: progress.status(f"building {image.name}: {line}") if line.strip() else None,
    )
    progress.say(f"built {image.name} in {duration(done.seconds)}")
    return wanted


def had(names: Iterable[str]) -> dict[str, str]:
    """Return the engine's id of each of these images that it has, or can pull.

    It pulls, and not each node of a cluster: what it has it has for the next cluster, too.
    """
    found = {}
    for name in names:
        identity = _identity(name)
        if not identity:
            progress.status(f"pulling {name}")
            if run(["docker", "pull", "--quiet", name], timeout=_BUILD_TIMEOUT, check=False).status == 0:
                identity = _identity(name)
        if identity:
            found[name] = identity
    return found


@contextmanager
def transportable(names: Sequence[str]) -> Iterator[list[str]]:
    """Within, what a node of a cluster can be given for these images of the engine: their names, or archives.

    An engine that keeps images as containerd does (Docker Desktop, and new installations of Docker 29) names
    also those platforms of an image that it did not pull; a node looks for them and takes nothing (k3d issue
    1538). There, images are saved for the one platform that they were pulled or built for.

    Raises:
        CommandError: they could not be saved.
    """
    store = run(["docker", "info", "--format", "{{json .DriverStatus}}"], timeout=_TIMEOUT).stdout
    if _CONTAINERD not in store:
        yield list(names)
        return
    platforms: dict[str, list[str]] = {}
    for name in names:
        platforms.setdefault(_inspected(name, _PLATFORM), []).append(name)
    with tempfile.TemporaryDirectory(prefix="verdict-harness-images-") as directory:
        archives = []
        for number, (platform, some) in enumerate(platforms.items()):
            archives.append(f"{directory}/{number}.tar")
            progress.status(f"saving {', '.join(some)} for {platform}")
            words = ["docker", "save", "--platform", platform, "--output", archives[-1], *some]
            try:
                run(words, timeout=_SAVE_TIMEOUT)
            except CommandError as error:
                error.todo = "Docker 28 or later saves images of one platform, which k3d needs here"
                raise
        yield archives


def _identity(name: str) -> str:
    return _inspected(name, "{{.Id}}")


def _inspected(name: str, form: str) -> str:
    """What the engine says of an image; empty if it has none of that name, or does not answer."""
    done = run(["docker", "image", "inspect", name, "--format", form], timeout=_TIMEOUT, check=False)
    return done.stdout.strip() if done.status == 0 else ""


def _label(name: str) -> str | None:
    labels = _inspected(name, "{{json .Config.Labels}}")
    if not labels:
        return None  # no such image; an engine that does not answer fails the build, and says so
    try:
        return (json.loads(labels) or {}).get(LABEL)
    except ValueError:
        raise CommandError(f"docker says nothing sensible of {name}", found=labels) from None
