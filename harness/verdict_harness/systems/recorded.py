"""What a file of recording rules records, and how far back that looks: YAML, and PromQL as it is parsed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import UsageError
from ..processes import Answer, Pending, ask, web

_PARSER = "/api/v1/parse_query"  # since Prometheus 3.0
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


def expressions(rules: Path) -> dict[str, str]:
    """Return the expression of every rule that a file records, by name, in its order.

    Raises:
        UsageError: it is no file of rules.
    """
    try:
        groups: Any = yaml.safe_load(rules.read_text(encoding="utf-8"))["groups"]
        return {
            str(rule["record"]): str(rule["expr"])
            for group in groups
            for rule in group["rules"]
            if "record" in rule
        }
    except (OSError, yaml.YAMLError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            "the recording rules can't be read",
            expected="groups: [{name: …, rules: [{record: …, expr: …}]}], in YAML",
            found=f"{type(error).__name__}: {error}",
            where=str(rules),
            todo="promtool check rules says what is wrong with it",
        ) from error


def look_back(client: web.Client, rules: Mapping[str, str]) -> float:
    """Return how many seconds before its evaluation the oldest sample is that any of ``rules`` rests on.

    A rule that reads another one looks back as far as both together. Where Prometheus has no parser to
    ask, no expression looks back further than all durations in it together.

    Args:
        client: for that Prometheus.
        rules: expressions by name.
    """
    trees = {name: _parsed(client, expression) for name, expression in rules.items()}
    if None in trees.values():
        return sum(map(seconds, rules.values()))

    def of(name: str, above: frozenset[str]) -> float:
        above |= {name}
        known = {other: of(other, above) for other in (_names(trees[name]) & rules.keys()) - above}
        return _deepest(trees[name], known)

    return max((of(name, frozenset()) for name in rules), default=0.0)


def seconds(text: str) -> float:
    """Return the seconds of a duration as Prometheus writes it, or of all in a text together.

    >>> seconds("5s"), seconds("1m30s"), seconds("500ms"), seconds("1d")
    (5.0, 90.0, 0.5, 86400.0)
    """
    return sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(text))


def _parsed(client: web.Client, expression: str) -> Any:
    """Return the expression as Prometheus reads it; ``None`` where it does not say."""

    def read(answer: Answer) -> Any:
        return answer.json()["data"]

    try:
        return ask(_PARSER, read, params={"query": expression}, timeout=web.TIMEOUT, client=client)
    except Pending:
        return None


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield what a node rests on."""
    for value in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        if isinstance(value, (dict, list)):
            if isinstance(value, dict) and "type" in value:
                yield value
            else:
                yield from _nodes(value)


def _names(tree: Any) -> set[str]:
    below = {name for node in _nodes(tree) for name in _names(node)}
    own = tree.get("name") if str(tree.get("type")).endswith("Selector") else None
    return below | {own} if own else below


def _deepest(tree: Any, known: Mapping[str, float]) -> float:
    """Return the seconds that a node looks back; of the one that looks back furthest, and all above it."""
    own = (max(0, tree.get("offset") or 0) + (tree.get("range") or 0)) / 1000
    if str(tree.get("type")).endswith("Selector"):
        own += known.get(str(tree.get("name")), 0.0)
    return float(own + max((_deepest(node, known) for node in _nodes(tree)), default=0.0))
