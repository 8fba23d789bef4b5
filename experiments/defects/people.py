"""What people do to a run, with good intentions or without: before it, and once it is over."""

from __future__ import annotations

from verdict_harness.sensitivity import RUN, Defect, Patch, Variable

KIND = "people"

_STANDING = "experiments/judging/standing.py"
_ERRORS = "experiments/asr1/test_a1_warmup.py::test_standing[errors]"
_LISTED = '    Standing("errors", errors),\n'

# A requirement of A1 alone, which a run of A1 judges whole: what is left out is then all that is missing.
_WHOLE = Patch(
    "experiments/requirements.toml",
    '["ASR 1"]\ncriteria = [\n',
    """\
["ASR 1"]
criteria = ["A1.client-p99", "A1.match-p99", "A1.errors", "A1.conservation", "A1.load"]

["ASR 1 at length"]
criteria = [
""",
)

DEFECTS = (
    Defect(
        name="criterion-deselected",
        kind=KIND,
        story="Somebody leaves out one criterion, and calls the rest the requirement.",
        plants=[_WHOLE],
        select="a1",
        words=["--deselect", _ERRORS],
        turns=[RUN],
        holds=["A1.client-p99"],
    ),
    Defect(
        name="criterion-deselected-unseen",
        kind=KIND,
        story="A variable of the session leaves out one criterion.",
        plants=[_WHOLE, Variable("PYTEST_ADDOPTS", f"--deselect={_ERRORS}")],
        select="a1",
        turns=[RUN],
        holds=["A1.client-p99"],
    ),
    Defect(
        name="criterion-deleted",
        kind=KIND,
        story="Somebody deletes a criterion from what every load is judged by.",
        plants=[_WHOLE, Patch(_STANDING, _LISTED, "")],
        select="a1",
        turns=[RUN],
        holds=["A1.client-p99"],
    ),
    Defect(
        name="criterion-deleted-after-the-run",
        kind=KIND,
        story="Once the run is over somebody deletes a criterion.",
        plants=[Patch(_STANDING, _LISTED, "")],
        select="a1",
        turns=[RUN],
        later=True,
    ),
    Defect(
        name="limit-loosened-after-the-run",
        kind=KIND,
        story="Once the run is over somebody makes the limit of 200 ms one of 2 s.",
        plants=[Patch("experiments/judging/shards.py", "LIMIT = 200 * ms\n", "LIMIT = 2000 * ms\n")],
        select="a1",
        turns=[RUN],
        later=True,
    ),
    Defect(
        name="load-renamed",
        kind=KIND,
        story="The load's requests carry another name than the one by which they are looked for.",
        plants=[
            Patch(
                "k6/lib/load.js",
                "export function placeOrder(plan, { runId }, name = 'order') {\n",
                "export function placeOrder(plan, { runId }, name = 'place-order') {\n",
            )
        ],
        select="a1",
        turns=["A1.client-p99", "A1.errors", "A1.load"],
    ),
    Defect(
        name="load-renamed-after-the-run",
        kind=KIND,
        story="Once the run is over a load gets another name.",
        plants=[
            Patch(
                "experiments/loads.py",
                "            name=self.id,\n",
                '            name=f"{self.id}-warm",\n',
            )
        ],
        select="a1",
        turns=[RUN],
        later=True,
    ),
    Defect(
        name="hot-symbol-cooled",
        kind=KIND,
        story="Somebody has the hot symbol get 60 % of the orders, and not 80 %.",
        plants=[
            Patch(
                "k6/lib/profiles.json",
                '      "hot": {"symbol": "TEST-ASSET-A", "orders": 4, "of": 5},\n',
                '      "hot": {"symbol": "TEST-ASSET-A", "orders": 3, "of": 5},\n',
            )
        ],
        select="b4",
        fails=["B4.share"],
        holds=["B4.errors", "B4.conservation"],
    ),
    Defect(
        name="quick-taken-for-full",
        kind=KIND,
        story="A run at full length is asked for, and the loads are as short as those of a quick one.",
        plants=[
            Patch(
                "k6/lib/config.js",
                "  const profile = choice('PROFILE', ['full', 'quick', ...Object.keys(PROFILES.like)]);\n",
                "  const profile = 'quick';\n",
            )
        ],
        select="a1",
        words=["--profile", "full"],
        turns=["A1.client-p99", "A1.errors", "A1.load"],
    ),
)
