"""A stored run of the real thing, judged again: the same, or what differs."""

import hashlib
import json
from pathlib import Path
from typing import Any


def reseal(run: Path) -> None:
    """Let the manifest vouch for what is there now, and every copy of its digest say so."""
    path = run / "manifest.json"
    then = hashlib.sha256(path.read_bytes()).hexdigest()
    manifest: dict[str, Any] = json.loads(path.read_text())
    for name in manifest["sha256"]:
        manifest["sha256"][name] = hashlib.sha256((run / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest))
    now = hashlib.sha256(path.read_bytes()).hexdigest()
    for name in ("verdict.json", "junit.xml"):
        (run / name).write_text((run / name).read_text().replace(then, now))


def test_a_stored_run_is_held_to_its_raw_samples(little):
    running = little.start()
    ended = running.end()
    assert ended.status == 0, ended.text
    little.check_again(running)

    (fact,) = ended.run.glob("facts/load-a2-*.json")
    record = json.loads(fact.read_text())
    requests = record["answer"]["load"]["requests"]
    record["answer"]["load"]["requests"] = requests + 1
    fact.write_text(json.dumps(record))
    reseal(ended.run)
    again = little.again(running)
    assert again.status == 10, again.text
    (said,) = again.read("verdict.rejudged.json")["comparison"]["damage"]
    assert said.endswith(f"requests is recorded as {requests + 1}, and the raw samples give {requests}")

    record["answer"]["load"]["requests"] = requests
    fact.write_text(json.dumps(record))
    reseal(ended.run)
    (raw,) = ended.run.glob("loads/A2/*.csv.gz")
    raw.unlink()
    again = little.again(running)
    assert again.status == 10, again.text
    assert f"loads/A2/{raw.name} is missing" in again.text
