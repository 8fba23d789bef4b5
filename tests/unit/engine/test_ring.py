from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.shard.ring import Ring


@given(st.sampled_from([1, 2, 8]), st.lists(st.booleans(), max_size=60))
def test_it_is_a_bounded_queue(size: int, puts: list[bool]) -> None:
    ring, model = Ring[int](size), deque[int]()
    for number, put in enumerate(puts):
        if put and len(model) < size:
            ring.publish(number)
            model.append(number)
        elif put:
            with pytest.raises(OverflowError):
                ring.publish(number)
        elif model:
            assert ring.take() == model.popleft()
        else:
            with pytest.raises(IndexError):
                ring.take()
        assert (len(ring), ring.full, ring.utilization) == (len(model), len(model) == size, len(model) / size)


@pytest.mark.parametrize("size", [0, -2, 3, 1000])
def test_its_size_is_a_power_of_two(size: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        Ring[int](size)


def test_a_taken_slot_holds_nothing_any_more() -> None:
    ring = Ring[object](2)
    ring.publish(object())
    ring.take()

    assert ring._slots == [None, None]
