"""k6 is not what the load claims: throttled, stopped, too slow, too fast, or not heard in full."""

from __future__ import annotations

from collections.abc import Sequence

from verdict_harness.sensitivity import Defect, Patch, Plant

from .programs import around_k6

KIND = "surroundings"

_ALL = ("client-p99", "errors", "conservation", "load")
_ORDERS = ("client-p99", "load")


def _of_k6(name: str, story: str, *plants: Plant, what: Sequence[str] = _ORDERS) -> Defect:
    """Return a defect that nothing may be concluded from, whatever the numbers are."""
    return Defect(
        name=name,
        kind=KIND,
        story=story,
        plants=plants,
        select="a1",
        turns=[f"A1.{one}" for one in what],
    )


_RATE = "    return { executor: 'constant-arrival-rate', rate: arrivals.rate, duration, ...common };\n"


def _at(rate: str) -> Patch:
    """Return a patch by which k6 offers another rate; JavaScript."""
    return Patch("k6/lib/config.js", _RATE, _RATE.replace("arrivals.rate", f"Math.round({rate})"))


_STOPPED = """\
time.sleep(8)
k6.send_signal(signal.SIGSTOP)
time.sleep(8)
k6.send_signal(signal.SIGCONT)
status = k6.wait()
"""

DEFECTS = (
    _of_k6(
        "k6-throttled",
        "k6 has a fifth of a core: it runs for 0.1 s and stands still for 0.4 s.",
        around_k6("""\
while k6.poll() is None:
    k6.send_signal(signal.SIGSTOP)
    time.sleep(0.4)
    k6.send_signal(signal.SIGCONT)
    time.sleep(0.1)
status = k6.returncode
"""),
    ),
    _of_k6("k6-stopped-for-8-s", "k6 stands still for 8 s in the midst of the load.", around_k6(_STOPPED)),
    Defect(
        name="k6-stopped-between-blocks",
        kind=KIND,
        story="k6 stands still for 8 s while two arms are compared.",
        plants=[around_k6(_STOPPED)],
        select="b2",
        words=["-k", "notice"],
        turns=["B2.isolation"],
    ),
    _of_k6(
        "k6-ends-early",
        "k6 ends half-way, in order, and its exit status is 0.",
        around_k6("""\
time.sleep(11)
k6.send_signal(signal.SIGINT)
k6.wait()
status = 0
"""),
    ),
    Defect(
        name="k6-replays-an-earlier-load",
        kind=KIND,
        story="The raw samples of A2 are those of A1, under A2's name.",
        plants=[
            around_k6("""\
status = k6.wait()
earlier = raw.parent.with_name("A1") / raw.name
if raw.parent.name == "A2":
    rewritten(row.replace("/A1", "/A2").replace("-A1-", "-A2-") for row in rows(earlier))
""")
        ],
        select="a2",
        words=["-k", "standing"],
        turns=[f"A2.{one}" for one in _ALL],
    ),
    _of_k6(
        "k6-raw-file-cut",
        "The second half of the file of raw samples is lost.",
        around_k6("""\
status = k6.wait()
os.truncate(raw, raw.stat().st_size // 2)
"""),
    ),
    _of_k6(
        "k6-raw-file-thinned",
        "Of the raw samples each second row is lost, and the file is whole.",
        around_k6("""\
status = k6.wait()
first, *others = rows(raw)
rewritten([first, *others[::2]])
"""),
        what=_ALL,
    ),
    _of_k6(
        "k6-at-a-third-of-the-rate",
        "k6 offers a third of the orders that it is to offer.",
        _at("arrivals.rate / 3"),
    ),
    _of_k6(
        "k6-10-percent-too-fast",
        "k6 offers 10 % more than it is to offer.",
        _at("1.1 * arrivals.rate"),
        what=_ALL,
    ),
    _of_k6(
        "k6-clock-ahead",
        "The clock where k6 runs is 30 s ahead.",
        around_k6("""\
status = k6.wait()
first, *others = rows(raw)
apart = [row.split(",", 2) for row in others]
rewritten([first, *(f"{name},{int(at) + 30_000_000},{rest}" for name, at, rest in apart)])
"""),
        what=_ALL,
    ),
)
