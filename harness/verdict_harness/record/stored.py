"""A run's folder as it was left: read back, held to its manifest, compared with what raw files give."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn

from ..errors import EvidenceError
from .digests import of_file

_MOST = 60  # characters of a value in a sentence


def load(path: Path, expected: str) -> dict[str, Any]:
    """Return the JSON object that ``path`` holds.

    Raises:
        EvidenceError: if it is not there, with ``expected``, or holds none.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise EvidenceError(
            "evidence is missing",
            expected=expected,
            found="no such file",
            where=str(path),
            todo="point at the folder of a finished run; a run that was killed has to be run again",
        ) from error
    except (OSError, ValueError) as error:
        raise EvidenceError(
            "evidence is damaged", expected=expected, found=str(error), where=str(path)
        ) from error
    if not isinstance(data, dict):
        damaged(path, "a JSON object", type(data).__name__)
    return data


def damaged(path: Path, expected: str, found: str) -> NoReturn:
    """Raise :class:`~verdict_harness.errors.EvidenceError` for a file that is not what it was."""
    raise EvidenceError(
        "evidence is damaged",
        expected=expected,
        found=found,
        where=str(path),
        todo="restore the folder, or run again",
    )


def another_version(directory: Path, form: object, ours: int) -> NoReturn:
    """Raise an error that says which version reads a run of format ``form``."""
    run = load(directory / "run.json", "a run has a description")
    versions, git = run.get("versions"), run.get("git")
    by = [f"verdict-harness {versions['verdict-harness']}"] if isinstance(versions, Mapping) else []
    by += [f"commit {git['commit']}"] if isinstance(git, Mapping) else []
    raise EvidenceError(
        "this run was made by another version",
        expected=f"a run of format {ours}",
        found=f"format {form}",
        where=str(directory),
        todo=f"judge it with the version that made it: {', '.join(by) or 'its run.json does not say which'}",
    )


def unlike(directory: Path, digests: Mapping[str, str], there: set[str]) -> Iterator[str]:
    """Yield a sentence for each file that is not as its digest says.

    Args:
        directory: the run's folder.
        digests: the manifest's, by name.
        there: names of all that is evidence in the folder now.
    """
    for name, expected in sorted(digests.items()):
        if name not in there:
            yield f"{name} is missing"
        elif of_file(directory / name) != expected:
            yield f"{name} was changed"
    for name in sorted(there - digests.keys()):
        yield f"{name} was added"


def differing(what: str, recorded: object, found: object) -> Iterator[str]:
    """Yield a sentence for each field in which ``found``, from raw files, is not as recorded."""
    if isinstance(recorded, Mapping) and isinstance(found, Mapping):
        for name in {**recorded, **found}:
            yield from differing(f"{what}: {name}", recorded.get(name), found.get(name))
    elif recorded != found:
        yield f"{what} is recorded as {_short(recorded)}, and the raw samples give {_short(found)}"


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= _MOST else f"{text[:_MOST]}…"
