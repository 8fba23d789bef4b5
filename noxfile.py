"""Every way to run this project: ``nox --list`` shows them, plain ``nox`` runs the fast ones."""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nox
from filelock import FileLock  # comes with nox, by way of virtualenv
from nox.command import CommandFailed

nox.needs_version = ">=2024.10.9"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "types", "unit"]

ROOT = Path(__file__).parent
LOCK = ROOT / "requirements.lock"
SLOWEST = ("--durations=30", "--durations-min=5")  # what to look at first when the tests take too long
UNIT = ("-n", "auto", "tests/unit", "harness", "src", "tools/dependencies", "--doctest-modules", *SLOWEST)
RUNTIME_LOCK = ROOT / "requirements-runtime.lock"
BESIDE_LOCK = ROOT / "tests" / "integration" / "beside" / "requirements.lock"
JUNIT = ROOT / ".nox" / "junit"
COVERAGE = ROOT / ".nox" / "coverage"  # where pyproject.toml has its data go
#: Integration tests mostly wait, for a load to end or a program to start: two workers a core keep the cores
#: busy for half of the time, three for three quarters.
WORKERS = str(min(8, 3 * (os.cpu_count() or 1)))
FLOOR = 87  # per cent of lines and branches that unit and integration tests run: where it stood, less one
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")  # those that pyproject.toml claims

#: Sessions that judge, and the part of a run's criteria that is theirs, as verdict.json tells them apart.
PARTS = {"smoke": ("experiment", "smoke"), "asr1": ("asr", "ASR 1"), "asr2": ("asr", "ASR 2")}
#: Requirements that a load by hand can be judged by.
COLLECTED = ("asr1", "asr2")
#: What smoke may be asked for on: one shard, or three behind the gateway; and pytest's word for each.
SHAPES = {"single": "smoke_single", "multi": "smoke"}
#: Words after which any word may stand, those among them.
FREE = {"-k", "-m", "--runs", "--against", "--context", "--namespace", "--overlay"}
#: Words after which pytest lists something and judges nothing.
LISTING = {"-h", "--help", "--version", "--co", "--collect-only", "--markers", "--fixtures", "--setup-plan"}


def found() -> dict[str, str]:
    """Return which of ``PYTHONS`` this machine has, and where: on PATH, or below pyenv's directory."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    there = {}
    for version in PYTHONS:
        on_path = [sys.executable] if version == HERE else [shutil.which(f"python{version}")]
        for candidate in (*on_path, *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")), reverse=True)):
            # what is on PATH may be a shim for one that pyenv has, and would rather not run
            if candidate and _answers(candidate, version):
                there[version] = candidate
                break
    return there


def _answers(executable: str, version: str) -> bool:
    ask = [executable, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return False
    return done.stdout.strip() == version


def python(session: nox.Session, version: str = HERE, base: str = sys.executable) -> str:
    """Return the Python of the locked environment of that version, made or brought up to date first.

    All sessions share it: they need the same packages, and a newcomer waits for one installation, not ten.
    The stamp makes a warm start cost nothing; the file lock lets two nox runs start at once.
    """
    environment = ROOT / ".nox" / f"env-{version}"
    if sys.version_info < (3, 11):  # noqa: UP036 - nox itself runs on older ones
        session.error(
            f"Python 3.11 or later is needed, this is {sys.version.split()[0]}: run nox with a newer one"
        )
    wanted = hashlib.sha256(
        LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes() + str(ROOT).encode()
    ).hexdigest()
    executable = environment / "bin" / "python"
    stamp = environment / "installed"
    environment.parent.mkdir(exist_ok=True)
    with FileLock(f"{environment}.lock"):
        if not (stamp.exists() and stamp.read_text() == wanted and executable.exists()):
            session.log(f"making {environment.relative_to(ROOT)} from {LOCK.name} (a minute the first time)")
            session.run(base, "-m", "venv", "--clear", str(environment), external=True, silent=True)
            pip = [str(executable), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            session.run(*pip, "--require-hashes", "-r", str(LOCK), external=True)
            session.run(*pip, "--no-deps", "--no-build-isolation", "-e", str(ROOT), external=True)
            stamp.write_text(wanted)
    return str(executable)


def pytest(session: nox.Session, *words: str) -> None:
    """Run pytest in the locked environment; words after ``--`` come last and so win.

    For whoever shows tests elsewhere, ``.nox/junit`` has what came of each session as JUnit XML.
    """
    run_pytest(session, f"--junitxml={JUNIT / session.name}.xml", *words, *session.posargs)


def run_pytest(session: nox.Session, *words: str) -> None:
    """Run pytest; after Ctrl-C it gets the time that it takes to end what runs and write its verdict."""
    measure: tuple[str, ...] = ()
    if os.environ.get("COVERAGE"):
        COVERAGE.mkdir(parents=True, exist_ok=True)
        measure = ("coverage", "run", "-m")
    session.run(python(session), "-m", *measure, "pytest", *words, external=True, interrupt_timeout=None)


class TheRun:
    """A run that pytest makes: one an invocation of nox, however many sessions of ``PARTS`` it was asked for.

    The first of them has pytest run the experiments of all; each then reports its own part. Two runs
    would be two folders and two tables, and ``runs/latest`` would have half of what was asked for.
    """

    _only: TheRun | None = None

    @classmethod
    def of(cls, session: nox.Session) -> TheRun:
        """Return it, made and judged the first time that it is asked for."""
        if cls._only is None:
            cls._only = cls._chosen(session)
            cls._only.judge(session)
        return cls._only

    @staticmethod
    def _chosen(session: nox.Session) -> TheRun:
        """Return the run of the experiments of all sessions that were asked for."""
        words, shape = shaped(session.posargs)
        # no public way tells which sessions were selected
        asked = [name for name in PARTS if name in session._runner.manifest]  # noqa: SLF001
        marker = " or ".join(SHAPES[shape or "multi"] if name == "smoke" else name for name in asked)
        if "-m" in words[:-1]:
            at = words.index("-m")
            marker = f"({marker}) and ({words[at + 1]})"
            del words[at : at + 2]
        return TheRun("experiments", "-m", marker, *words, misplaced=shape if "smoke" not in asked else "")

    def __init__(self, *words: str, misplaced: str = "") -> None:
        self.misplaced = misplaced
        self.words = words
        self.listing = bool(LISTING & set(words))
        self.failed = False  # whether pytest ended with anything but 0
        runs = ROOT / option(list(words), "--runs", "runs")
        self.latest = runs / "latest"
        self.folder = runs / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"

    def judge(self, session: nox.Session) -> None:
        """Have pytest run and judge the experiments."""
        if not self.listing:
            # whatever keeps this run from beginning must not leave the verdict of the one before it there
            self.latest.unlink(missing_ok=True)
            atexit.register(self.say)  # after all that nox has to say
        if self.misplaced:
            session.error(
                f"{self.misplaced} is for smoke: asr1 and asr2 know themselves which shards they take"
            )
        exe = python(session)
        try:
            session.run(
                *(exe, "-m", "pytest", *self.words),
                env={"HARNESS_RUN_ID": self.folder.name},
                external=True,
                interrupt_timeout=None,  # it ends what runs and writes its verdict, however long that takes
            )
        except nox.command.CommandFailed:
            self.failed = True

    @property
    def verdict(self) -> dict[str, Any]:
        """What ``verdict.json`` says; empty if there is none."""
        try:
            found: dict[str, Any] = json.loads((self.folder / "verdict.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def report(self, session: nox.Session, key: str, name: str) -> None:
        """Let ``session`` succeed, fail or be skipped as its part of the run did.

        Args:
            session: to end.
            key: the field of a criterion that tells its part, as in ``PARTS``.
            name: what that field says.
        """
        verdict = self.verdict
        if not verdict:
            if self.failed or not self.listing:
                session.error("no run was made: see above")
            return
        # what is nobody's part, such as what --against judges, is everybody's
        found = {
            entry["verdict"]
            for entry in verdict["criteria"]
            if entry[key] == name or all(entry[field] != part for field, part in PARTS.values())
        }
        if not verdict["finished"]:
            session.error("INCONCLUSIVE: it was ended before its end")
        if not found:
            session.skip(f"nothing of {name} was selected")
        for bad in ("FAIL", "INCONCLUSIVE"):
            if bad in found:
                session.error(f"{name}: {bad}")
        if verdict["failures"] or verdict["troubles"]:
            session.error("; ".join(verdict["failures"] + verdict["troubles"]))
        if self.failed and not {"FAIL", "INCONCLUSIVE"} & {one["verdict"] for one in verdict["criteria"]}:
            session.error("something beside the criteria failed: see above")

    def say(self) -> None:
        """Say what came out, as the last line of all."""
        verdict = self.verdict
        if not verdict:
            said = "no verdict: the run never began"
        elif not verdict["finished"]:
            said = "INCONCLUSIVE: it was ended before its end"
        else:
            said = str(verdict["summary"])
        where = f" ({self.folder.relative_to(ROOT) if ROOT in self.folder.parents else self.folder})"
        print(f"verdict: {said}{where if verdict else ''}", flush=True)


def shaped(words: Sequence[str]) -> tuple[list[str], str]:
    """Return ``words`` without those that name a shape, and the last of these; ``""`` if none does."""
    values = [False, *(word in FREE for word in words)]
    found = [at for at, word in enumerate(words) if word in SHAPES and not values[at]]
    left = [word for at, word in enumerate(words) if at not in found]
    return left, words[found[-1]] if found else ""


def option(words: list[str], name: str, default: str) -> str:
    """Return what ``words`` say of a command-line option, the last time that they say it."""
    found = default
    for word, following in zip(words, [*words[1:], default]):  # noqa: B905 - of the same length; for older Pythons
        if word == name:
            found = following
        elif word.startswith(f"{name}="):
            found = word.partition("=")[2]
    return found


def experiments(session: nox.Session) -> None:
    """Report what the one run of this invocation says of the experiments that ``session`` stands for."""
    TheRun.of(session).report(session, *PARTS[session.name])


@nox.session
def lint(session: nox.Session) -> None:
    """Check style with Ruff, nearly all of its rules on, who imports whom, what is declared, and licences."""
    exe = python(session)
    session.run(exe, "-m", "ruff", "check", *session.posargs, external=True)
    session.run(exe, "-m", "ruff", "format", "--check", external=True)
    bin_ = Path(exe).parent
    session.run(
        str(bin_ / "lint-imports"),
        "--no-logo",
        "--cache-dir",
        ".nox/import-linter",
        external=True,
        silent=True,
    )
    session.run(exe, "-m", "tools.dependencies.declared", external=True)
    session.run(exe, "-m", "tools.dependencies.licences", "--quiet", external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy, strict."""
    session.run(python(session), "-m", "mypy", *session.posargs, external=True)


@nox.session
def unit(session: nox.Session) -> None:
    """Run the unit tests and the examples in docstrings; nothing external is started."""
    pytest(session, *UNIT)


@nox.session
def pythons(session: nox.Session) -> None:
    """Run the unit tests on every Python from 3.11 to 3.14 that is found, or on ``-- 3.12 3.13``."""
    there = found()
    wanted = session.posargs or PYTHONS
    ran = [one for one in wanted if one in there]
    failed = []
    for version in ran:
        session.log(f"Python {version}: {there[version]}")
        exe = python(session, version, there[version])
        try:
            session.run(exe, "-m", "pytest", *UNIT, external=True, interrupt_timeout=None)
        except CommandFailed:  # the others are tried as well
            failed.append(version)
    session.log(f"tried on Python {', '.join(ran) or '(none)'}")
    if missing := [one for one in wanted if one not in there]:
        session.warn(f"not found, and so not tried: Python {', '.join(missing)}")
    if failed or not ran:
        session.error(f"failed on Python {', '.join(failed) or '(none was found)'}")


@nox.session
def integration(session: nox.Session) -> None:
    """Run the tests on real programs: k6, Prometheus, Kafka, the engine and the gateway."""
    python(session)
    tools_ready(session)
    # the tests know which file is long, and which test goes where
    words = ("-n", WORKERS, "--dist", "loadfile", "--no-loadscope-reorder")
    pytest(session, *words, *SLOWEST, "tests/integration")


@nox.session
def coverage(session: nox.Session) -> None:
    """Say what the tests left out that ran with ``COVERAGE=1``, branches too, and hold it to a floor."""
    exe = python(session)
    if list(COVERAGE.glob("data.*")):
        session.run(exe, "-m", "coverage", "combine", "--quiet", external=True)
    if not (COVERAGE / "data").exists():
        session.error("nothing was measured: COVERAGE=1 nox -s unit integration coverage")
    session.run(exe, "-m", "coverage", "report", f"--fail-under={FLOOR}", *session.posargs, external=True)


@nox.session
def cluster(session: nox.Session) -> None:
    """Run the tests on real clusters, which k3d makes; what can't be had is skipped, and counted."""
    pytest(session, *SLOWEST, "tests/cluster")


@nox.session
def smoke(session: nox.Session) -> None:
    """Bring the whole system up and check every joint once; ``-- single`` that of one shard."""
    experiments(session)


@nox.session
def asr1(session: nox.Session) -> None:
    """Judge ASR 1, latency: A1 to A4, or fewer by ``-- -m a2``."""
    experiments(session)


@nox.session
def asr2(session: nox.Session) -> None:
    """Judge ASR 2, scalability: B1 to B4, or fewer by ``-- -m b2``."""
    experiments(session)


@nox.session
def collect(session: nox.Session) -> None:
    """Judge what a Prometheus has of a load by hand: ``nox -s collect -- asr1 --window 5m --until TIME``."""
    asked, *words = session.posargs or [""]
    if asked not in COLLECTED:
        session.error("by which requirement? nox -s collect -- asr1 --window 5m, or asr2")
    run = TheRun(f"experiments/collect/test_{asked}.py", "--backend", "external", *words)
    run.judge(session)
    run.report(session, "experiment", "collect")


@nox.session
def judge(session: nox.Session) -> None:
    """Judge a stored run again, with nothing running: ``nox -s judge -- runs/latest``."""
    if not session.posargs:
        session.error("which run? nox -s judge -- runs/<run-id>")
    run, *words = session.posargs
    run_pytest(session, "experiments", "--judge", run, *words)


@nox.session
def sensitivity(session: nox.Session) -> None:
    """Plant defects and see who notices: ``-- -k gateway``, ``-- --list``, ``-- --sound 20``."""
    tools_ready(session)
    words = ("-m", "verdict_harness.sensitivity", "experiments.defects", *session.posargs)
    session.run(python(session), *words, external=True, interrupt_timeout=None)


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
def prerequisites(session: nox.Session) -> None:
    """Show what a cluster on this machine needs: found, needed, how to get it."""
    session.run(python(session), "-m", "verdict_harness.kubernetes.prerequisites", external=True)


@nox.session
def up(session: nox.Session) -> None:
    """Bring the exchange up and keep it: ``nox -s up -- --backend local|k3d single|multi``."""
    by_hand(session)


@nox.session
def forward(session: nox.Session) -> None:
    """Open the ways into the k3d cluster that is up: ``nox -s forward -- single|multi``."""
    by_hand(session)


@nox.session
def seed(session: nox.Session) -> None:
    """Seed the books of the exchange that is up: ``nox -s seed -- single|multi --depth 500 --levels 50``."""
    by_hand(session)


@nox.session
def down(session: nox.Session) -> None:
    """Take down what up and --keep left up on this machine; ``-- --backend k3d`` the cluster, too."""
    by_hand(session)


def by_hand(session: nox.Session) -> None:
    """Run the session's command on the exchange; after Ctrl-C it gets the time that it takes to go down."""
    words = ("-m", "experiments.by_hand", session.name, *session.posargs)
    session.run(python(session), *words, external=True, interrupt_timeout=None)


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


def uv(session: nox.Session) -> str:
    """Return uv, which is there for the locks alone, in the version that wrote them."""
    wanted = "uv==0.13.9"
    environment = ROOT / ".nox" / wanted
    if not (environment / "bin" / "uv").exists():
        session.run(sys.executable, "-m", "venv", str(environment), external=True)
        session.run(
            str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", wanted, external=True
        )
    return str(environment / "bin" / "uv")


@nox.session
def lock(session: nox.Session) -> None:
    """Resolve the dependencies anew, with hashes, for every platform: all, and those that images need."""
    compile_ = (uv(session), "pip", "compile", "--universal", "--generate-hashes")
    options = ("--python-version", "3.11", "--no-header", "--quiet", *session.posargs)
    everything = ("pyproject.toml", "--all-extras", "--group", "dev")
    session.run(*compile_, *everything, "-o", LOCK.name, *options, external=True)
    # The images get the versions that were tested, and nothing that they do not run.
    session.run(
        *(*compile_, "--group", "exchange", "-c", LOCK.name, "-o", RUNTIME_LOCK.name, *options), external=True
    )
    # Plugins that tests put beside ours get pytest and what it needs from the environment that they run in.
    ours = ("attrs", "colorama", "iniconfig", "packaging", "pluggy", "pygments", "pytest")
    without = [word for name in ours for word in ("--no-emit-package", name)]
    beside = str(BESIDE_LOCK.relative_to(ROOT))
    session.run(
        *(*compile_, "--group", "beside", "-c", LOCK.name, "-o", beside, *without, *options), external=True
    )


@nox.session
def outdated(session: nox.Session) -> None:
    """Show what is behind in PyPI, Go, Maven, images and charts, and what could not be asked."""
    session.run(python(session), "-m", "tools.dependencies.outdated", uv(session), external=True)


@nox.session
def audit(session: nox.Session) -> None:
    """Ask for known holes in locked libraries and Go programs; what can't be asked is no success."""
    session.run(python(session), "-m", "tools.dependencies.audit", *session.posargs, external=True)


@nox.session
def build(session: nox.Session) -> None:
    """Build the harness's wheel, the only thing of this project that is ever published."""
    exe = python(session)
    session.run(exe, "-m", "hatchling", "build", "-t", "wheel", *session.posargs, external=True)
