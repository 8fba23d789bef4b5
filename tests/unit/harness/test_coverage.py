"""Which scrapes after a load's end are still to come."""

import datetime as dt

import pytest

from verdict_harness.systems import coverage

END = 1_000_000_000.0


def target(after, **more):
    """One that was last scraped that many seconds after the load's end."""
    at = dt.datetime.fromtimestamp(END + after, dt.UTC).isoformat()
    return {"lastScrape": at, "health": "up", "scrapeInterval": "5s", **more}


@pytest.mark.parametrize(
    ("one", "covered"),
    [
        (target(-0.1), False),
        (target(0.1), True),
        # one that does not answer may have been slow only, and is tried again
        (target(0.1, health="down"), False),
        (target(5.1, health="down"), False),
        (target(60.0, health="down"), True),
        ({**target(-9.0), "lastScrape": "0001-01-01T00:00:00Z"}, False),
        # nobody waits minutes for what is scraped once in minutes
        (target(-9.0, scrapeInterval="5m"), True),
    ],
)
def test_a_target_is_covered_by_a_scrape_after_the_end(one, covered):
    assert coverage._covered(one, END) is covered
