"""What is behind: every pin and every locked library, beside the newest version that its registry serves.

Each registry is asked by its ordinary client, with that client's settings: uv and pip, Go, jgo for Maven,
Helm, and skopeo or crane for images. What can't be asked says why, and is never called current.

    python -m tools.dependencies.outdated UV      # the path of uv
"""

from __future__ import annotations

import json
import logging
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import MavenContext

from experiments import cluster
from verdict_harness.errors import HarnessError
from verdict_harness.programs import provide
from verdict_harness.programs.maven import repositories

from .licences import locked
from .pins import PINS, ROOT, Pin

TIMEOUT = 120.0  # seconds that any client may take


class NotAsked(Exception):  # noqa: N818 - no error: it is what a row says
    """A registry could not be asked; says why."""


@dataclass(frozen=True)
class Row:
    """One thing that is pinned, and what its registry says of it.

    Attributes:
        ecosystem: as in ``Pin``.
        name: as in ``Pin``.
        pinned: the version here.
        newest: the newest that is served; empty if that is not known.
        remark: why it is not known, or why it stays.
        held: whether it stays.
    """

    ecosystem: str
    name: str
    pinned: str
    newest: str = ""
    remark: str = ""
    held: bool = False

    @property
    def state(self) -> str:
        """``current``, ``behind``, ``held`` or ``not asked``."""
        if not self.newest:
            return "not asked"
        if self.newest == self.pinned:
            return "current"
        return "held" if self.held else "behind"


def say(command: Sequence[str | Path], cwd: Path | None = None) -> str:
    """Return what a client says.

    Raises:
        NotAsked: it is not there, failed or hung.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAsked(f"{Path(words[0]).name}: {getattr(error, 'strerror', None) or error}") from error
    if done.returncode:
        raise NotAsked(last_line(done.stderr or done.stdout))
    return done.stdout


def last_line(text: str) -> str:
    """Return the last line that says anything, without passwords in addresses, and not too long."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it failed and said nothing"]
    return re.sub(r"//[^/@\s]*@", "//", lines[-1])[:160]


def newest(versions: Iterable[str], like: str) -> str:
    """Return the newest of ``versions`` that is written as ``like`` is, so no pre-release.

    Raises:
        NotAsked: none is.

    >>> newest(["v3.15.1", "v3.16.0", "v3.17.0-rc.0", "latest"], "v3.15.0")
    'v3.16.0'
    >>> newest(["3.11-slim-bookworm", "3.14-slim-bookworm", "3.15"], "3.11-slim-bookworm")
    '3.14-slim-bookworm'
    """
    shape = re.sub(r"\\?\d+", r"\\d+", re.escape(like))
    same = [version for version in versions if re.fullmatch(shape, version)]

    def numbers(version: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", version)]

    if not same:
        raise NotAsked("no version of that form is served")
    return max([like, *same], key=numbers)  # a mirror may lag behind us


def pypi(pin: Pin) -> str:
    """Ask pip."""
    said = say([sys.executable, "-m", "pip", "--disable-pip-version-check", "index", "versions", pin.name])
    versions = re.search(r"Available versions: (.+)", said)
    if versions is None:
        raise NotAsked(f"pip: {last_line(said)}")
    return newest(versions[1].split(", "), pin.version)


def go_module(pin: Pin) -> str:
    """Ask Go; Prometheus 3.15.0 is the module version v0.315.0."""
    with tempfile.TemporaryDirectory() as folder:
        said = say([provide("go").path, "list", "-m", "-versions", "-json", pin.name], cwd=Path(folder))
    versions = json.loads(said).get("Versions") or []
    if pin.name == "github.com/prometheus/prometheus":
        parts = [re.fullmatch(r"v0\.(\d)(\d\d)\.(\d+)", version) for version in versions]
        versions = [f"v{one[1]}.{int(one[2])}.{one[3]}" for one in parts if one]
    return newest(versions, f"v{pin.version}").removeprefix("v")


def maven(pin: Pin) -> str:
    """Ask jgo."""
    group, artifact = pin.name.split(":")
    logging.getLogger("jgo").setLevel(logging.ERROR)  # a repository that does not answer is in the row
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), remote_repos=repositories(), timeout=20)
        try:
            project = context.project(group, artifact)
            project.update()
            versions = list(project.metadata.versions)
        except Exception as error:  # whatever it raises is why it can't be asked
            raise NotAsked(f"jgo: {last_line(str(error))}") from error
    return newest(versions, pin.version)


def image(pin: Pin) -> str:
    """Ask skopeo or crane; Docker's own client can't list tags."""
    if shutil.which("skopeo"):
        said = say(
            [
                "skopeo",
                "list-tags",
                f"docker://docker.io/{pin.name if '/' in pin.name else f'library/{pin.name}'}",
            ]
        )
        return newest(json.loads(said)["Tags"], pin.version)
    if shutil.which("crane"):
        return newest(say(["crane", "ls", pin.name]).split(), pin.version)
    raise NotAsked("neither skopeo nor crane is on PATH")


def chart(pin: Pin) -> str:
    """Ask Helm, of the repository that the deployment takes it from."""
    repository = {one.release: one.repository for one in (cluster.PROMETHEUS, cluster.GRAFANA)}[pin.name]
    said = say(["helm", "show", "chart", pin.name, "--repo", repository])
    found = re.search(r"^version: (\S+)", said, re.MULTILINE)
    if found is None:
        raise NotAsked("helm: it names no version")
    return found[1]


ASK: dict[str, Callable[[Pin], str]] = {
    "pypi": pypi,
    "go": go_module,
    "maven": maven,
    "image": image,
    "chart": chart,
}


def ask(pin: Pin) -> Row:
    """Return the row of a pin."""
    try:
        found = ASK[pin.ecosystem](pin)
    except (NotAsked, HarnessError) as why:
        return Row(pin.ecosystem, pin.name, pin.version, remark=last_line(str(why)))
    return Row(pin.ecosystem, pin.name, pin.version, found, pin.held, held=bool(pin.held))


def libraries(uv: str) -> list[Row]:
    """Ask uv what the locks would have if they were resolved anew: the newest that get along."""
    rows = []
    for lock, words in (
        ("requirements.lock", ("pyproject.toml", "--all-extras", "--group", "dev")),
        ("tests/integration/beside/requirements.lock", ("--group", "beside")),
    ):
        here = locked((ROOT / lock).read_text(encoding="utf-8"))
        options = (
            "--universal",
            "--upgrade",
            "--python-version",
            "3.11",
            "--no-header",
            "--quiet",
            "--no-annotate",
        )
        try:
            there = locked(say([uv, "pip", "compile", *words, *options], cwd=ROOT))
        except NotAsked as why:
            rows += [Row("pypi", name, version, remark=str(why)) for name, version in here.items()]
        else:
            rows += [Row("pypi", name, version, there.get(name, "none")) for name, version in here.items()]
    return list({(row.name, row.pinned): row for row in rows}.values())


def table(rows: Sequence[Row]) -> str:
    """Return the rows that are not current, and how many of each kind there are."""
    lines = [
        f"{row.ecosystem:<6} {row.name:<34} {row.pinned:<24} {row.newest or '?':<24} "
        f"{row.state:<10}{row.remark}".rstrip()
        for row in rows
        if row.state != "current"
    ]
    counts = {
        state: sum(row.state == state for row in rows) for state in ("current", "behind", "held", "not asked")
    }
    head = f"{'':<6} {'what':<34} {'pinned':<24} {'newest served':<24} state"
    return "\n".join([head, *lines, ", ".join(f"{count} {state}" for state, count in counts.items())])


def main(uv: str) -> None:
    """Ask for everything and show the table."""
    print(table([*map(ask, PINS), *libraries(uv)]))


if __name__ == "__main__":
    main(sys.argv[1])
