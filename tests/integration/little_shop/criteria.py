"""What the shop must do. Copied as a project's ``criteria/test_checkout.py``."""

from pathlib import Path

import pytest

from verdict_harness.loads import Plan, Stage
from verdict_harness.samples import ms, percent
from verdict_harness.systems import Command, Process, Service, System
from verdict_harness.verdicts import Below


def command(at):
    return Command(("python", "-m", "shop"), {"PORT": str(at.port("http"))})


SHOP = System("shop", (Service("shop", {"http": 8000}, "http:/health", Process(command), scrape="http"),))


@pytest.fixture(scope="session")
def checkout(run, backend):
    plan = Plan(
        name="checkout",
        system=SHOP,
        script=Path(__file__).parents[1] / "checkout.js",
        iterations=100,
        seconds=5,
        settle=1,
        env=lambda deployment: {"SHOP_URL": deployment.endpoint("shop").url},
        tags={"name": "checkout"},
    )
    with Stage(run, backend) as stage:
        yield stage.trial(plan)


@pytest.mark.criterion("checkout.p90", experiment="checkout", asr="Checkout is fast")
def test_checkout_is_fast(checkout, judge):
    """p90 of a checkout, from when it was due to its answer, is below 300 ms."""
    judge(checkout.response(0.9), Below(300 * ms))


@pytest.mark.criterion("checkout.errors", experiment="checkout", asr="Checkout is fast")
def test_checkouts_are_answered(checkout, judge):
    """Few checkouts fail."""
    judge(checkout.errors(), Below(10 * percent))
