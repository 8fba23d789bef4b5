"""What Kubernetes is told of a load, what its answers mean, and files that arrive whole or not at all."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from verdict_harness.errors import CommandError, LoadError, UsageError
from verdict_harness.kubernetes.k6 import fetch, manifests, pod
from verdict_harness.kubernetes.k6.job import Jobs, wanted
from verdict_harness.kubernetes.kubectl import Kubectl
from verdict_harness.loads import words
from verdict_harness.processes import Completed, command
from verdict_harness.systems import Brief


class Local(Kubectl):
    """kubectl whose pods are this machine, and whose answers break off after some characters."""

    __slots__ = ("breaks",)

    def run(
        self, *words: str, stdin: str | bytes = b"", timeout: float = 60.0, check: bool = True
    ) -> Completed:
        assert words[:3] == ("exec", "POD", "--")
        done = command.run(words[3:], stdin=stdin, timeout=timeout, check=check)
        if "base64" not in words[-1]:
            return done
        kept = next(self.breaks, None)  # type: ignore[attr-defined]
        if kept is None:
            raise CommandError("kubectl failed")
        return dataclasses.replace(done, stdout=done.stdout[:kept])


def place(at: Path, *breaks: int) -> fetch.Place:
    kubectl = Local("c", "n")
    object.__setattr__(kubectl, "breaks", iter(breaks))
    return fetch.Place(kubectl, "POD", str(at))


@pytest.fixture
def there(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "raw").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "there" / "empty").write_bytes(b"")
    return tmp_path / "there"


ALL = 10**9


def test_files_are_brought_as_they_are(there: Path, tmp_path: Path) -> None:
    place(there, ALL).bring({name: tmp_path / name for name in ("raw", "empty", "missing")})
    assert (tmp_path / "raw").read_bytes() == (there / "raw").read_bytes()
    assert (tmp_path / "empty").read_bytes() == b""
    assert not (tmp_path / "missing").exists(), "what was never written is for others to miss"


def test_what_broke_off_goes_on_where_it_did(there: Path, tmp_path: Path) -> None:
    place(there, 1001, 0, 77, 3, 5003, ALL).bring({"raw": tmp_path / "raw"})
    assert (tmp_path / "raw").read_bytes() == (there / "raw").read_bytes()


def test_many_pieces(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_PIECE", 1000)
    place(there, *[ALL] * 11).bring({"raw": tmp_path / "raw"})
    assert (tmp_path / "raw").read_bytes() == (there / "raw").read_bytes()


def test_what_never_arrives(there: Path, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="raw did not arrive whole") as caught:
        place(there, 4000).bring({"raw": tmp_path / "raw"})
    assert caught.value.expected.startswith("10240 bytes with SHA-256")
    arrived = (tmp_path / "raw").read_bytes()
    assert caught.value.found.startswith(f"{len(arrived)} bytes with")
    assert 0 < len(arrived) < 3000
    assert (there / "raw").read_bytes().startswith(arrived), "what did arrive is left"


def test_what_changes_on_the_way(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.Place, "_piece", lambda *_: bytes(10240))
    with pytest.raises(LoadError, match="raw did not arrive whole"):
        place(there).bring({"raw": tmp_path / "raw"})


def test_a_listing_that_breaks_off(there: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.Place, "_shell", lambda *_: "10240 abc raw\n")
    with pytest.raises(LoadError, match="could not be listed"):
        place(there).bring({"raw": tmp_path / "raw"})


@pytest.mark.parametrize(
    ("shown", "read"),
    [
        ("1700000000.123456789\n", (1700000000.123456789, 0.0)),
        ("1700000000.N\n", (1700000000.0, 1.0)),
        ("1700000000.\n", (1700000000.0, 1.0)),
        ("1700000000\n", (1700000000.0, 1.0)),
    ],
)
def test_clocks_with_and_without_fractions(
    there: Path, monkeypatch: pytest.MonkeyPatch, shown: str, read: tuple[float, float]
) -> None:
    monkeypatch.setattr(fetch.Place, "_shell", lambda *_: shown)
    assert place(there).clock() == read


def test_a_clock_that_shows_nothing(there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.Place, "_shell", lambda *_: "date: not found\n")
    with pytest.raises(LoadError, match="a clock can't be read"):
        place(there).clock()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for path in ("load.js", "lib/parts.js", "lib/deep/parts.js", ".hidden/x.js", "lib/.x", "out/raw.csv.gz"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(f"// {path}")
    (tmp_path / "lib" / "bytes").write_bytes(b"\xff\x00")
    return tmp_path


def test_scripts_keep_their_places(tree: Path) -> None:
    manifest, items = manifests.scripts("L", tree, tree / "out")
    assert manifest["metadata"]["labels"]["app.kubernetes.io/name"] == "k6"
    found = {item["path"]: manifest["data"].get(item["key"]) for item in items}
    texts = {path: f"// {path}" for path in ("load.js", "lib/parts.js", "lib/deep/parts.js")}
    assert found == {**texts, "lib/bytes": None}
    (binary,) = manifest["binaryData"].values()
    assert base64.b64decode(binary) == b"\xff\x00"
    assert all(set(item["key"]).isdisjoint("/ ") for item in items)


def test_too_many_scripts(tree: Path) -> None:
    (tree / "big.js").write_text("x" * 999_990)
    with pytest.raises(LoadError, match="do not fit into a ConfigMap") as caught:
        manifests.scripts("L", tree, tree / "out")
    assert "big.js (999990)" in caught.value.found


def test_the_product_s_own_scripts_fit() -> None:
    k6 = Path(__file__).parents[3] / "k6"
    _, items = manifests.scripts("L", k6, Path("/nowhere"))
    assert {"smoke.js", "lib/config.js", "lib/profiles.json"} <= {item["path"] for item in items}


def job(tmp_path: Path) -> dict[str, Any]:
    brief = Brief("A2", tmp_path / "load.js", "run/A2", {"PRICE": "$(X) $$"}, 600.0, tmp_path)
    argv = words.arguments(
        brief, program="k6", script=manifests.SCRIPTS / "load.js", address="a:1", directory=manifests.OUT
    )
    env = words.environment("http://prometheus.monitoring.svc:80", manifests.OUT)
    return manifests.job("k6-a2", image="grafana/k6:1.8.1", argv=argv, env=env, items=[], seconds=600.0)


def test_the_pod_is_restricted_and_bounded(tmp_path: Path) -> None:
    spec = job(tmp_path)["spec"]
    assert (spec["suspend"], spec["backoffLimit"]) == (True, 0)
    assert 600 < spec["activeDeadlineSeconds"] < 1200
    template = spec["template"]
    assert template["metadata"]["labels"]["app.kubernetes.io/name"] == "k6"
    assert template["spec"]["restartPolicy"] == "Never"
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
    (container,) = template["spec"]["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert "/scripts/load.js" in container["args"]
    assert "--out=csv" in container["args"]
    assert {"name": "K6_CSV_FILENAME", "value": "/out/raw.csv.gz"} in container["env"]
    rw = {"name": "K6_PROMETHEUS_RW_SERVER_URL", "value": "http://prometheus.monitoring.svc:80/api/v1/write"}
    assert rw in container["env"]


def test_kubernetes_replaces_no_variables(tmp_path: Path) -> None:
    (container,) = job(tmp_path)["spec"]["template"]["spec"]["containers"]
    assert "PRICE=$$(X) $$$$" in container["args"]
    assert 'echo $$$$ >pid && exec "$$@"' in container["command"][2]


def state(**state: Any) -> dict[str, Any]:
    return {
        "metadata": {},
        "status": {"phase": "Running", "containerStatuses": [{"name": "k6", "state": state}]},
    }


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({"metadata": {}}, ""),
        (state(running={}), ""),
        (state(waiting={"reason": "ContainerCreating"}), ""),
        (state(waiting={"reason": "ErrImagePull"}), ""),  # it is tried again
        (
            state(waiting={"reason": "ImagePullBackOff", "message": "no such"}),
            "ImagePullBackOff (container k6): no such",
        ),
        (state(waiting={"reason": "ErrImageNeverPull"}), "ErrImageNeverPull (container k6)"),
        (state(terminated={"reason": "OOMKilled", "exitCode": 137}), "OOMKilled, exit status 137"),
        ({"metadata": {"deletionTimestamp": "now"}}, "it was deleted"),
        (
            {"metadata": {}, "status": {"phase": "Failed", "reason": "Evicted", "message": "no disk"}},
            "Evicted: no disk",
        ),
    ],
)
def test_pods_without_hope(seen: dict[str, Any], why: str) -> None:
    assert pod.hopeless(seen) == why


def test_only_what_has_run_is_followed() -> None:
    assert pod.started(state(running={}))
    assert pod.started(state(terminated={}))
    assert not pod.started(state(waiting={}))
    assert not pod.started({"metadata": {}})


def ended(tmp_path: Path) -> pod.Pod:
    """A pod whose k6 has ended, with exit status 0."""
    it = pod.Pod(Local("c", "n"), "k6-l", Brief("L", tmp_path / "load.js", "t", {}, 60.0, tmp_path))
    it._status, it._pod = 0, {"metadata": {"name": "POD"}}
    return it


def test_a_clock_that_is_off_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch.Place, "bring", lambda *_: None)
    monkeypatch.setattr(fetch.Place, "clock", lambda _: (time.time() + 3.0, 0.0))
    remains = ended(tmp_path).collect()
    assert (remains.status, remains.ahead) == (0, pytest.approx(3.0, abs=0.5))
    (trouble,) = remains.trouble
    assert re.match(r"the clock of k6's pod is \+[23]\.\d to \+3\.\d s off", trouble)
    monkeypatch.setattr(fetch.Place, "clock", lambda _: (time.time() + 0.5, 0.0))
    assert ended(tmp_path).collect().trouble == ()


def test_results_that_do_not_come_back_are_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: object) -> None:
        raise LoadError("raw.csv.gz did not arrive whole", found="7 bytes")

    monkeypatch.setattr(fetch.Place, "bring", lost)
    monkeypatch.setattr(fetch.Place, "clock", lost)
    remains = ended(tmp_path).collect()
    assert remains.status == 0
    assert [text.partition(":")[0] for text in remains.trouble] == [
        "what k6 measured could not be brought back",
        "the clock of k6's pod is not known",
    ]
    assert "7 bytes" in remains.trouble[0]


def test_where_k6_runs_is_a_choice_of_two() -> None:
    assert wanted({"HARNESS_K6": ""})
    with pytest.raises(UsageError, match="where k6 is to run"):
        wanted({"HARNESS_K6": "moon"})


class Refusing(Kubectl):
    """A cluster that takes the Job and nothing else."""

    __slots__ = ("asked",)

    def run(
        self, *words: str, stdin: str | bytes = b"", timeout: float = 60.0, check: bool = True
    ) -> Completed:
        del timeout, check
        self.asked.append(words)  # type: ignore[attr-defined]
        if words[0] == "create" and json.loads(stdin)["kind"] == "ConfigMap":
            raise CommandError("kubectl failed", found="quota exceeded")
        empty = words[0] == "get"
        return Completed(
            words, 0, json.dumps({"items": []} if empty else {"metadata": {"uid": "u"}}), "", 0.0
        )


def test_what_was_begun_is_deleted_if_the_rest_is_refused(tmp_path: Path) -> None:
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "load.js").write_text("")
    kubectl = Refusing("c", "n")
    object.__setattr__(kubectl, "asked", [])
    brief = Brief("A2 x", tmp_path / "script" / "load.js", "t", {}, 60.0, tmp_path)
    with (
        pytest.raises(LoadError, match="could not be started in the cluster") as caught,
        Jobs(kubectl, "k6", "http://p").start(brief),
    ):
        pass
    assert "quota exceeded" in caught.value.found
    last = kubectl.asked[-1]  # type: ignore[attr-defined]
    assert (last[0], last[1][:12]) == ("delete", "job/k6-a2-x-")
    assert last[2] == last[1].replace("job/", "configmap/")
