"""Kubernetes and container tools, as command lines: what the backends ``k3d`` and ``kube`` are made of."""
