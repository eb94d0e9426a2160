"""Signals of buckets put together: marks as shares of requests, of all requests where only some were sent."""

import pytest

from gatewatch.core.marks import bits
from gatewatch.online.signals import RATES, Signals, signals_of
from gatewatch.store.rows import SignalCell

DOWN, RETRIED = bits(["thumbs_down"]), bits(["retried"])


def cell(n: int, marks: dict[int, int], **given: float) -> SignalCell:
    return SignalCell(0.0, "", "", n, marks=marks, **given)  # type: ignore[arg-type]


def test_marks_are_shares_of_requests_with_an_interval() -> None:
    found = signals_of([cell(60, {DOWN: 3}), cell(40, {DOWN: 7, RETRIED: 1, bits(["copied"]): 9})])
    assert tuple(found.marks) == RATES
    down = found.marks["thumbs_down"]
    assert (down.mean, down.n) == (0.1, 100)
    assert down.interval is not None and 0.05 < down.interval.low < 0.1 < down.interval.high < 0.18
    assert {name: each.mean for name, each in found.marks.items() if each.mean} == {"thumbs_down": 0.1, "retried": 0.01}


def test_where_only_some_requests_were_sent_they_are_shares_of_all() -> None:
    found = signals_of([cell(100, {DOWN: 50}, share=1.0), cell(100, {}, share=0.1)])
    assert found.marks["thumbs_down"].mean == pytest.approx(50 / 1100)


def test_no_request_has_no_rates() -> None:
    assert signals_of([]) == Signals()
    assert signals_of([cell(1, {DOWN: 1})]).marks["thumbs_down"].mean is None  # of one nothing is said
