"""A system's Kubernetes objects: rendered, marked as ours, applied, and deleted again.

Whatever is applied carries a label.  An object that is there already and does
not carry it belongs to somebody else: it is neither changed nor deleted.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .kubectl import Kubectl

Object = dict[str, Any]

LABEL, OURS = "app.kubernetes.io/managed-by", "verdict-harness"
SELECTOR = f"{LABEL}={OURS}"
DEPLOYMENT = "verdict-harness/deployment"
SOURCES = "verdict-harness/sources"
WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet")

_TIMEOUT = 120.0
_NAMESPACE_LABEL = "kubernetes.io/metadata.name"
# What an overlay may be made of that has no business with the next one.
_PRUNED = (
    "deployments,statefulsets,daemonsets,services,configmaps,secrets,networkpolicies,serviceaccounts,"
    "jobs,cronjobs,ingresses,poddisruptionbudgets"
)
_VOLUMES = "persistentvolumeclaims"


def render(kubectl: Kubectl, overlay: Path) -> list[Object]:
    """Return what kustomize makes of ``overlay``.

    Raises:
        UsageError: there is no such directory.
        CommandError: kustomize, or the cluster's idea of these objects, refuses it.
    """
    if not overlay.is_dir():
        raise UsageError(
            "there is no such overlay", expected="a kustomize directory", found="none", where=str(overlay)
        )
    everywhere = kubectl.within("")
    text = everywhere.run("kustomize", str(overlay)).stdout
    # kubectl reads YAML, so that we need no library for it
    done = everywhere.run("create", "--dry-run=client", "-o", "json", "-f", "-", stdin=text, timeout=_TIMEOUT)
    return list(_flat(_documents(done.stdout)))


def prepared(
    objects: Iterable[Object],
    *,
    namespace: str,
    instead: str,
    deployment: str,
    sources: Mapping[str, str],
) -> list[Object]:
    """Return ``objects`` as they are to be applied.

    Args:
        objects: as they were rendered.
        namespace: where the services are by their manifests.
        instead: where they are to be.
        deployment: unique to this deployment; pods carry it, so that every one is a new one.
        sources: digest of what each image of ours was made of; pods carry those of theirs.
    """
    done = []
    for one in copy.deepcopy(list(objects)):
        metadata = one["metadata"]
        metadata.setdefault("labels", {})[LABEL] = OURS
        if namespace != instead:
            _rename(one, namespace, instead)
        if (template := one.get("spec", {}).get("template")) and one["kind"] in WORKLOADS:
            inner = template.setdefault("metadata", {})
            inner.setdefault("labels", {})[LABEL] = OURS
            notes = inner.setdefault("annotations", {})
            notes[DEPLOYMENT] = deployment
            made = {image: sources[image] for image in images([one]) if image in sources}
            if made:
                notes[SOURCES] = json.dumps(made, sort_keys=True)
            for claim in one["spec"].get("volumeClaimTemplates", ()):
                claim["metadata"].setdefault("labels", {})[LABEL] = OURS
        done.append(one)
    return done


def with_namespaces(objects: Sequence[Object], names: Iterable[str]) -> list[Object]:
    """Return ``objects`` with these namespaces before them, unless they are among them."""
    there = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
    new: list[Object] = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {LABEL: OURS}}}
        for name in names
        if name not in there
    ]
    return [*new, *objects]


def images(objects: Iterable[Object]) -> list[str]:
    """Return every image that ``objects`` name, however deep their pods are in them, each once."""
    return list(dict.fromkeys(image for one in objects for image in _named(one)))


def _named(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "image" and isinstance(inner, str):
                yield inner
            else:
                yield from _named(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner)


def ours(kubectl: Kubectl, objects: Sequence[Object]) -> list[Object]:
    """Return what of ``objects`` may be applied: all but namespaces that are there and not ours.

    Raises:
        UsageError: something else of the same name is there that is not ours.
    """
    there = {identity(one): one for one in existing(kubectl, objects)}
    foreign = {who for who, one in there.items() if one["metadata"].get("labels", {}).get(LABEL) != OURS}
    wrong = [f"{kind} {space}/{name}" for kind, space, name in sorted(foreign) if kind != "Namespace"]
    if wrong:
        raise UsageError(
            "the cluster has objects of the same names that this harness did not make; they are not touched",
            expected=f"none, or ones with the label {SELECTOR}",
            found="\n".join(wrong),
            where=f"context {kubectl.context}",
            todo="use another --namespace or another cluster",
        )
    return [one for one in objects if identity(one) not in foreign]


def apply(kubectl: Kubectl, objects: Sequence[Object]) -> None:
    """Apply ``objects``, which are :func:`ours`.

    Raises:
        CommandError: the cluster refuses something; the rest of them is there.
    """
    kubectl.within("").run("apply", "-f", "-", stdin=_list(objects), timeout=_TIMEOUT)


def existing(kubectl: Kubectl, objects: Sequence[Object]) -> list[Object]:
    """Return those of ``objects`` that the cluster has, as it has them."""
    done = kubectl.within("").run(
        *("get", "--ignore-not-found", "-o", "json", "-f", "-"), stdin=_list(objects), timeout=_TIMEOUT
    )
    return list(_flat(_documents(done.stdout)))


def clear(kubectl: Kubectl, namespaces: Iterable[str], keep: Iterable[Object]) -> None:
    """Delete what is ours in ``namespaces`` and would outlive a deployment, and wait until pods are gone.

    That is whatever is not among ``keep``, and every workload even if it is: one that is changed instead
    keeps what the cluster had filled in.  Volumes stay: each deployment has a directory of its own in them.
    """
    kept = {identity(one) for one in keep if one["kind"] not in WORKLOADS}
    for namespace in namespaces:
        within = kubectl.within(namespace)
        found = within.json("get", _PRUNED, "--selector", SELECTOR)["items"]
        names = [
            f"{one['kind'].lower()}/{one['metadata']['name']}"
            for one in found
            if identity(one) not in kept and not one["metadata"].get("ownerReferences")
        ]
        if not names:
            continue
        within.run("delete", *names, "--ignore-not-found", "--cascade=foreground", "--wait=false")
        words = ("delete", "--ignore-not-found", "--wait", f"--timeout={_TIMEOUT:.0f}s")
        # nothing that they could still write is of any use
        within.run(*words, "pods", "--selector", SELECTOR, "--grace-period=1", timeout=_TIMEOUT + 10)
        within.run(*words, *names, timeout=_TIMEOUT + 10)


def delete(kubectl: Kubectl, objects: Sequence[Object], namespaces: Iterable[str]) -> None:
    """Delete ``objects`` and what came of them in ``namespaces``, and wait until they are gone.

    Raises:
        CommandError: something would not go.
    """
    words = ("delete", "--ignore-not-found", "--wait", f"--timeout={_TIMEOUT:.0f}s")
    left = [one for one in objects if one["kind"] != "Namespace"]
    if left:
        kubectl.within("").run(*words, "-f", "-", stdin=_list(left), timeout=_TIMEOUT + 10)
    for namespace in namespaces:
        within = kubectl.within(namespace)
        within.run(*words, f"{_PRUNED},{_VOLUMES}", "--selector", SELECTOR, timeout=_TIMEOUT + 10)
    spaces = [one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"]
    if spaces:
        kubectl.within("").run(*words, "namespace", *spaces, timeout=_TIMEOUT + 10)


def identity(one: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return kind, namespace and name: what makes an object that one."""
    return one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]


def workloads(objects: Iterable[Object]) -> list[Object]:
    """Return those of ``objects`` that make pods which stay."""
    return [one for one in objects if one["kind"] in WORKLOADS]


def _rename(one: Any, namespace: str, instead: str) -> None:
    """Put ``instead`` wherever the namespace ``namespace`` is meant, and nowhere else."""
    if isinstance(one, dict):
        if one.get("kind") == "Namespace" and one["metadata"]["name"] == namespace:
            one["metadata"]["name"] = instead
        for key, value in one.items():
            if value == namespace and key in ("namespace", _NAMESPACE_LABEL):
                one[key] = instead
            else:
                _rename(value, namespace, instead)
    elif isinstance(one, list):
        for each in one:
            _rename(each, namespace, instead)


def _list(objects: Sequence[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def _documents(text: str) -> Iterator[Object]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        document, at = decoder.raw_decode(text, at)
        yield document


def _flat(documents: Iterable[Object]) -> Iterator[Object]:
    for one in documents:
        if one["kind"] == "List":
            yield from one["items"]
        else:
            yield one
