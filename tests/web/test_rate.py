"""How often somebody may ask."""

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.web.rate import Rate


@given(st.lists(st.floats(0, 30), max_size=200), st.integers(1, 100))
def test_in_no_stretch_of_time_is_more_taken_than_the_bucket_and_what_flows_in(steps: list[float], rate: int) -> None:
    now, taken = 0.0, []
    bucket = Rate(rate, lambda: now)
    for step in steps:
        now += step
        wait = bucket.wait("a")
        if not wait:
            taken.append(now)
        else:
            assert 0 < wait <= 60 / rate + 1e-9
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first + 1 <= rate + (taken[last] - taken[first]) * rate / 60 + 1e-6


def test_keys_are_apart_and_the_oldest_is_forgotten() -> None:
    bucket = Rate(1, lambda: 0.0, most=2)
    assert [bucket.wait("a") == 0, bucket.wait("b") == 0, bucket.wait("a") == 0] == [True, True, False]
    assert bucket.wait("c") == 0
    assert bucket.wait("b") == 0  # it was forgotten
