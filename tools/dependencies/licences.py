"""Under which licences are the libraries of the lock? Each must be of ``ALLOWED``; docs/programs.md says why.

A library says it in its own metadata: as an SPDX expression, or, if it is older than that, in a word or by
classifiers, which ``SPDX`` translates. What says neither is not taken for well: its licence is read by
somebody and written down in ``READ``.

    python -m tools.dependencies.licences        # each library, where it is installed, and its licence
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from license_expression import ExpressionError, ParseError, get_spdx_licensing
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
#: Whoever passes a copy on keeps its notice, and that is all.
PERMISSIVE = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT", "MIT-0", "MIT-CMU"),
    *("PSF-2.0", "TCL", "Unlicense", "Zlib"),
}
#: Whoever changes a file of it and passes that on, passes on the file's source.
BY_FILE = {"MPL-2.0"}
ALLOWED = PERMISSIVE | BY_FILE
#: What metadata that are no SPDX expression mean.
SPDX = {
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD 2-Clause License": "BSD-2-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PSFL": "PSF-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
#: Libraries of the lock that other platforms alone install, and those whose metadata are not clear.
READ = {
    "colorama": "BSD-3-Clause",
    "pywin32": "PSF-2.0",
    "tracerite": "Unlicense",  # says "Public Domain"
}


@dataclass(frozen=True)
class Library:
    """A library of the lock.

    Attributes:
        name: its normalised name.
        version: that which is installed, or else locked.
        licence: an SPDX expression; empty if it says none that is known.
        said: what its metadata say.
    """

    name: str
    version: str
    licence: str
    said: str = ""

    @property
    def allowed(self) -> bool:
        """Whether its licence, or one of those that it offers, is of ``ALLOWED``."""
        return allows(self.licence)


@cache
def spdx() -> Any:
    """Return what parses expressions; it reads all of SPDX's licences, which takes a while."""
    return get_spdx_licensing()


def parsed(licence: str) -> Any:
    """Return an SPDX expression, or ``None`` if it is none or names a licence that is none."""
    try:
        return spdx().parse(licence, validate=True)
    except (ExpressionError, ParseError, IndexError):  # the last for brackets around nothing
        return None


def allows(licence: str) -> bool:
    """Return whether an SPDX expression can be met with ``ALLOWED`` alone.

    >>> allows("MPL-2.0 AND (Apache-2.0 OR GPL-2.0-only)"), allows("MIT AND GPL-2.0-only"), allows("")
    (True, False, False)
    """
    licensing, expression = spdx(), parsed(licence)
    if expression is None:
        return False
    known = {
        symbol: licensing.TRUE if str(symbol) in ALLOWED else licensing.FALSE for symbol in expression.symbols
    }
    return bool(expression.subs(known, simplify=True) == licensing.TRUE)


def said(about: Mapping[str, Any]) -> tuple[str, str]:
    """Return a library's licence in SPDX's terms, empty if that is not known, and what it says itself.

    Args:
        about: its metadata as ``importlib.metadata`` gives them as JSON.
    """
    classifiers = [
        word.split(" :: ")[1:] for word in about.get("classifier", ()) if word.startswith("License ::")
    ]
    words = [word[-1] for word in classifiers if word not in (["OSI Approved"], ["DFSG approved"])]
    text = about.get("license", "").strip()
    # The first that it says counts, allowed or not. Some have the whole text there.
    for told in ([about.get("license_expression", "")], [text], words):
        licence = " AND ".join(f"({SPDX.get(word, word)})" for word in dict.fromkeys(told))
        if (found := parsed(licence)) is not None:
            return str(found.simplify()), ", ".join(told)
    return "", ", ".join([text.partition("\n")[0], *words]).strip(", ") or "nothing"


def locked(lock: str) -> dict[str, str]:
    """Return name to version of what a lock file has; of several for other Pythons, the last."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock, re.MULTILINE))


def libraries(lock: Mapping[str, str]) -> list[Library]:
    """Return every library of the lock, by name."""
    found = []
    for name, version in sorted(lock.items()):
        if name in READ:
            found.append(Library(name, version, READ[name], READ[name]))
            continue
        try:
            about = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            found.append(Library(name, version, "", "nothing: it is not installed here"))
        else:
            found.append(Library(name, about.version, *said(about.metadata.json)))
    return found


def needed(names: Iterable[str]) -> set[str]:
    """Return the distributions that installing ``names`` brings, theirs and those of what they need."""
    found: set[str] = set()
    left = [str(canonicalize_name(name)) for name in names]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        try:
            wants = [Requirement(text) for text in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:  # of another platform
            continue
        left += [canonicalize_name(one.name) for one in wants if not one.marker or one.marker.evaluate()]
    return found


def main() -> int:
    """Show every library; tell which have a licence that is not allowed."""
    found = libraries(locked((ROOT / "requirements.lock").read_text(encoding="utf-8")))
    wheel = needed(["verdict-harness"])
    images = locked((ROOT / "requirements-runtime.lock").read_text(encoding="utf-8"))
    wrong = [one for one in found if not one.allowed]
    if "--quiet" not in sys.argv[1:]:
        for one in found:
            places = [place for place, names in (("wheel", wheel), ("images", images)) if one.name in names]
            print(f"{one.name:<28} {one.version:<16} {', '.join(places) or '-':<15} {one.licence}")
    for one in wrong:
        print(f"{one.name}: expected a licence of ALLOWED, found {one.said}; tools/dependencies/licences.py")
    print(f"licences: {len(found)} libraries of the lock, {len(wrong)} of them under one that is not allowed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
