"""What people type to walk around in the exchange: where it answers, and what is left of it."""

from __future__ import annotations

import doctest
import json
import os
import re
import sys
from contextlib import ExitStack, nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.by_hand import addresses, record, up
from experiments.by_hand.__main__ import main, parser
from experiments.by_hand.seed import variables
from experiments.cluster import ROOT
from experiments.exchange import GATEWAY


@pytest.mark.parametrize("shape", addresses.SHAPES)
def test_every_service_has_a_port_of_its_own_and_a_way_from_a_cluster_to_the_same(shape):
    wished = addresses.wished(shape)
    assert len(set(wished.values())) == len(wished)
    services = {one.name for one in addresses.SHAPES[shape].services if one.scrape}
    assert {name for name, port in wished if port == "http"} == {*services, "prometheus"}
    ways = {way.name: way.wished for way in addresses.ways(shape)}
    assert ways == {**{n: p for (n, port), p in wished.items() if port == "http"}, "grafana": 3000}


def test_the_examples_are_true():
    for module in (addresses, sys.modules["experiments.by_hand.seed"]):
        found = doctest.testmod(module)
        assert found.attempted > 0
        assert found.failed == 0


def test_loads_by_hand_find_it_where_they_look():
    assert addresses.HTTP["single"]["me-shard-a"] == 8080
    assert addresses.HTTP["multi"][GATEWAY] == 8080


def test_prometheus_by_hand_scrapes_the_same_ports():
    text = (ROOT / "prometheus" / "prometheus.yml").read_text()
    ports = re.findall(r'"127.0.0.1:(\d+)"\]\n.*service: ([a-z-]+)', text)
    assert {name: int(port) for port, name in ports} == addresses.METRICS


def test_people_are_told_every_address_and_what_to_set():
    said = list(
        addresses.lines({"me-shard-a": "localhost:1", "prometheus": "localhost:2", "grafana": "localhost:3"})
    )
    assert "http://localhost:3  user admin, password admin" in said[2]
    told = (
        "ME_SHARD_A_URL=http://localhost:1 PROMETHEUS_URL=http://localhost:2 GRAFANA_URL=http://localhost:3"
    )
    assert said[-1].strip() == f"export {told}"


def test_the_record_is_there_as_long_as_somebody_keeps_it_up(tmp_path):
    file = tmp_path / "runs" / "up.json"
    assert record.read(file) == {}
    with record.kept(file, "multi", {GATEWAY: "localhost:8080"}):
        told = record.read(file)
        assert (told["pid"], told["shape"]) == (os.getpid(), "multi")
        file.write_text(json.dumps({**told, "started": told["started"] - 60}))
        assert record.read(file) == {}, "another process has its id today"
    assert not file.exists()


def test_what_is_up_twice_is_refused(tmp_path, capsys):
    with record.kept(tmp_path / "up.json", "single", {}):
        assert main(["up", "--runs", str(tmp_path)]) == 1
    assert "nox -s down" in capsys.readouterr().err


def test_where_nothing_is_up_nothing_is_taken_down(tmp_path, capsys):
    assert main(["down", "--runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "nothing was up\n"


def test_seeds_go_where_it_is_up_unless_somebody_says_another_place(monkeypatch):
    up = {"addresses": {"me-shard-a": "localhost:1", GATEWAY: "localhost:2"}}
    for name in ("ME_SHARD_A_URL", "GATEWAY_URL"):
        monkeypatch.delenv(name, raising=False)
    assert variables("multi", 60, 20, up) == {
        "SEED_MODE": "multi",
        "SEED_DEPTH": "60",
        "SEED_LEVELS": "20",
        "ME_SHARD_A_URL": "http://localhost:1",
        "GATEWAY_URL": "http://localhost:2",
    }
    monkeypatch.setenv("GATEWAY_URL", "http://there:8080")
    assert variables("multi", 60, 20, up)["GATEWAY_URL"] == "http://there:8080"


@pytest.mark.parametrize("session", ["up", "forward", "seed", "down"])
def test_each_command_has_a_session_of_nox(session):
    text = Path(ROOT / "noxfile.py").read_text()
    assert f"@nox.session\ndef {session}(session: nox.Session)" in text
    assert parser().parse_args([session]).command == session


def test_no_way_is_opened_to_what_could_not_be_deployed(monkeypatch, tmp_path):
    cluster = SimpleNamespace(kubectl="k", lacking={"grafana": "its image can't be had"})
    backend = SimpleNamespace(preflight=lambda: None, deploy=lambda *_, **__: nullcontext(cluster))
    monkeypatch.setattr(up, "K3dBackend", lambda _: backend)
    opened = []

    def ways(_, some, __):
        opened.extend(way.name for way in some)
        return nullcontext(SimpleNamespace(addresses={}))

    monkeypatch.setattr(up, "Ways", ways)
    with ExitStack() as stack:
        up._deployed(stack, up.Asked("k3d", "single"), tmp_path)
    assert opened == ["me-shard-a", "edge-gateway", "prometheus"]
