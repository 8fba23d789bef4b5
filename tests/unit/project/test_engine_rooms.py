"""The engine's rooms stand on floors: each uses only those below it, and only through their faces."""

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[3] / "src" / "engine"
FLOORS = (
    "errors",
    "config",
    "orders",
    "metrics",
    "books",
    "log",
    "events",
    "kafka",
    "publishing",
    "shard",
    "http",
    "logs",
    "__main__",
)
"""From the bottom up."""


def uses(path: Path) -> set[tuple[str, ...]]:
    """What a file imports of the engine: the words behind ``engine``."""
    package = path.relative_to(ENGINE).parts[:-1]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - (node.level - 1)]
            stem = (*base, *(node.module.split(".") if node.module else ()))
            found |= {(*stem, alias.name) for alias in node.names} if not stem else {stem}
    return found


def room(path: Path) -> str:
    return path.relative_to(ENGINE).with_suffix("").parts[0]


FILES = [path for path in sorted(ENGINE.rglob("*.py")) if path != ENGINE / "__init__.py"]


def test_every_room_has_its_floor():
    assert {room(path) for path in FILES} == set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ENGINE)))
def test_a_room_uses_those_below_through_their_faces(path):
    here = FLOORS.index(room(path))
    others = {used for used in uses(path) if used[0] != room(path)}
    assert {used for used in others if FLOORS.index(used[0]) >= here} == set(), "arrows go down"
    assert {used for used in others if len(used) > 1} == set(), "through the face, the room's __init__"


@pytest.mark.parametrize("name", [name for name in FLOORS if (ENGINE / name).is_dir()])
def test_a_rooms_face_says_what_it_is_for_and_what_it_has(name):
    face = ast.parse((ENGINE / name / "__init__.py").read_text())
    assert (ast.get_docstring(face) or "").startswith(f"Room ``{name}``: ")
    words = {node.id for node in ast.walk(face) if isinstance(node, ast.Name)}
    assert "__all__" in words


def test_no_room_is_a_corridor():
    lines = {
        name: sum(len(path.read_text().splitlines()) for path in FILES if room(path) == name)
        for name in FLOORS
    }
    assert {name: count for name, count in lines.items() if count > sum(lines.values()) / 5} == {}
