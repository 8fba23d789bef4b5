"""What people may type after ``--``: each word once, for whoever reads the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Each option and what ``argparse`` is told of it.
TABLE: Mapping[str, Mapping[str, Any]] = {
    "--backend": {
        "metavar": "NAME",
        "help": "where the system runs: local, k3d, kube, external (default: $HARNESS_BACKEND, else local)",
    },
    "--profile": {
        "choices": ("full", "quick"),
        "help": "full: loads of full length (default); quick: shorter loads, the same limits, not evidence",
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
