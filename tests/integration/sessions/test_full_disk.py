"""The disk under ``runs/`` fills up in mid-load: one sentence, and what is known so far."""

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

SIZE = 192  # MiB: the engine's log takes 64 before it begins


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, as small as that."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(disk)]
    try:
        made = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no file system can be mounted here: {error}")
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(disk: Path) -> None:
    """Leave no room at all: big pieces first, then crumbs."""
    for size in (1 << 20, 1 << 9):
        with (disk / f"ballast-{size}").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while file.write(bytes(size)):
                pass


def test_a_disk_that_fills_up_in_mid_load(little, small_disk):
    running = little.start(words=("--runs", str(small_disk)))
    running.until_orders()
    fill(small_disk)
    assert shutil.disk_usage(small_disk).free < 1 << 12
    running.process.wait(120)
    text = running.output.read_text()
    assert running.process.returncode == 10, text
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text
    assert "the disk is full" in text
    assert "= verdicts =" in text
    assert "little.match" in text[text.index("= verdicts =") :]
    assert "INCONCLUSIVE" in text[text.index("= verdicts =") :]
    assert running.survivors() == []
