"""Amounts as people write them."""

import pytest

from gatewatch.config.units import dollars_per_day, per_day, seconds, size


def test_they_are_read() -> None:
    assert [seconds(each) for each in ("30m", "24h", "7d", "1.5 h", "2w")] == [1800, 86_400, 604_800, 5400, 1_209_600]
    assert [size(each) for each in ("500 MB", "20GB", "1.5 KB")] == [500_000_000, 20_000_000_000, 1500]
    assert (per_day("300/day"), per_day(" 5 / day ")) == (300, 5)
    assert dollars_per_day("5.00 USD/day") == 5.0


@pytest.mark.parametrize(
    ("read", "wrong", "says"),
    [
        (seconds, "24", "a duration"),
        (seconds, "0h", "a duration"),
        (seconds, "1 month", "a duration"),
        (seconds, "101000d", "100 years at most"),
        (seconds, "9" * 400 + "d", "100 years at most"),
        (size, "20", "an amount"),
        (per_day, "0/day", "a share from 0 to 1"),
        (per_day, "0.5", "a share from 0 to 1"),
        (dollars_per_day, "5.00 USD", "5.00 USD/day"),
        (dollars_per_day, "5 EUR/day", "an amount"),
    ],
)
def test_what_is_no_amount_is_told(read: object, wrong: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        read(wrong)  # type: ignore[operator]
