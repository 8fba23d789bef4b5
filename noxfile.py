"""Every way to run this project: ``nox --list`` shows them, plain ``nox`` runs the fast ones."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import nox
from filelock import FileLock  # comes with nox, by way of virtualenv

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "unit"]

ROOT = Path(__file__).parent
LOCK = ROOT / "requirements.lock"
RUNTIME_LOCK = ROOT / "requirements-runtime.lock"
ENVIRONMENT = ROOT / ".nox" / f"env-{sys.version_info.major}.{sys.version_info.minor}"


def python(session: nox.Session) -> str:
    """Return the Python of the one locked environment, made or brought up to date first.

    All sessions share it: they need the same packages, and a newcomer waits for one installation, not ten.
    The stamp makes a warm start cost nothing; the file lock lets two nox runs start at once.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - nox itself runs on older ones
        session.error(
            f"Python 3.11 or later is needed, this is {sys.version.split()[0]}: run nox with a newer one"
        )
    wanted = hashlib.sha256(
        LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
    ).hexdigest()
    executable = ENVIRONMENT / "bin" / "python"
    stamp = ENVIRONMENT / "installed"
    ENVIRONMENT.parent.mkdir(exist_ok=True)
    with FileLock(f"{ENVIRONMENT}.lock"):
        if not (stamp.exists() and stamp.read_text() == wanted and executable.exists()):
            session.log(f"making {ENVIRONMENT.relative_to(ROOT)} from {LOCK.name} (a minute the first time)")
            session.run(sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT), external=True, silent=True)
            pip = [str(executable), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            session.run(*pip, "--require-hashes", "-r", str(LOCK), external=True)
            session.run(*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT), external=True)
            stamp.write_text(wanted)
    return str(executable)


def pytest(session: nox.Session, *words: str) -> None:
    """Run pytest in the locked environment; words after ``--`` come last and so win."""
    run_pytest(session, *words, *session.posargs)


def run_pytest(session: nox.Session, *words: str) -> None:
    """Run pytest; after Ctrl-C it gets the time that it takes to end what runs and write its verdict."""
    session.run(python(session), "-m", "pytest", *words, external=True, interrupt_timeout=None)


def experiments(session: nox.Session, marker: str) -> None:
    """Run the experiments that carry ``marker`` and judge them; ``-m`` after ``--`` narrows that down."""
    words = list(session.posargs)
    if "-m" in words[:-1]:
        at = words.index("-m")
        marker = f"({marker}) and ({words[at + 1]})"
        del words[at : at + 2]
    session.run(python(session), "-m", "pytest", "experiments", "-m", marker, *words, external=True)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style with Ruff, nearly all of its rules on."""
    exe = python(session)
    session.run(exe, "-m", "ruff", "check", *session.posargs, external=True)
    session.run(exe, "-m", "ruff", "format", "--check", external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy, strict."""
    session.run(python(session), "-m", "mypy", *session.posargs, external=True)


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests and the examples in docstrings; nothing external is started."""
    pytest(session, "-n", "auto", "tests/unit", "harness", "src", "--doctest-modules")


@nox.session
def integration(session: nox.Session) -> None:
    """Run the tests on real programs: k6, Prometheus, Kafka, the engine and the gateway."""
    python(session)
    tools_ready(session)
    pytest(session, "-n", "2", "--dist", "loadfile", "tests/integration")


@nox.session
def cluster(session: nox.Session) -> None:
    """Run the tests on real clusters, which k3d makes; what can't be had is skipped, and counted."""
    pytest(session, "tests/cluster")


@nox.session
def smoke(session: nox.Session) -> None:
    """Bring the whole system up and check every joint once."""
    experiments(session, "smoke")


@nox.session
def asr1(session: nox.Session) -> None:
    """Judge ASR 1, latency: A1 to A4, or fewer by ``-- -m a2``."""
    experiments(session, "asr1")


@nox.session
def asr2(session: nox.Session) -> None:
    """Judge ASR 2, scalability: B1 to B4, or fewer by ``-- -m b2``."""
    experiments(session, "asr2")


@nox.session
def judge(session: nox.Session) -> None:
    """Judge a stored run again, with nothing running: ``nox -s judge -- runs/latest``."""
    if not session.posargs:
        session.error("which run? nox -s judge -- runs/<run-id>")
    run, *words = session.posargs
    run_pytest(session, "experiments", "--judge", run, *words)


def tools_ready(session: nox.Session) -> None:
    """Provision every external program, with progress, before tests that would each wait for it."""
    session.run(python(session), "-m", "verdict_harness.programs", "--provide", external=True)


@nox.session
def tools(session: nox.Session) -> None:
    """Show each external program, where it came from and its version; build what is missing."""
    session.run(
        python(session), "-m", "verdict_harness.programs", "--provide", *session.posargs, external=True
    )


@nox.session
def images(session: nox.Session) -> None:
    """Build the images of engine and gateway, each with what it is made of; to push them is yours."""
    session.run(python(session), "-m", "experiments.cluster", external=True)


@nox.session
def dashboard(session: nox.Session) -> None:
    """Write grafana/me-experiment.json from its code; ``-- --push URL`` puts it into a Grafana."""
    session.run(python(session), "-m", "grafana", *session.posargs, external=True)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure engine and gateway against a bare server, interleaved: CPU per operation and its spread."""
    exe = python(session)
    for script in sorted((ROOT / "tools").glob("bench_*.py")):
        session.run(exe, str(script), *session.posargs, external=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve the dependencies anew, with hashes, for every platform: all, and those that images need."""
    uv = ENVIRONMENT.parent / "uv"
    if not (uv / "bin" / "uv").exists():
        session.run(sys.executable, "-m", "venv", str(uv), external=True)
        session.run(
            str(uv / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv==0.13.8", external=True
        )
    compile_ = (str(uv / "bin" / "uv"), "pip", "compile", "--universal", "--generate-hashes")
    options = ("--python-version", "3.11", "--no-header", "--quiet", *session.posargs)
    session.run(*compile_, "pyproject.toml", "--group", "dev", "-o", LOCK.name, *options, external=True)
    # The images get the versions that were tested, and nothing that they do not run.
    session.run(
        *(*compile_, "--group", "exchange", "-c", LOCK.name, "-o", RUNTIME_LOCK.name, *options), external=True
    )


@nox.session
def build(session: nox.Session) -> None:
    """Build the harness's wheel, the only thing of this project that is ever published."""
    exe = python(session)
    session.run(exe, "-m", "hatchling", "build", "-t", "wheel", *session.posargs, external=True)
