"""The engine's rooms say what they are for and stay rooms; import-linter holds who uses whom."""

import ast
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[3] / "src" / "engine"
ROOMS = sorted(face.parent for face in ENGINE.glob("*/__init__.py"))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_rooms_face_says_what_it_is_for_and_what_it_has(room):
    face = ast.parse((room / "__init__.py").read_text())
    assert (ast.get_docstring(face) or "").startswith(f"Room ``{room.name}``: ")
    words = {node.id for node in ast.walk(face) if isinstance(node, ast.Name)}
    assert "__all__" in words


def test_no_room_is_a_corridor():
    files = [path for path in ENGINE.rglob("*.py") if path != ENGINE / "__init__.py"]
    whole = sum(len(path.read_text().splitlines()) for path in files)
    lines = {
        room.name: sum(len(path.read_text().splitlines()) for path in room.rglob("*.py")) for room in ROOMS
    }
    assert whole
    assert {name: count for name, count in lines.items() if count > whole / 5} == {}
