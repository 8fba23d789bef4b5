"""Provide a tiny Go program the way k6 is provided; run by test_programs.py in processes of its own.

Its module and what it needs come from a module proxy of files in the directory
that is given, its pins from there too, so that each can be spoilt.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import zipfile
from functools import partial
from pathlib import Path

from verdict_harness import programs
from verdict_harness.errors import HarnessError
from verdict_harness.programs import catalogue, golang, store
from verdict_harness.programs.model import Recipe, Spec
from verdict_harness.programs.task import Task

MODULE = "example.test/tiny"
VERSION = "v1.2.3"
SOURCE = """package main

func main() { println("tiny 1.2.3") }
"""


def write_proxy(root: Path) -> None:
    """Write a module proxy that serves the tiny module, and pins that name it."""
    files = {"go.mod": f"module {MODULE}\n\ngo 1.24.0\n", "main.go": SOURCE}
    serve(root / "proxy", MODULE, VERSION, files)
    pins = root / "pins" / "tiny"
    pins.mkdir(parents=True)
    (pins / "go.mod").write_text(
        f"module pins\n\ngo 1.24.0\n\ntool {MODULE}\n\nrequire {MODULE} {VERSION} // indirect\n"
    )
    whole = _hash({f"{MODULE}@{VERSION}/{name}": text for name, text in files.items()})
    alone = _hash({"go.mod": files["go.mod"]})
    (pins / "go.sum").write_text(f"{MODULE} {VERSION} {whole}\n{MODULE} {VERSION}/go.mod {alone}\n")


def serve(proxy: Path, module: str, version: str, files: dict[str, str]) -> None:
    """Let a module proxy of files serve one more module, or one more version of it."""
    served = proxy / module / "@v"
    served.mkdir(parents=True, exist_ok=True)
    (served / f"{version}.mod").write_text(files["go.mod"])
    (served / f"{version}.info").write_text(f'{{"Version": "{version}"}}')
    with zipfile.ZipFile(served / f"{version}.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{module}@{version}/{name}", text)


def _hash(files: dict[str, str]) -> str:
    """Go's own hash of a set of files, which go.sum calls h1."""
    lines = "".join(
        f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sorted(files.items())
    )
    return "h1:" + base64.b64encode(hashlib.sha256(lines.encode()).digest()).decode()


def offer(root: Path) -> None:
    """Put the tiny program into the catalogue."""
    golang.PINS = store.PINS = root / "pins"
    recipe = Recipe(
        name="tiny",
        version="1.2.3",
        origin="built from Go modules",
        make=partial(golang.build, pins="tiny", packages=(MODULE,), flags=()),
        pins=("tiny/go.mod", "tiny/go.sum"),
        seconds=20,
        disk=1,
    )
    catalogue.SPECS["tiny"] = Spec("tiny", "TINY", "1", recipe, "bin/tiny", r"^tiny (\S+)", ("version",))
    catalogue.clean = lambda _name, making: golang.clean(making.work, [])


def main() -> int:
    offer(Path(sys.argv[1]))
    # every status, not only the one that is due when ten seconds have passed
    Task.status = lambda _task, text: sys.stderr.write(f"status: {text}\n") and sys.stderr.flush()
    try:
        program = programs.provide("tiny")
    except HarnessError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    sys.stdout.write(f"{program.path} {program.version}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
