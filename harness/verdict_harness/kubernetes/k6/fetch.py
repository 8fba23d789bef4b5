"""Bring files out of a pod, whole or not at all.

``kubectl exec`` may lose the end of what it was to bring, and succeed.  So a
file comes in pieces, each goes on where the last one broke off, and what has
arrived is compared with what is there.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...errors import CommandError, LoadError
from ..kubectl import Kubectl

_PIECE = 2 * 1024 * 1024
_VAIN = 3  # pieces in a row of which nothing arrived
_END = "that is all"


@dataclass(frozen=True, slots=True)
class Place:
    """A directory in a pod that has a shell.

    Attributes:
        kubectl: bound to the pod's namespace.
        pod: its name.
        directory: the directory.
    """

    kubectl: Kubectl
    pod: str
    directory: str

    def bring(self, files: Mapping[str, Path]) -> None:
        """Copy those of ``files`` that are there, name to path here.

        Raises:
            LoadError: not everything arrived as it is there; what did is left where it was to go.
            CommandError: the pod can't be asked.
        """
        for name, (size, digest) in self._list(files).items():
            path = files[name]
            with path.open("wb") as file:
                vain = 0
                while file.tell() < size and vain < _VAIN:
                    piece = self._piece(name, file.tell())
                    vain = 0 if piece else vain + 1
                    file.write(piece)
            content = path.read_bytes()
            if (len(content), hashlib.sha256(content).hexdigest()) != (size, digest):
                raise LoadError(
                    f"{name} did not arrive whole",
                    expected=f"{size} bytes with SHA-256 {digest}",
                    found=f"{len(content)} bytes with {hashlib.sha256(content).hexdigest()}",
                    where=f"{self.directory} in pod {self.pod}",
                )

    def clock(self) -> tuple[float, float]:
        """Return the pod's clock in unix seconds, and to how many seconds that is cut off.

        Raises:
            LoadError: it shows nothing that can be read.
            CommandError: the pod can't be asked.
        """
        shown = self._shell("date +%s.%N").strip()
        seconds, _, fraction = shown.partition(".")
        try:
            # where date knows no fractions, what comes instead is anything but nine digits
            exact = len(fraction) == len("123456789") and fraction.isdigit()
            return (float(shown), 0.0) if exact else (float(seconds), 1.0)
        except ValueError as error:
            raise LoadError("a clock can't be read", expected="unix seconds", found=repr(shown)) from error

    def _list(self, names: Mapping[str, Path]) -> dict[str, tuple[int, str]]:
        """Return the size and the SHA-256 of those of ``names`` that are there."""
        look = 'if [ -e "$f" ]; then echo "$(wc -c <"$f") $(sha256sum <"$f" | cut -c1-64) $f"; fi'
        lines = self._shell(f"for f in {' '.join(names)}; do {look}; done; echo {_END}").splitlines()
        if not lines or lines.pop() != _END:
            raise LoadError("a pod's files could not be listed", found="\n".join(lines), where=self.pod)
        rows = [line.split() for line in lines]
        return {name: (int(size), digest) for size, digest, name in rows}

    def _piece(self, name: str, offset: int) -> bytes:
        """Return the file's bytes from ``offset`` on: a piece, or as much of it as arrived."""
        shell = f'tail -c +{offset + 1} "{name}" | head -c {_PIECE} | base64'
        try:
            text = "".join(self._shell(shell).split())
        except CommandError:
            return b""
        return base64.b64decode(text[: len(text) // 4 * 4])

    def _shell(self, text: str) -> str:
        words = ("exec", self.pod, "--", "sh", "-c", f"cd {self.directory} && {{ {text}; }}")
        return self.kubectl.run(*words).stdout
