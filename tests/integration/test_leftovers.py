"""The suite notices what its tests leave behind, whatever that is."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

CONFTESTS = [Path(__file__).parents[1] / "conftest.py", Path(__file__).parent / "conftest.py"]
IMAGE = "python:3.11-slim-bookworm"
LEAVING = """
    import socket, subprocess, sys, tempfile, threading

    KEPT = []

    def python(script):
        subprocess.run([sys.executable, "-c", script], check=True)

    def test_a_process_whose_parent_is_gone():
        python("import subprocess; subprocess.Popen(['sleep', '15'])")

    def test_a_port():
        KEPT.append(socket.create_server(("127.0.0.1", 0)))

    def test_a_thread():
        threading.Thread(target=threading.Event().wait, args=(5,), name="forgotten").start()

    def test_a_file():
        python("import tempfile; tempfile.mkdtemp(prefix='childs-')")

    def test_an_own_file():
        tempfile.mkdtemp(prefix="own-")

    def test_nothing():
        socket.create_server(("127.0.0.1", 0)).close()
        python("import tempfile; tempfile.TemporaryFile()")
        tempfile.TemporaryDirectory().cleanup()
"""
IN_THE_ENGINE = f"""
    import docker.errors, pytest
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.image import DockerImage
    from testcontainers.core.labels import create_labels

    def test_a_container(container_engine):
        DockerContainer("{IMAGE}").with_command("sleep 60").start()

    def test_a_container_that_does_not_start(container_engine):
        with pytest.raises(docker.errors.APIError):
            DockerContainer("{IMAGE}").with_command("/nowhere").start()

    def test_an_image(container_engine, tmp_path):
        (tmp_path / "Dockerfile").write_text("FROM {IMAGE}")
        DockerImage(tmp_path, labels=create_labels("", None)).build()

    def test_a_volume(container_engine):
        container_engine.client.client.volumes.create(labels=create_labels("", None))
"""

A_MOUNT = """
    import os, pathlib, subprocess

    def test_a_mount():
        kept = pathlib.Path("kept").absolute()
        kept.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", "size=1m", os.environ["VERDICT_TESTS_SESSION"], str(kept)]
        subprocess.run(words, check=True)
"""


def session(pytester: pytest.Pytester, tests: str, *words: str) -> pytest.RunResult:
    root, ours = (path.read_text() for path in CONFTESTS)
    assert "PATIENCE = 30" in ours
    pytester.makeconftest(root + ours.replace("PATIENCE = 30", "PATIENCE = 0.5"))
    pytester.makepyfile(tests)
    return pytester.runpytest_subprocess(
        "-p", "no:verdict-harness", "-p", "no:randomly", "-W", "ignore", *words
    )


def left(result: pytest.RunResult) -> list[str]:
    lines = "\n".join(result.outlines)
    return re.findall(
        r"^E +((?:process|port|thread|file|mount|container|image|volume) .+)$", lines, re.MULTILINE
    )


def test_what_is_left_behind_is_named(pytester: pytest.Pytester) -> None:
    result = session(pytester, LEAVING)
    result.assert_outcomes(passed=6, errors=1)
    process, port, thread, *files = left(result)
    assert process.endswith("sleep 15")
    assert re.fullmatch(r"port \d+ of this process", port)
    assert thread == "thread forgotten"
    assert sorted(Path(file).name.partition("-")[0] for file in files) == ["childs", "own"]
    assert all(file.startswith("file /") for file in files)


def test_so_is_what_is_left_in_the_container_engine(pytester: pytest.Pytester, container_engine: Any) -> None:
    container_engine.image(IMAGE)
    result = session(pytester, IN_THE_ENGINE)
    found = [line.split()[:2] for line in left(result)]
    engine = container_engine.client.client
    for kind, name in found:
        thing = getattr(engine, f"{kind}s").get(name)
        thing.remove(force=True)
    result.assert_outcomes(passed=4, errors=1)
    assert [kind for kind, _ in found] == ["container", "container", "image", "volume"]


def test_in_a_worker_too_and_no_false_alarm_in_the_other(pytester: pytest.Pytester) -> None:
    result = session(pytester, LEAVING, "-n", "2", "-k", "test_a_file or test_nothing")
    result.assert_outcomes(passed=2, errors=1)


# No failure with --require-docker: an engine can be had without root, as many users do.
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount something")
def test_a_mount_is_too(pytester: pytest.Pytester) -> None:
    result = session(pytester, A_MOUNT)
    subprocess.run(["umount", pytester.path / "kept"], check=True)
    result.assert_outcomes(passed=1, errors=1)
    assert left(result) == [f"mount {pytester.path / 'kept'}"]
