"""How numbers are written."""

import math

import pytest

from gatewatch.web.pages import numbers as n


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.8421, "0.842"),
        (0.9996, "1.00"),
        (0.00171234, "0.00171"),
        (12345.6, "12,346"),
        (-3.14159, "−3.14"),
        (0.0, "0"),
        (None, "—"),
        (math.nan, "—"),
        (math.inf, "—"),
        (1e-9, "0.00000000100"),
    ],
)
def test_three_digits_count(value: float | None, text: str) -> None:
    assert n.number(value) == text


def test_differences_have_signs_and_units() -> None:
    assert n.delta(-0.0342) == "−3.4 pp"
    assert n.delta(0.051) == "+5.1 pp"
    assert n.delta(0.0) == n.delta(-0.0001) == "0 pp"
    assert n.delta(None) == "—"
    assert n.delta(-0.25, "s") == "−250 ms"
    assert n.delta(0.00171, "$") == "+$0.00171"
    assert n.delta(0.12, "%") == "+12.0%"


def test_an_interval_is_in_brackets() -> None:
    assert n.interval((-0.0712, 0.004)) == "[−7.1, +0.4]"
    assert n.interval((0.81, 0.9), "share") == "[81.0%, 90.0%]"
    assert n.interval((0.5, 1.25), "s") == "[500 ms, 1.25 s]"
    assert n.interval(None) == n.interval((None, 1.0)) == ""


def test_what_an_interval_does_not_tell_from_nothing_is_unsure() -> None:
    assert n.direction(-0.05, (-0.1, 0.01)) == "unsure"
    assert n.direction(-0.05, (-0.1, -0.01)) == "worse"
    assert n.direction(0.05, (0.01, 0.1)) == "better"
    assert n.direction(0.05, (0.0, 0.1)) == "unsure"
    assert n.direction(0.0, (0.0, 0.0)) == "same"
    assert n.direction(None) == "missing"
    assert (n.direction(0.2), n.direction(-0.2), n.direction(0.0)) == ("better", "worse", "same")


def test_amounts_and_times() -> None:
    assert (n.money(0.00171), n.money(-2), n.money(None)) == ("$0.00171", "−$2.00", "—")
    assert (n.duration(0.312), n.duration(1.71), n.duration(600), n.duration(90_000)) == (
        "312 ms",
        "1.71 s",
        "10.0 min",
        "25.0 h",
    )
    assert n.duration(None) == "—"
    assert (n.size(512), n.size(2_300_000), n.size(None)) == ("512 B", "2.30 MB", "—")
    assert (n.percent(0.9996), n.percent(0.125), n.count(12_345)) == ("100%", "12.5%", "12,345")
    at = 1_790_000_000.0
    assert n.age(at, at + 7300) == "2 h ago"
    assert (n.age(at, at + 3), n.age(at, at - 90), n.age(None)) == ("now", "in 1 min", "—")
    assert n.moment(at) == "2026-09-21 14:13:20 UTC"
    assert (n.stamp(at), n.stamp(None)) == ("2026-09-21T14:13:20Z", "")
