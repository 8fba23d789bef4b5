"""What can be wrong with the shop. Copied as a project's ``defects.py``."""

from verdict_harness.sensitivity import Defect, Patch

DEFECTS = (
    Defect(
        name="slow-checkout",
        kind="latency",
        story="Each checkout takes half a second.",
        plants=[
            Patch("shop.py", "import os\n", "import os\nimport time\n"),
            Patch("shop.py", "        sold += 1\n", "        sold += 1\n        time.sleep(0.5)\n"),
        ],
        select="",
        fails=["checkout.p90"],
        holds=["checkout.errors"],
    ),
    Defect(
        name="wrong-price",
        kind="money",
        story="The third one is free.",
        plants=[Patch("shop.py", "return 100 + 20 * basket", "return 100 + 20 * (basket - 1)")],
        select="",
        turns=["checkout.errors"],
    ),
    Defect(
        name="sold-twice",
        kind="money",
        story="What was sold is counted twice.",
        plants=[Patch("shop.py", "sold = sold + 1", "sold = sold + 2")],
        select="",
        turns=["checkout.errors"],
    ),
)
