"""The table of requirements lists the experiments' criteria, each one that is there and no other."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from verdict_harness.verdicts import requirements

ROOT = Path(__file__).parents[3]
LIST = """
import json, os, pathlib

def pytest_collection_finish(session):
    marks = [(item, item.get_closest_marker("criterion")) for item in session.items]
    found = []
    for item, mark in marks:
        id_ = mark.args[0]
        params = item.callspec.params if hasattr(item, "callspec") else {}
        found.append((mark.kwargs.get("asr", ""), id_.format_map(params) if "{" in id_ else id_))
    pathlib.Path(os.environ["FOUND"]).write_text(json.dumps(found))
"""


def test_the_table_lists_every_criterion_of_a_requirement(tmp_path):
    (tmp_path / "lister.py").write_text(textwrap.dedent(LIST))
    words = ("-m", "pytest", "experiments", "--collect-only", "-q", "-p", "lister", "-p", "no:randomly")
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={"PYTHONPATH": str(tmp_path), "FOUND": str(tmp_path / "found.json"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    claims = {tuple(claim) for claim in json.loads((tmp_path / "found.json").read_text())}
    table = requirements.read(ROOT / "experiments" / "requirements.toml")
    listed = {(name, id_) for name, ids in table.items() for id_ in ids}
    assert {claim for claim in claims if claim[0]} == listed
