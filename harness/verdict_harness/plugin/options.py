"""What people may type after ``--``: each word once, for whoever reads the command line.

Every option has a long name of its own, ``--verdict-profile``, and the short word that people
type, ``--profile``, wherever no other plugin has taken that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import pytest

#: How the marker is written.
RIGHT = "criterion(id, experiment, asr='', fail_counts_as='FAIL')"

#: Each option and what ``argparse`` is told of it.
TABLE: Mapping[str, Mapping[str, Any]] = {
    "--backend": {
        "metavar": "NAME",
        "help": "where the system runs: local, k3d, kube, external (default: $HARNESS_BACKEND, else local)",
    },
    "--profile": {
        "choices": ("full", "quick", "burst"),
        "help": "full: loads of full length (default); quick: shorter loads, the same limits, not evidence; "
        "burst: full, and what is to be held for long is held for as long",
    },
    "--keep": {"action": "store_true", "help": "leave the system up when the run is over"},
    "--reuse": {
        "action": "store_true",
        "help": "k3d: use the cluster that an earlier run left up, and leave it up again; "
        "its images and charts are brought up to date, its services start afresh",
    },
    "--context": {"metavar": "NAME", "help": "kube: the cluster, by its context (default: the current one)"},
    "--namespace": {"metavar": "NAME", "help": "kube: where the services go (default: as the manifests say)"},
    "--overlay": {
        "metavar": "DIR",
        "help": "k3d, kube: the kustomize directory to apply (default: the one that the system names)",
    },
    "--judge": {"metavar": "RUN", "help": "judge a stored run again, such as runs/latest"},
    "--runs": {"metavar": "DIR", "help": "where runs are kept (default: runs, in pytest's rootdir)"},
}


_PREFIX = "verdict"


def spellings(word: str, taken: Collection[str]) -> tuple[str, ...]:
    """Return how an option is typed, given the words that others have taken.

    >>> spellings("--profile", ()), spellings("--profile", {"--profile"})
    (('--profile', '--verdict-profile'), ('--verdict-profile',))
    """
    own = f"--{_PREFIX}-{word.removeprefix('--')}"
    return (own,) if word in taken else (word, own)


def dest(word: str) -> str:
    """Return under which name the value of an option is kept, whichever way it was typed.

    >>> dest("profile")
    'verdict_profile'
    """
    return f"{_PREFIX}_{word}"


def asked(config: pytest.Config, word: str) -> Any:
    """Return what was typed for the option ``word``; ``None`` or ``False`` if it was not."""
    return config.getoption(dest(word))
