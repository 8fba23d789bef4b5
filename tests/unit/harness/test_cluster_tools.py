"""The preflight: everything that is in the way, at once, and how to get it."""

import os
from pathlib import Path

import pytest

from verdict_harness.errors import UsageError
from verdict_harness.kubernetes.tools import DOCKER, HELM, K3D, KUBECTL, preflight
from verdict_harness.plugin.backends import backend, check, opened
from verdict_harness.plugin.options import TABLE
from verdict_harness.systems import Options

GOOD = {
    "docker": "echo 27.1.1",
    "k3d": "echo 'k3d version v5.8.3'; echo 'k3s version v1.31.5-k3s1 (default)'",
    "kubectl": "echo 'Client Version: v1.34.4'; echo 'Kustomize Version: v5.7.1'",
    "helm": "echo v3.22.0+g1234567",
}
ALL = (DOCKER, K3D, KUBECTL, HELM)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with good tools, and nothing else but a shell."""
    for name, script in GOOD.items():
        put(tmp_path, name, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(directory: Path, name: str, script: str) -> None:
    file = directory / name
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)


def test_good_tools_pass(tools: Path) -> None:
    assert tools
    preflight(ALL, "k3d")
    check("k3d", Options())


def test_everything_that_is_wrong_is_named_at_once(tools: Path) -> None:
    put(tools, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    put(tools, "k3d", "echo 'k3d version v4.4.8'")
    (tools / "kubectl").unlink()
    put(tools, "helm", "echo unknown")
    with pytest.raises(UsageError) as caught:
        preflight(ALL, "k3d")
    said = str(caught.value)
    for words in (
        "Cannot connect to the Docker daemon",
        "k3d: version 4.4",
        "no kubectl on PATH",
        "helm: it says no version: 'unknown'",
        "k3d 5.0 or later",
        "https://k3d.io",
        "https://helm.sh",
        "--backend local",
    ):
        assert words in said


def test_only_what_is_wrong_is_named(tools: Path) -> None:
    put(tools, "helm", "echo v2.17.0")
    with pytest.raises(UsageError) as caught:
        check("k3d", Options())
    assert "helm: version 2.17" in str(caught.value)
    assert "kubectl" not in str(caught.value)


def test_kubectl_has_to_be_1_28(tools: Path) -> None:
    put(tools, "kubectl", "echo 'Client Version: v1.27.16'")
    with pytest.raises(UsageError, match=r"kubectl 1\.28 or later"):
        check("k3d", Options())
    put(tools, "kubectl", "echo 'Client Version: v1.28.0'")
    check("k3d", Options())


def test_kube_needs_neither_an_engine_nor_k3d_but_a_cluster(tools: Path) -> None:
    (tools / "docker").unlink()
    (tools / "k3d").unlink()
    check("kube", Options(context="theirs"))
    put(
        tools,
        "kubectl",
        'case "$1" in version) echo "Client Version: v1.34.4";; *) echo "error: not set" >&2; exit 1; esac',
    )
    with pytest.raises(UsageError, match="which cluster is meant"):
        check("kube", Options())


def test_local_and_external_need_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("local", "external"):
        check(name, Options())
        with opened(name, Options()) as found:
            assert found.name == name


def test_options_reach_the_backend(tmp_path: Path) -> None:
    asked = {"reuse": True, "context": "c", "namespace": None, "overlay": "here"}
    found = Options.read(asked.__getitem__, tmp_path)
    assert found == Options(reuse=True, context="c", overlay=tmp_path / "here")
    assert found.environment is os.environ
    assert {"--backend", "--reuse", "--context", "--namespace", "--overlay"} <= TABLE.keys()
    assert backend("kube", found).name == "kube"


def test_a_session_on_a_machine_without_the_tools_ends_before_anything_is_begun(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.criterion("X", experiment="E")
        def test_it(judge, backend): ...
        """
    )
    monkeypatch.setenv("PATH", str(pytester.path))
    result = pytester.runpytest_inprocess("--backend", "k3d", "-p", "no:hypothesispytest")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs tools that are missing*"])
    assert "k3d: no k3d on PATH" in result.stderr.str()
    assert not (pytester.path / "runs").exists()
