"""docs/reference.md has every variable that engine, gateway and runs read, and every metric that is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.config import Config
from experiments.cluster import GRAFANA, PROMETHEUS
from experiments.exchange import MULTI, SINGLE
from experiments.smoke import grafana
from gateway import config as gateway
from verdict_harness.kubernetes.helm import variable
from verdict_harness.plugin import backends, options
from verdict_harness.systems import LocalBackend
from verdict_harness.systems.external import PROMETHEUS_ALIAS, PROMETHEUS_VARIABLE
from verdict_harness.systems.local import LocalDeployment

PAGE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
ENGINE, GATEWAY, RUN = re.split(r"^## (?:Gateway|A run)", PAGE, flags=re.MULTILINE)
BROKER = re.compile("KAFKA_(SECURITY|SASL|SSL)_")  # docs/broker.md


class Noting(Mapping[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self, told: Mapping[str, str]) -> None:
        self.told = told
        self.asked: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.asked.add(name)
        return self.told[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.told)

    def __len__(self) -> int:
        return len(self.told)


def variables(part: str) -> dict[str, str]:
    """Return the variables of a part of the page, and what it says of each that is unset."""
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)?", part, re.MULTILINE)
    return dict(rows)


@pytest.mark.parametrize(
    ("part", "read", "told"),
    [
        (ENGINE, Config.from_env, {}),
        (GATEWAY, gateway.load, {"ME_SHARD_MAP": "a=http://h:1", "SHARD_SYMBOLS_MAP": "a=X"}),
    ],
    ids=["engine", "gateway"],
)
def test_every_variable_is_there(
    part: str, read: Callable[[Mapping[str, str]], object], told: dict[str, str]
) -> None:
    environment = Noting(told)
    read(environment)
    asked = {name for name in environment.asked if not BROKER.match(name)}
    assert asked == {name for name in variables(part) if not BROKER.match(name)}


def test_every_variable_of_a_run_is_there() -> None:
    services = [name for one in MULTI.services for name in (one.url_variable, *one.url_aliases)]
    charts = [variable(chart) for chart in (PROMETHEUS, GRAFANA)]
    asked = {*services, *charts, PROMETHEUS_VARIABLE, PROMETHEUS_ALIAS, grafana.VARIABLE}
    assert asked <= set(re.findall(r"`([A-Z0-9_]+)`", RUN))


def test_every_word_of_a_run_and_every_profile_are_there() -> None:
    told = set(re.findall(r"`([a-z0-9-]+)`", RUN))
    assert options.TABLE.keys() <= told
    assert {*options.TABLE["--profile"]["choices"], *backends.NAMES} <= told


def test_what_it_says_of_unset_variables_is_what_the_engine_does() -> None:
    unset = Config.from_env({})
    for name, value in variables(ENGINE).items():
        if value and "<" not in value and not BROKER.match(name):
            assert str(getattr(unset, name.lower())) == value, name


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalDeployment]:
    with LocalBackend().deploy(SINGLE, tmp_path_factory.mktemp("reference")) as deployment:
        yield deployment


@pytest.mark.parametrize(("part", "service"), [(ENGINE, "me-shard-a"), (GATEWAY, "edge-gateway")])
def test_every_metric_is_there_with_its_type(running: LocalDeployment, part: str, service: str) -> None:
    url = f"{running.endpoint(service, 'metrics').url}/metrics"
    told = httpx.get(url, trust_env=False).text
    families = {
        family.name + ("_total" if family.type == "counter" else ""): family.type
        for family in text_string_to_metric_families(told)
        if not family.name.endswith("_created")
    }
    page = dict(re.findall(r"^\| `((?:me|gw)_\w+)` \| (\w+) \|", part, re.MULTILINE))
    assert page == families
