"""docs/verdict.schema.json, which every document of a run's conclusions is held to."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

SCHEMA = json.loads((Path(__file__).parents[1] / "docs" / "verdict.schema.json").read_text())


def read(path: Path) -> dict[str, Any]:
    """Return what a conclusion says, if it is JSON and follows the schema."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    document = json.loads(path.read_text(), parse_constant=refuse)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert ("comparison" in document) == (path.name == "verdict.rejudged.json")
    return document


def written(runs: Path) -> dict[Path, bytes]:
    """Return every conclusion below a folder of runs."""
    found = [path for path in runs.glob("*/verdict*.json") if not path.parent.is_symlink()]
    return {path: path.read_bytes() for path in found if path.is_file()}


def check(runs: Path, before: Mapping[Path, bytes]) -> None:
    """Read every conclusion below a folder of runs that is not as it was before."""
    for path, text in written(runs).items():
        if text != before.get(path):
            read(path)
