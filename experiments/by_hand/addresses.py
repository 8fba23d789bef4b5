"""Where the exchange answers when people have brought it up: fixed ports, where they are free.

One shard alone is where its load scripts look for it, at 8080; of three, the gateway is. The ports for
metrics are those of ``prometheus/prometheus.yml``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from verdict_harness.kubernetes import Way
from verdict_harness.systems import System

from ..cluster import MONITORING, NAMESPACE
from ..exchange import GATEWAY, MULTI, SINGLE

SHAPES: Mapping[str, System] = MappingProxyType({"single": SINGLE, "multi": MULTI})
PROMETHEUS, GRAFANA = "prometheus", "grafana"

HTTP = {
    "single": {"me-shard-a": 8080, GATEWAY: 8081},
    "multi": {GATEWAY: 8080, "me-shard-a": 8081, "me-shard-b": 8082, "me-shard-c": 8083},
}
METRICS = {"me-shard-a": 9091, "me-shard-b": 9191, "me-shard-c": 9291, GATEWAY: 9391}
BESIDE = {PROMETHEUS: ("prometheus-server", 9090), GRAFANA: ("grafana", 3000)}

_VARIABLES = {
    "me-shard-a": "ME_SHARD_A_URL",
    GATEWAY: "GATEWAY_URL",
    PROMETHEUS: "PROMETHEUS_URL",
    GRAFANA: "GRAFANA_URL",
}
_LOGIN = "user admin, password admin"


def wished(shape: str) -> dict[tuple[str, str], int]:
    """Return the ports that processes of this machine should have, by service and name of the port.

    >>> wished("single")["me-shard-a", "http"], wished("multi")["prometheus", "http"]
    (8080, 9090)
    """
    return {
        **{(name, "http"): port for name, port in HTTP[shape].items()},
        **{(name, "metrics"): METRICS[name] for name in HTTP[shape]},
        (PROMETHEUS, "http"): BESIDE[PROMETHEUS][1],
    }


def ways(shape: str) -> list[Way]:
    """Return the ways into a cluster that lead to the same ports.

    >>> [(way.service, way.wished) for way in ways("single")]
    [('me-shard-a', 8080), ('edge-gateway', 8081), ('prometheus-server', 9090), ('grafana', 3000)]
    """
    return [
        *(Way(name, NAMESPACE, name, 8080, port) for name, port in HTTP[shape].items()),
        *(Way(name, MONITORING, service, 80, port) for name, (service, port) in BESIDE.items()),
    ]


def lines(addresses: Mapping[str, str]) -> Iterator[str]:
    """Yield what people are told: each address, and what to set for loads and judgements by hand.

    >>> print(*lines({"edge-gateway": "localhost:8080", "grafana": "localhost:3000"}), sep="\\n")
      edge-gateway     http://localhost:8080
      grafana          http://localhost:3000  user admin, password admin
      export GATEWAY_URL=http://localhost:8080 GRAFANA_URL=http://localhost:3000
    """
    for name, address in addresses.items():
        login = f"  {_LOGIN}" if name == GRAFANA else ""
        yield f"  {name:<16} http://{address}{login}"
    told = [f"{_VARIABLES[name]}=http://{addresses[name]}" for name in _VARIABLES if name in addresses]
    yield f"  export {' '.join(told)}"
