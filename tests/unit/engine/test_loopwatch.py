import asyncio
import time

from engine.metrics import LoopWatch


def test_a_loop_that_stands_still_is_seen_while_it_does_and_after() -> None:
    async def scenario() -> LoopWatch:
        watch = LoopWatch()
        watch.start()
        await asyncio.sleep(0.05)
        time.sleep(0.3)  # noqa: ASYNC251 - that is the point
        assert watch.longest() >= 0.28, "a scrape in another thread would ask now"
        await asyncio.sleep(0.05)
        watch.stop()
        return watch

    watch = asyncio.run(scenario())
    assert watch.longest() >= 0.28
    assert watch.lags.sum >= 0.28
    assert sum(watch.lags.counts) >= 3


def test_without_a_loop_there_is_no_lag() -> None:
    watch = LoopWatch()
    watch.stop()

    assert watch.longest() == 0.0
