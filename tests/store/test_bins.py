"""Bins of durations: narrow, in order, and quantiles from them lie where they say."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.store.bins import bin_of, edges, quantile, seconds_of

durations = st.floats(0, 1e6, allow_nan=False)


@given(durations)
def test_a_duration_lies_in_its_bin(seconds: float) -> None:
    place = bin_of(seconds)
    low, high = edges(place)
    assert low * (1 - 1e-12) <= round(seconds, 6) <= high * (1 + 1e-12)
    assert low <= seconds_of(place) <= high


def test_no_bin_is_wider_than_it_may_be() -> None:
    for place in range(1, 1500):
        low, high = edges(place)
        assert high / low - 1 <= 0.025
        assert edges(place - 1)[1] == low


@given(st.lists(durations, min_size=1, max_size=50), st.floats(0, 1))
def test_a_quantile_lies_where_it_is_said_to(seconds: list[float], q: float) -> None:
    histogram: dict[int, int] = {}
    for each in seconds:
        histogram[bin_of(each)] = histogram.get(bin_of(each), 0) + 1
    found = quantile(histogram, q)
    assert found is not None
    value, low, high = found
    true = sorted(seconds)[max(ceil(q * len(seconds)), 1) - 1]
    assert low * (1 - 1e-12) <= round(true, 6) <= high * (1 + 1e-12)
    assert low <= value <= high
    if true > 1e-5:
        assert value == pytest.approx(true, rel=0.06 if true < 1e-4 else 0.02)


def test_nothing_has_no_quantile() -> None:
    assert quantile({}, 0.5) is None
    assert bin_of(0) == bin_of(-1) == 0
