"""Plants a defect in a copy of the project."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from ..errors import UsageError
from ..programs import NAMES, provide
from .defect import Patch, Plant, Variable, Wrapper
from .tree import Copy


def plant(plants: Iterable[Plant], copy: Copy) -> dict[str, str]:
    """Plant each of ``plants``; return the variables that the session has to have.

    Args:
        plants: what is planted.
        copy: the copy of the project.

    Raises:
        UsageError: an anchor is not there exactly once, or there is no such program: the code has moved.
    """
    environment = {}
    for one in plants:
        if isinstance(one, Patch):
            patch(one, copy.root)
        elif isinstance(one, Variable):
            environment[one.name] = one.value
        else:
            environment[one.variable] = str(_wrap(one, copy))
    return environment


def patch(one: Patch, copy: Path) -> None:
    """Replace the anchor; see :func:`plant`."""
    path = copy / one.path
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    if (times := text.count(one.anchor)) != 1:
        raise UsageError(
            "a defect can't be planted: the code has moved",
            expected=f"this, once:\n{one.anchor.rstrip()}",
            found=f"it is there {times} times" if path.is_file() else "there is no such file",
            where=one.path,
            todo="write the defect anew, for the code as it is",
        )
    path.write_text(text.replace(one.anchor, one.text), encoding="utf-8")


def _wrap(one: Wrapper, copy: Copy) -> Path:
    real = str(provide(one.program).path) if one.program in NAMES else shutil.which(one.program)
    if real is None:
        raise UsageError(
            f"there is no program {one.program} to be wrapped", expected="one on PATH", found="none"
        )
    wrapped = copy.root / ".planted" / "programs" / one.program
    wrapped.parent.mkdir(parents=True, exist_ok=True)
    wrapped.write_text(f"#!{copy.python}\nimport sys\n\nREAL = {real!r}\n{one.script}", encoding="utf-8")
    wrapped.chmod(0o755)
    return wrapped
