"""Prometheus is not the witness that it is taken for: gone, emptied, slow, or telling something else."""

from __future__ import annotations

from collections.abc import Sequence

from verdict_harness.sensitivity import Defect, Patch, Plant

from .programs import before_prometheus

KIND = "surroundings"

_SERVER = ("match-p99", "conservation")
_CLIENT = ("client-p99", "errors")  # which rest on k6 alone


def _of_prometheus(
    name: str, story: str, plant: Plant, what: Sequence[str] = _SERVER, holds: Sequence[str] = _CLIENT
) -> Defect:
    """Return a defect from which nothing may be concluded about what Prometheus saw, and that alone."""
    return Defect(
        name=name,
        kind=KIND,
        story=story,
        plants=[plant],
        select="a1",
        turns=[f"A1.{one}" for one in what],
        holds=[f"A1.{one}" for one in holds],
    )


def _answers(code: str) -> Plant:
    """Return what answers questions about the engine's metrics otherwise; ``one`` is each series."""
    return before_prometheus(f"""\
def answered(question, found):
    if "me_" not in question.get("query", ""):
        return found
{code}
""")


_RULES = "prometheus/recording-rules.yml"
_P99 = (
    "        expr: histogram_quantile(0.99, sum by (shard, le) "
    "(rate(me_match_duration_seconds_bucket[30s]))) >= 0\n"
)
_CONSTANT = "        expr: 0 * max by (shard) (me_matches_total) + 0.001\n"

DEFECTS = (
    _of_prometheus(
        "prometheus-restarted",
        "Prometheus is killed in the midst of a load, and comes back 30 s later with what it had.",
        before_prometheus("""\
def meanwhile():
    global prometheus
    time.sleep(6)
    prometheus.kill()
    prometheus.wait()
    time.sleep(30)
    prometheus = started()
"""),
        what=["conservation"],
    ),
    _of_prometheus(
        "prometheus-emptied",
        "Prometheus loses all that it has in the midst of a load, and begins anew.",
        before_prometheus("""\
def meanwhile():
    global prometheus
    time.sleep(8)
    prometheus.kill()
    prometheus.wait()
    shutil.rmtree(data)
    prometheus = started()
"""),
        what=["conservation"],
    ),
    _of_prometheus(
        "prometheus-slow",
        "Once the load is on, Prometheus takes 30 s to answer a question.",
        before_prometheus("""\
def asked(path, question):
    if since() > 10:
        time.sleep(30)
"""),
    ),
    _of_prometheus(
        "prometheus-answers-nan",
        "Prometheus answers with as many values as there are, none of which is a number.",
        _answers("""\
    for one in found:
        one.update({"value": [one["value"][0], "NaN"]} if "value" in one else {})
        one.update({"values": [[at, "NaN"] for at, _ in one["values"]]} if "values" in one else {})
    return found
"""),
        holds=(),
    ),
    _of_prometheus(
        "prometheus-answers-nothing",
        "Prometheus has no series of the engine's.",
        _answers("    return []\n"),
    ),
    _of_prometheus(
        "prometheus-answers-twice",
        "Prometheus has two targets that expose the same series.",
        _answers("""\
    again = [{**one, "metric": {**one["metric"], "instance": "127.0.0.1:1"}} for one in found]
    return [*found, *again]
"""),
    ),
    _of_prometheus(
        "prometheus-stale",
        "Prometheus has nothing of what came after the load's first 5 s.",
        before_prometheus("""\
def answered(question, found):
    last = began + 5
    for one in found:
        if "values" in one:
            one["values"] = [pair for pair in one["values"] if pair[0] <= last]
    kept = (one for one in found if one.get("values", True))
    return [one for one in kept if "value" not in one or one["value"][0] <= last]
"""),
    ),
    _of_prometheus(
        "prometheus-has-an-earlier-run",
        "Prometheus has series of an earlier run that ended when this one began.",
        _answers("""\
    again = []
    for one in found:
        if "values" in one:
            metric = {**one["metric"], "instance": "127.0.0.1:1"}
            again.append({"metric": metric, "values": one["values"][:1]})
    return [*found, *again]
"""),
    ),
    _of_prometheus(
        "prometheus-clock-ahead",
        "The clock of Prometheus is 30 s ahead of everybody else's.",
        before_prometheus("""\
AHEAD = 30.0


def asked(path, question):
    for name in ("time", "start", "end"):
        if name in question:
            question[name] = f"{float(question[name]) - AHEAD:.3f}"


def answered(question, found):
    for one in found:
        if "values" in one:
            one["values"] = [[at + AHEAD, value] for at, value in one["values"]]
        if "value" in one:
            one["value"][0] += AHEAD
    return found
"""),
        what=["conservation"],
    ),
    _of_prometheus(
        "rules-other-than-the-file",
        "The rule for p99 that Prometheus evaluates yields 1 ms, and is not the one of the system's file.",
        before_prometheus("""\
CONFIG = "--config.file="
config = pathlib.Path(next(word for word in words if word.startswith(CONFIG)).removeprefix(CONFIG))
told = json.loads(config.read_text())
lines = pathlib.Path(told["rule_files"][0]).read_text().splitlines(keepends=True)
constant = "        expr: 0 * max by (shard) (me_matches_total) + 0.001\\n"
rules = config.with_name("rules.yml")
rules.write_text("".join(constant if "histogram_quantile(0.99" in line else line for line in lines))
other = config.with_name("other.yml")
other.write_text(json.dumps({**told, "rule_files": [str(rules)]}))
words = [f"{CONFIG}{other}" if word.startswith(CONFIG) else word for word in words]
"""),
        what=["match-p99"],
        holds=["client-p99", "conservation"],
    ),
    _of_prometheus(
        "rules-constant",
        "The rule for p99 yields 1 ms whatever happens, in the system's own file, too.",
        Patch(_RULES, _P99, _CONSTANT),
        what=["match-p99"],
        holds=["client-p99", "conservation"],
    ),
    _of_prometheus(
        "rules-missing",
        "There is no rule for p99 any more.",
        Patch(
            _RULES,
            "      - record: me:match_duration_p99:30s\n",
            "      - record: me:match_duration_p99:1m\n",
        ),
        what=["match-p99"],
        holds=["client-p99", "conservation"],
    ),
    Defect(
        name="scrape-gap",
        kind=KIND,
        story="For 20 s of the load no scrape of the shard succeeds.",
        plants=[
            Patch(
                "src/engine/metrics/numbers.py",
                '        """Yield every family, each with the label ``shard``."""\n',
                """\
        if 400 <= self.received < 740:
            raise RuntimeError("no scrape now")
""",
            )
        ],
        select="a2",
        words=["-k", "garbage or standing"],
        turns=["A2.gc-pause"],
        holds=["A2.client-p99", "A2.errors"],
    ),
)
