"""Systems on Kubernetes: the backends ``k3d`` and ``kube``, and k6 as a Job beside the system.

Container tools are command lines here: apply, wait, look after, fault, tell afterwards.
"""

from __future__ import annotations

from . import images
from .deployment import ClusterDeployment
from .helm import left_out
from .k3d import K3dBackend
from .kube import KubeBackend
from .ways import Way, Ways

__all__ = [
    "ClusterDeployment",
    "K3dBackend",
    "KubeBackend",
    "Way",
    "Ways",
    "images",
    "left_out",
]
