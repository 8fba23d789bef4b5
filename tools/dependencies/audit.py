"""Which known holes do the locked libraries and the pinned programs have? pip-audit and govulncheck say.

Both ask a database. Where one can't be asked, or knows a part only, that is said and is no success: pip-audit
itself says "No known vulnerabilities found" of libraries none of which it could ask for. Nothing here knows
of holes in Maven's jars or in images; Renovate is told of those in jars.

    python -m tools.dependencies.audit [words for pip-audit, such as --osv-url URL -s osv]

Exit status: 0 nothing known, 1 holes, 10 something could not be asked and there are no holes in the rest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verdict_harness.errors import HarnessError
from verdict_harness.programs import locate, provide

from .outdated import last_line
from .pins import ROOT

GOVULNCHECK = "v1.9.0"
LOCKS = ("requirements.lock", "requirements-runtime.lock", "tests/integration/beside/requirements.lock")
GO_PROGRAMS = ("k6", "prometheus", "promtool")
TIMEOUT = 600.0  # seconds that one may take; the first govulncheck is built
UNKNOWN = 10


@dataclass(frozen=True)
class Audited:
    """One lock or program.

    Attributes:
        name: such as ``"requirements.lock"``.
        asked: how many libraries or modules the database was asked for.
        holes: each hole, with what has it.
        missing: why the rest could not be asked; empty if all could.
    """

    name: str
    asked: int = 0
    holes: tuple[str, ...] = ()
    missing: str = ""

    def __str__(self) -> str:
        found = f"{len(self.holes)} known vulnerabilities" if self.holes or not self.missing else ""
        parts = [
            f"asked for {self.asked}",
            found,
            f"COULD NOT BE ASKED: {self.missing}" if self.missing else "",
        ]
        return "\n".join(
            [f"{self.name}: {', '.join(filter(None, parts))}", *(f"  {hole}" for hole in self.holes)]
        )


def run(command: Sequence[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a client; one that is not there or hangs is one that said so on its standard error."""
    try:
        return subprocess.run(
            command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, UNKNOWN, "", str(error))


def libraries(lock: str, words: Sequence[str]) -> Audited:
    """Ask pip-audit of a lock."""
    command = [sys.executable, "-m", "pip_audit", "--progress-spinner", "off", "--format", "json"]
    done = run([*command, "--disable-pip", "--require-hashes", "-r", lock, *words])
    try:
        return of_pip_audit(lock, json.loads(done.stdout)["dependencies"])
    except (ValueError, KeyError, TypeError):
        return Audited(lock, missing=f"pip-audit: {last_line(done.stderr or done.stdout)}")


def of_pip_audit(lock: str, found: Sequence[dict[str, Any]]) -> Audited:
    """Read what pip-audit found; what it skipped was not asked."""
    skipped = [f"{one['name']}: {one['skip_reason']}" for one in found if "skip_reason" in one]
    return Audited(
        lock,
        len(found) - len(skipped),
        tuple(
            f"{one['name']} {one['version']}: {hole['id']}" for one in found for hole in one.get("vulns", ())
        ),
        f"{len(skipped)} of {len(found)}, such as {skipped[0]}"
        if skipped
        else ""
        if found
        else "it names no library",
    )


def program(name: str, govulncheck: str) -> Audited:
    """Ask govulncheck of a program that is on this machine."""
    try:
        there = locate(name)
    except HarnessError as error:
        return Audited(name, missing=str(error))
    if there is None:
        return Audited(name, missing="it is not on this machine; nox -s tools makes it")
    done = run([govulncheck, "-mode=binary", "-format=json", str(there.path)])
    if done.returncode:
        return Audited(
            f"{name} {there.version}", missing=f"govulncheck: {last_line(done.stderr or done.stdout)}"
        )
    return of_govulncheck(f"{name} {there.version}", done.stdout)


def of_govulncheck(name: str, said: str) -> Audited:
    """Read govulncheck's JSON, one document after the other."""
    decoder, at, holes, modules = json.JSONDecoder(), 0, set(), None
    while at < len(said.rstrip()):
        try:
            document, at = decoder.raw_decode(said, at)
        except ValueError:
            return Audited(name, missing=f"govulncheck said what is no JSON: {last_line(said[at:])}")
        at += len(said[at:]) - len(said[at:].lstrip())
        if "SBOM" in document:
            modules = document["SBOM"].get("modules") or []
        if finding := document.get("finding"):
            where = finding["trace"][0]
            holes.add(f"{where['module']} {where.get('version', '')}: {finding['osv']}")
    if modules is None:
        return Audited(name, missing="govulncheck did not say which modules it looked at")
    return Audited(name, len(modules), tuple(sorted(holes)))


def programs() -> list[Audited]:
    """Build govulncheck in a folder of its own, and ask it of every program that is made with Go."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            go = provide("go").path
        except HarnessError as error:
            return [Audited(name, missing=str(error)) for name in GO_PROGRAMS]
        package = f"golang.org/x/vuln/cmd/govulncheck@{GOVULNCHECK}"
        built = run([str(go), "install", package], {**os.environ, "GOBIN": folder, "GOFLAGS": ""})
        if built.returncode:
            return [Audited(name, missing=f"govulncheck: {last_line(built.stderr)}") for name in GO_PROGRAMS]
        return [program(name, str(Path(folder) / "govulncheck")) for name in GO_PROGRAMS]


def main(words: Sequence[str]) -> int:
    """Audit everything, show it, and return the exit status."""
    found = [*(libraries(lock, words) for lock in LOCKS), *programs()]
    print(*found, sep="\n")
    print("jars and images: not looked at, nothing here knows of their holes")
    holes, missing = sum(len(one.holes) for one in found), sum(bool(one.missing) for one in found)
    if not any(one.asked for one in found):
        print("audit: nobody could be asked, and so nothing is known")
    else:
        rest = f"; {missing} of {len(found)} could not be asked, or not whole" if missing else ""
        print(f"audit: {holes} known vulnerabilities in what was asked for{rest}")
    return 1 if holes else UNKNOWN if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
