"""What A2 takes the gauge of pauses to remember is what the engine's gauge does remember."""

import re
from pathlib import Path

from engine.metrics import longest

CRITERIA = Path(__file__).parents[3] / "experiments" / "judging" / "shards.py"


def test_the_gauge_remembers_as_long_as_the_criterion_says():
    said = re.search(r"^GC_MEMORY = ([\d.]+)", CRITERIA.read_text(), re.MULTILINE)
    assert said
    assert float(said[1]) == longest.MAX_WINDOW
