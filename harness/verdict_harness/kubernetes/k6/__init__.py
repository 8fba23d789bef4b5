"""k6 as a Job of the cluster: what Kubernetes is told, the pod that is heard, results brought back."""
