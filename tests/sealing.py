"""Make a changed run look whole: what somebody would do who wants another verdict believed."""

import hashlib
import json
from pathlib import Path


def reseal(folder: Path) -> str:
    """Make the manifest vouch for what is there now; return its own digest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name in manifest["sha256"]:
        manifest["sha256"][name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
