"""The k6 scripts, run by the real k6 against a server that records what it gets.

They run from a copy where lengths are cut to a few seconds and where the limits on latency are out of reach,
for a busy machine must not fail a test of what was sent.  Rates, books and everything else are as shipped.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from verdict_harness.programs import provide

K6_SCRIPTS = Path(__file__).parents[2] / "k6"
EXPERIMENTS: dict[str, Any] = json.loads((K6_SCRIPTS / "lib" / "profiles.json").read_text())["experiments"]
SYMBOLS = [f"TEST-ASSET-{letter}" for letter in "ABCDEFGHIJKL"]
SHARD_OF = {symbol: "aaaabbbbcccc"[n] for n, symbol in enumerate(SYMBOLS)}
#: Orders that may be too many: a k6 that others keep from the cores goes on for a moment beyond the end.
MORE = 6
THRESHOLDS_CROSSED = 99
SCRIPT_EXCEPTION = 107

Json = dict[str, Any]
Reply = tuple[int, Json]


def accept_order(order: Json) -> Reply:
    return 200, {"status": "ACCEPTED", "orderId": order["orderId"], "shardId": "a", "timestamp": 1}


def accept_seeds(orders: list[Json]) -> Reply:
    return 200, {"seeded": len(orders)}


class Recorder(ThreadingHTTPServer):
    """Stands for shard a and for the gateway; keeps every request in the order of arrival."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.Lock()
        self.requests: list[tuple[str, Json]] = []
        self.on_order: Callable[[Json], Reply] = accept_order
        self.on_seeds: Callable[[list[Json]], Reply] = accept_seeds
        self.health = 200

    @property
    def orders(self) -> list[Json]:
        return [body for path, body in self.requests if path == "/orders"]

    def seeds(self, mark: str) -> list[tuple[str, Json]]:
        """Path and order of each seed whose id has ``mark`` after the run's id."""
        pairs = [
            (path, order) for path, body in self.requests if path != "/orders" for order in body["orders"]
        ]
        return [(path, order) for path, order in pairs if re.fullmatch(rf".+-{mark}\S*\d+", order["orderId"])]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Recorder

    def do_GET(self) -> None:
        self._send(self.server.health, {"status": "UP"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append((self.path, body))
        if self.path == "/orders":
            self._send(*self.server.on_order(body))
        else:
            self._send(*self.server.on_seeds(body["orders"]))

    def _send(self, status: int, body: Json) -> None:
        if status == 0:  # no answer at all
            self.close_connection = True
            return
        content = json.dumps(body).encode()
        head = (
            f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self.wfile.write(head.encode() + content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Recorder]:
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with listening() as server:
        yield server


@dataclass
class Run:
    status: int
    output: str
    metrics: dict[str, Json]
    crossed: set[str]


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    copy = tmp_path / "k6"
    shutil.copytree(K6_SCRIPTS, copy)
    return copy


@pytest.fixture
def k6(scripts: Path, recorder: Recorder, tmp_path: Path) -> Callable[..., Run]:
    def run(script: str, *, seconds: int = 2, patient: bool = True, **variables: str) -> Run:
        shorten(scripts, seconds)
        if patient:
            replace(scripts / "lib" / "config.js", {"p(99)<200": "p(99)<60000"})
        summary = tmp_path / "summary.json"
        defaults = {"ME_SHARD_A_URL": recorder.url, "GATEWAY_URL": recorder.url, "PROFILE": "quick"}
        given = [
            word for name, value in {**defaults, **variables}.items() for word in ("-e", f"{name}={value}")
        ]
        command = [
            provide("k6").path,
            "run",
            "--no-usage-report",
            "--address",
            "",
            "--summary-export",
            summary,
        ]
        done = subprocess.run(
            [*command, *given, scripts / script],
            env={name: value for name, value in os.environ.items() if not name.startswith("K6_")},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        output = done.stdout + done.stderr
        metrics = json.loads(summary.read_text())["metrics"] if summary.exists() else {}
        summary.unlink(missing_ok=True)
        crossed = {name for name, values in metrics.items() if any(values.get("thresholds", {}).values())}
        return Run(done.returncode, output, metrics, crossed)

    return run


def replace(file: Path, changes: dict[str, str]) -> None:
    """Replace texts in a script, each wherever it is."""
    text = file.read_text()
    for old, new in changes.items():
        assert old in text or new in text
        text = text.replace(old, new)
    file.write_text(text)


def shorten(scripts: Path, seconds: int) -> None:
    """Let every stage of every experiment last ``seconds``."""
    file = scripts / "lib" / "profiles.json"
    profiles = json.loads(file.read_text())
    for experiment in profiles["experiments"].values():
        for stage in experiment["stages"]:
            stage["length_s"] = {"full": seconds, "quick": seconds}
    file.write_text(json.dumps(profiles))


def inspect(script: Path, **variables: str) -> Json:
    given = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    done = subprocess.run(
        [provide("k6").path, "inspect", *given, script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    options: Json = json.loads(done.stdout)
    return options


@pytest.mark.parametrize("script", sorted(K6_SCRIPTS.glob("*.js")), ids=lambda path: path.stem)
def test_k6_inspect_accepts_each_script_as_it_is(script: Path) -> None:
    assert inspect(script)["thresholds"]


@pytest.mark.parametrize("profile", ["full", "quick", "burst"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_script_asks_k6_for_what_the_profile_says(name: str, profile: str) -> None:
    given = EXPERIMENTS[name]
    options = inspect(K6_SCRIPTS / given["script"], PROFILE=profile)
    [(scenario_name, scenario)] = options["scenarios"].items()
    assert scenario_name == name
    lengths = [stage["length_s"].get(profile, stage["length_s"]["full"]) for stage in given["stages"]]
    if ramp := {"B3": [17, 17, 42, 84, 84]}.get(name):
        assert (scenario["executor"], scenario["startRate"]) == ("ramping-arrival-rate", ramp[0])
        assert [stage["target"] for stage in scenario["stages"]] == ramp[1:]
        assert [in_seconds(stage["duration"]) for stage in scenario["stages"]] == lengths
    else:
        assert (scenario["executor"], scenario["rate"]) == (
            "constant-arrival-rate",
            given["arrivals"]["rate"],
        )
        assert in_seconds(scenario["duration"]) == lengths[0]
    assert in_seconds(scenario["timeUnit"]) == given["arrivals"]["per_s"]
    for metric in ("match_latency_ms", "http_req_duration"):
        assert "p(99)<200" in options["thresholds"][metric]
    assert options["thresholds"]["http_req_failed"] == ["rate<0.01"]


def in_seconds(text: str) -> int:
    """Read a duration as k6 writes it: ``5m0s``, ``45s``."""
    minutes, rest = re.fullmatch(r"(?:(\d+)m)?(\d+)s", text).groups()  # type: ignore[union-attr]
    return int(minutes or 0) * 60 + int(rest)


def test_a_load_is_what_it_claims_to_be(k6: Callable[..., Run], recorder: Recorder) -> None:
    run = k6("test-asr2-b2-peak-sustained.js", seconds=8, RUN_ID="run1")
    assert run.status == 0, run.output
    orders = recorder.orders
    assert len(orders) == pytest.approx(84 * 8, abs=MORE)
    assert {order["orderId"] for order in orders} == {f"run1-{n}" for n in range(len(orders))}
    assert all((order["type"], order["side"]) == ("LIMIT", "BUY") for order in orders)
    assert all(isinstance(order["quantity"], int) and 10 <= order["quantity"] <= 200 for order in orders)
    assert all(abs(order["timestamp"] - orders[0]["timestamp"]) < 60_000 for order in orders)
    assert orders[0]["timestamp"] > 1.7e12

    aggressive = [order for order in orders if order["price"] >= 15000]
    passive = [order for order in orders if order["price"] < 15000]
    assert {order["price"] for order in aggressive} <= set(range(15000, 15100))
    assert {order["price"] for order in passive} <= set(range(14701, 14801))
    # 60 %; 5 standard deviations of 672 draws are 0.094.
    assert len(aggressive) / len(orders) == pytest.approx(0.6, abs=0.095)
    # The range is used, not only kept to: 400 draws of 100 prices miss few, and the mean quantity is 105.
    assert len({order["price"] for order in aggressive}) > 80
    assert sum(order["quantity"] for order in orders) / len(orders) == pytest.approx(105, abs=11)
    # Dealt in turn: over any 12 orders, one for each symbol.
    by_number = sorted(orders, key=lambda order: int(order["orderId"].split("-")[1]))
    assert [order["symbol"] for order in by_number[:24]] == SYMBOLS * 2

    replenished_after_each_aggressive_order(recorder)
    assert matches_per_taker(recorder) == pytest.approx(1.99, abs=0.3)


def replenished_after_each_aggressive_order(recorder: Recorder) -> None:
    waiting: dict[str, Json] = {}
    for path, body in recorder.requests:
        if path == "/orders":
            if body["price"] >= 15000:
                waiting[body["orderId"].replace("-", "-r")] = body
            continue
        for order in body["orders"]:
            if re.fullmatch(r"run1-r\d+", order["orderId"]):
                assert path == f"/seed/{SHARD_OF[order['symbol']]}"
                assert (order["side"], order["price"], order["type"]) == ("SELL", 15000, "LIMIT")
                taker = waiting.pop(order["orderId"])  # a KeyError would say that it came before its order
                assert (order["symbol"], order["quantity"]) == (taker["symbol"], taker["quantity"])
    assert not waiting


def matches_per_taker(recorder: Recorder) -> float:
    """Match what was recorded, in order of arrival, at the best price alone: nothing else is ever needed."""
    queues: dict[str, deque[int]] = defaultdict(deque)
    takers = matches = 0
    for path, body in recorder.requests:
        if path != "/orders":
            for order in body["orders"]:
                if order["price"] == 15000:
                    queues[order["symbol"]].append(order["quantity"])
        elif body["price"] >= 15000:
            takers += 1
            left, queue = body["quantity"], queues[body["symbol"]]
            while left:
                matches += 1
                taken = min(left, queue[0])  # an IndexError would say that the best price ran dry
                left -= taken
                queue[0] -= taken
                if not queue[0]:
                    queue.popleft()
    return matches / takers


@pytest.mark.parametrize(
    ("name", "variables", "seeds"),
    [
        ("A1", {}, {"a": (500, 50)}),
        ("A2", {}, {"a": (500, 50)}),
        ("A3", {"A3_DEPTH": "100"}, {"a": (100, 10)}),
        ("A3", {}, {"a": (1000, 100)}),
        ("A3", {"A3_DEPTH": "10000"}, {"a": (10000, 500)}),
        ("A3", {"A3_DEPTH": "60", "A3_LEVELS": "3"}, {"a": (60, 3)}),
        ("A4", {}, {"a": (500, 50)}),
        ("B1", {}, {"a": (500, 50)}),
        ("B2", {}, dict.fromkeys("abc", (500, 50))),
        ("B3", {}, dict.fromkeys("abc", (500, 50))),
        ("B4", {}, {"a": (2000, 100), "b": (500, 50), "c": (500, 50)}),
    ],
)
def test_setup_seeds_each_book_to_its_depth_and_levels(
    k6: Callable[..., Run],
    recorder: Recorder,
    name: str,
    variables: dict[str, str],
    seeds: dict[str, tuple[int, int]],
) -> None:
    run = k6(EXPERIMENTS[name]["script"], seconds=1, RUN_ID="r", **variables)
    assert "level=error" not in run.output
    check_books(recorder, seeds, direct=name in {"A1", "A2", "A3", "A4", "B1"})
    symbols = {order["symbol"] for order in recorder.orders}
    assert symbols <= {symbol for symbol in SYMBOLS if SHARD_OF[symbol] in seeds}
    first = next(n for n, (path, _) in enumerate(recorder.requests) if path == "/orders")
    seeding = [n for n, (_, body) in enumerate(recorder.requests) if is_seeding(body)]
    assert max(seeding) < first


def is_seeding(body: Json) -> bool:
    return any("-s-" in order["orderId"] for order in body.get("orders", []))


def check_books(recorder: Recorder, seeds: dict[str, tuple[int, int]], *, direct: bool) -> None:
    placed = recorder.seeds("s-")
    assert len({order["orderId"] for _, order in placed}) == len(placed)
    books = Counter((path, order["symbol"], order["price"]) for path, order in placed)
    expected = {
        ("/seed" if direct else f"/seed/{shard}", symbol, 15000 + level): depth // levels
        for shard, (depth, levels) in seeds.items()
        for symbol in SYMBOLS
        if SHARD_OF[symbol] == shard
        for level in range(levels)
    }
    assert books == expected
    assert {(order["side"], order["type"]) for _, order in placed} == {("SELL", "LIMIT")}
    quantities = [order["quantity"] for _, order in placed]
    assert min(quantities) >= 10
    assert max(quantities) <= 200
    assert len(set(quantities)) > 50


def test_four_of_five_orders_of_b4_are_for_the_hot_symbol(k6: Callable[..., Run], recorder: Recorder) -> None:
    k6("test-asr2-b4-hot-symbol.js", seconds=3, RUN_ID="r")
    ordered = sorted(recorder.orders, key=lambda order: int(order["orderId"].split("-")[1]))
    symbols = [order["symbol"] for order in ordered][:220]
    others = {symbol: 6 if symbol in SYMBOLS[4:8] else 5 for symbol in SYMBOLS[4:]}
    assert Counter(symbols) == {"TEST-ASSET-A": 176, **others}  # none for B to D: shard a gets 80 %, no more
    assert all(symbols[n : n + 5].count("TEST-ASSET-A") == 4 for n in range(0, 220, 5))


def test_the_ramp_goes_through_its_stages(k6: Callable[..., Run], recorder: Recorder) -> None:
    run = k6("test-asr2-b3-ramp.js", seconds=2)
    assert run.status == 0, run.output
    # Area under 17, 17 to 42, 42 to 84, 84 at 2 s each.
    planned = 2 * (17 + (17 + 42) / 2 + (42 + 84) / 2 + 84)
    assert len(recorder.orders) == pytest.approx(planned, abs=4 + MORE)


def test_the_warm_up_offers_its_500_a_minute(k6: Callable[..., Run], recorder: Recorder) -> None:
    k6("test-asr1-a1-warmup.js", seconds=3)
    assert len(recorder.orders) == pytest.approx(25, abs=MORE)


def test_one_rate_goes_straight_to_shard_a(k6: Callable[..., Run], recorder: Recorder) -> None:
    run = k6("constant-rate.js", RATE="30", SECONDS="2", RUN_ID="r")
    assert run.status == 0, run.output
    assert len(recorder.orders) == pytest.approx(60, abs=MORE)
    assert {order["symbol"] for order in recorder.orders} == set(SYMBOLS[:4])
    assert {path for path, _ in recorder.requests} == {"/orders", "/seed"}
    assert len(recorder.seeds("s-")) == 2000
    aggressive = [order for order in recorder.orders if order["price"] >= 15000]
    assert len(recorder.seeds("r")) == len(aggressive) > 0


def test_smoke_goes_straight_to_a_shard_that_is_alone(k6: Callable[..., Run], recorder: Recorder) -> None:
    run = k6("smoke.js", TARGET="shard", GATEWAY_URL="http://127.0.0.1:1", RUN_ID="r")
    assert run.status == 0, run.output
    assert {path for path, _ in recorder.requests} == {"/orders", "/seed"}
    assert {order["symbol"] for order in recorder.orders} == set(SYMBOLS[:4])
    assert len(recorder.orders) == pytest.approx(36 * 2, abs=MORE)
    check_books(recorder, {"a": (20, 5)}, direct=True)


def test_a_neighbor_loads_shard_b_while_it_is_on_and_leaves_the_others_rate_alone(
    k6: Callable[..., Run], recorder: Recorder
) -> None:
    run = k6(
        "constant-rate.js",
        TARGET="gateway",
        RATE="20",
        SECONDS="4",
        NEIGHBOR="40",
        NEIGHBOR_ON="1-2,3-4",
        RUN_ID="r",
    )
    assert run.status == 0, run.output
    own = [order for order in recorder.orders if re.fullmatch(r"r-\d+", order["orderId"])]
    neighbors = [order for order in recorder.orders if re.fullmatch(r"r-n-\d+", order["orderId"])]
    assert len(own) + len(neighbors) == len(recorder.orders)
    assert len(own) == pytest.approx(80, abs=MORE)
    assert {order["symbol"] for order in own} == set(SYMBOLS[:4])
    assert len(neighbors) == pytest.approx(80, abs=4 + MORE)
    assert {order["symbol"] for order in neighbors} == set(SYMBOLS[4:8])
    # Both shards' books are there before the first order of either.
    assert {path for path, _ in recorder.seeds("s-")} == {"/seed/a", "/seed/b"}
    # Off is off: by when the sender says it sent them, none is between the two spans.
    first = min(order["timestamp"] for order in own)
    sent = sorted((order["timestamp"] - first) / 1000 for order in neighbors)
    assert max(after - before for before, after in itertools.pairwise(sent)) > 0.5


def test_orders_are_dealt_in_turn_to_systems_beside_each_other(
    k6: Callable[..., Run], recorder: Recorder
) -> None:
    with listening() as one, listening() as two:
        others = f"{one.url},{two.url}/"
        run = k6("constant-rate.js", TARGET="gateway", RATE="30", SECONDS="2", OTHERS=others, RUN_ID="r")
    assert run.status == 0, run.output
    systems = (recorder, one, two)
    numbers = [[int(order["orderId"].removeprefix("r-")) for order in system.orders] for system in systems]
    assert [{n % 3 for n in some} for some in numbers] == [{0}, {1}, {2}]
    assert sorted(itertools.chain(*numbers)) == list(range(sum(map(len, numbers))))
    assert sum(map(len, numbers)) == pytest.approx(60, abs=MORE)
    for system in systems:
        # each has its books, and what takes the place of what was taken comes to where that was
        assert len(system.seeds("s-")) == 2000
        taken = {f"r-r{order['orderId'][2:]}" for order in system.orders if order["price"] >= 15000}
        assert {order["orderId"] for _, order in system.seeds("r")} == taken != set()


@pytest.mark.parametrize(
    "variables",
    [
        {"NEIGHBOR_ON": "3-1"},
        {"NEIGHBOR_ON": "1-3,2-4"},
        {"LOADED": "a,d"},
        {"OTHERS": "http://127.0.0.1:1,there"},
    ],
)
def test_a_constant_rate_that_makes_no_sense_is_refused_by_name(
    variables: dict[str, str], k6: Callable[..., Run], recorder: Recorder
) -> None:
    run = k6("constant-rate.js", NEIGHBOR="5", **variables)
    assert run.status == SCRIPT_EXCEPTION
    assert f"{next(iter(variables))}: expected" in run.output
    assert recorder.requests == []


def test_without_replenishing_only_the_contracts_seeds_are_placed(
    k6: Callable[..., Run], recorder: Recorder
) -> None:
    run = k6("test-asr1-a2-normal-load.js", RUN_ID="r", REPLENISH="0")
    assert run.status == 0, run.output
    assert recorder.seeds("r") == []
    assert len(recorder.seeds("s-")) == 2000
    assert any(order["price"] >= 15000 for order in recorder.orders)


def test_seeding_can_be_left_to_seed_orderbooks(k6: Callable[..., Run], recorder: Recorder) -> None:
    run = k6("smoke.js", SEED="0", RUN_ID="r")
    assert run.status == 0, run.output
    assert recorder.seeds("s-") == []
    assert recorder.seeds("r") != []


@pytest.mark.parametrize(
    ("variables", "seeds", "direct"),
    [
        ({}, {"a": (500, 50)}, True),
        (
            {"SEED_MODE": "multi", "SEED_DEPTH": "60", "SEED_LEVELS": "20"},
            dict.fromkeys("abc", (60, 20)),
            False,
        ),
    ],
)
def test_seed_orderbooks_seeds_and_sends_no_order(
    k6: Callable[..., Run],
    recorder: Recorder,
    variables: dict[str, str],
    seeds: dict[str, tuple[int, int]],
    direct: bool,
) -> None:
    run = k6("seed-orderbooks.js", **variables)
    assert run.status == 0, run.output
    check_books(recorder, seeds, direct=direct)
    assert recorder.orders == []


def test_ids_are_new_each_run_unless_the_run_is_named(k6: Callable[..., Run], recorder: Recorder) -> None:
    for _ in range(2):
        k6("smoke.js", seconds=1)
    ids = [order["orderId"] for order in recorder.orders]
    assert len({name.rsplit("-", 1)[0] for name in ids}) == 2
    assert len(set(ids)) == len(ids)


def test_the_summary_tells_orders_from_seeds_and_has_exact_percentiles(
    k6: Callable[..., Run], recorder: Recorder
) -> None:
    run = k6("test-asr1-a2-normal-load.js")
    assert run.status == 0, run.output
    offered = len(recorder.orders)
    assert run.metrics["iterations"]["count"] == offered
    assert run.metrics["orders_accepted"]["count"] == offered
    for metric in ("match_latency_ms", "http_req_duration{name:order}"):
        assert run.metrics[metric]["count"] == offered
        assert run.metrics[metric]["p(99)"] > 0
    # The same measurement under two names, in the same unit.
    assert run.metrics["match_latency_ms"]["p(99)"] == run.metrics["http_req_duration{name:order}"]["p(99)"]
    assert run.metrics["http_reqs"]["count"] == len(recorder.requests) + 1  # and /health


# What must not pass: a threshold of nothing, of refusals, of what was never offered.


def rejected(order: Json) -> Reply:
    return 200, {"status": "REJECTED", "orderId": order["orderId"], "reason": "no"}


NOTHING_ACCEPTED = {"orders_accepted", "orders_failed", "match_latency_ms"}


@pytest.mark.parametrize(
    ("reply", "counter", "crossed"),
    [
        (rejected, "orders_rejected", NOTHING_ACCEPTED),
        (lambda _: (200, {}), "orders_rejected", NOTHING_ACCEPTED),
        (lambda _: (503, {}), "orders_rejected", {*NOTHING_ACCEPTED, "http_req_failed"}),
        (lambda _: (0, {}), "orders_unanswered", {*NOTHING_ACCEPTED, "http_req_failed"}),
    ],
    ids=["rejected", "no status in the body", "503", "no answer"],
)
def test_k6_fails_when_nothing_is_accepted(
    k6: Callable[..., Run],
    recorder: Recorder,
    reply: Callable[[Json], Reply],
    counter: str,
    crossed: set[str],
) -> None:
    recorder.on_order = reply
    run = k6("test-asr1-a2-normal-load.js", seconds=1)
    assert run.status == THRESHOLDS_CROSSED, run.output
    assert run.crossed == crossed
    assert run.metrics[counter]["count"] == run.metrics["iterations"]["count"] > 0


def test_a_few_refused_orders_are_too_many(k6: Callable[..., Run], recorder: Recorder) -> None:
    recorder.on_order = lambda order: (
        rejected(order) if order["orderId"].endswith("7") else accept_order(order)
    )
    run = k6("smoke.js", seconds=2)
    assert (run.status, run.crossed) == (THRESHOLDS_CROSSED, {"orders_failed"})
    # Only accepted orders have a latency.
    assert run.metrics["match_latency_ms"]["count"] == run.metrics["orders_accepted"]["count"]
    assert run.metrics["orders_rejected"]["count"] > 0


def slowly(order: Json) -> Reply:
    threading.Event().wait(0.5)
    return accept_order(order)


def test_an_answer_of_more_than_200_ms_is_too_slow(k6: Callable[..., Run], recorder: Recorder) -> None:
    recorder.on_order = slowly
    run = k6("smoke.js", patient=False)
    assert run.status == THRESHOLDS_CROSSED
    assert run.crossed == {
        "match_latency_ms",
        "order_response_ms",
        "http_req_duration",
        "http_req_duration{name:order}",
    }


def test_a_script_that_throws_in_every_iteration_fails(k6: Callable[..., Run], scripts: Path) -> None:
    replace(scripts / "smoke.js", {"placeOrder(plan, run)": "undefined.x"})
    run = k6("smoke.js", seconds=1)
    assert run.status == THRESHOLDS_CROSSED
    assert {"orders_accepted", "match_latency_ms"} <= run.crossed


def test_a_load_that_is_not_offered_in_full_fails(
    k6: Callable[..., Run], recorder: Recorder, scripts: Path
) -> None:
    few = "{ shard: 0.05, gateway: 0.05 }"
    replace(
        scripts / "lib" / "config.js", {"{ shard: 11, gateway: 2 }": few, "{ shard: 11, gateway: 12 }": few}
    )
    recorder.on_order = slowly
    run = k6("smoke.js", seconds=2)
    assert run.status == THRESHOLDS_CROSSED
    assert "dropped_iterations" in run.crossed


def test_refused_replenishment_is_not_hidden(k6: Callable[..., Run], recorder: Recorder) -> None:
    recorder.on_seeds = lambda orders: (200, {"seeded": 0 if "-r" in orders[0]["orderId"] else len(orders)})
    run = k6("test-asr1-a2-normal-load.js", RUN_ID="x")
    assert (run.status, run.crossed) == (THRESHOLDS_CROSSED, {"replenish_failed"})


@pytest.mark.parametrize("script", ["test-asr1-a2-normal-load.js", "seed-orderbooks.js"])
@pytest.mark.parametrize(
    ("seeded", "complaint"),
    [
        ((503, {"reason": "no"}), 'expected {"seeded":500}, found status 503, {"reason": "no"}'),
        ((200, {"seeded": 499}), 'expected {"seeded":500}, found status 200, {"seeded": 499}'),
        ((0, {}), 'expected {"seeded":500}, found '),
    ],
)
def test_a_refused_seed_ends_the_run_before_the_load(
    k6: Callable[..., Run], recorder: Recorder, seeded: Reply, complaint: str, script: str
) -> None:
    recorder.on_seeds = lambda _: seeded
    run = k6(script)
    assert run.status == SCRIPT_EXCEPTION
    assert complaint in run.output.replace("\\", "")
    assert f"seeds for TEST-ASSET-A refused by {recorder.url}/seed" in run.output
    assert recorder.orders == []


def test_nothing_healthy_there_ends_the_run_before_the_load(
    k6: Callable[..., Run], recorder: Recorder
) -> None:
    recorder.health = 500
    unhealthy = k6("smoke.js")
    assert unhealthy.status == SCRIPT_EXCEPTION
    assert (
        f"nothing healthy at {recorder.url}/health: expected status 200, found status 500" in unhealthy.output
    )
    closed = k6("smoke.js", GATEWAY_URL="http://127.0.0.1:1")
    assert closed.status == SCRIPT_EXCEPTION
    assert "nothing healthy at http://127.0.0.1:1/health" in closed.output
    assert "connection refused" in closed.output
    assert recorder.requests == []


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"PROFILE": "fast"}, "PROFILE: expected one of full, quick, burst; found 'fast'"),
        ({"REPLENISH": "no"}, "REPLENISH: expected one of 1, 0; found 'no'"),
        ({"A3_DEPTH": "many"}, "A3_DEPTH: expected a positive whole number; found 'many'"),
        ({"A3_DEPTH": "77"}, "A3_LEVELS: needed with A3_DEPTH=77, which is none of 100, 1000, 10000"),
        (
            {"ME_SHARD_A_URL": "localhost:8080"},
            "ME_SHARD_A_URL: expected http://host:port; found 'localhost:8080'",
        ),
    ],
)
def test_a_wrong_variable_is_named(k6: Callable[..., Run], variables: dict[str, str], complaint: str) -> None:
    run = k6("test-asr1-a3-depth-variation.js", **variables)
    assert run.status == SCRIPT_EXCEPTION
    assert complaint in run.output
