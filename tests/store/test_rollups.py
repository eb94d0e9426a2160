"""Trends: what each bucket holds, and which buckets a window has."""

from pathlib import Path

from msgspec.structs import replace

from gatewatch.checks.traffic import DAY, FLOW, NOW, request, take, thumb, trends_agree_with_rows
from gatewatch.core.trace import Fault
from gatewatch.store.bins import bin_of, quantile
from gatewatch.store.rows import SignalCell
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def test_a_cell_has_every_request_of_its_bucket(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(
        store,
        request("a", at=NOW, slice="de", variant="b", first_token_s=0.1, marks=3),
        request("b", at=NOW + 59, slice="de", variant="b", cost=None, error=Fault("x"), marks=2),
        request("c", at=NOW + 60, slice="de", variant="b", error=Fault("x", "timeout"), usage=None),
        request("d", at=NOW + 1, slice="en"),
        request("e", at=NOW + 1, slice="de", variant="b", flow="other"),
    )
    (cell, _, late) = store.signals(FLOW, "minute", NOW, NOW + 61)
    assert cell == SignalCell(
        *(NOW, "de", "b", 2, 1, 0, 0.001, 1, 200, 40),
        latency={bin_of(0.5): 2},
        first_token={bin_of(0.1): 1},
        marks={1: 1, 2: 2},
    )
    assert (late.bucket, late.n, late.timeouts, late.input_tokens) == (NOW + 60, 1, 1, 0)
    assert [cell.n for cell in store.signals(FLOW, "hour", NOW, NOW + 1)] == [3, 1]
    trends_agree_with_rows(store)


def test_a_window_begins_with_the_bucket_that_it_begins_in(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    day = NOW // DAY * DAY
    take(store, *(request(f"{n}", at=day + n * 3600) for n in range(30)), said=[thumb("1", "3"), thumb("2", "29")])
    hours = [cell.bucket for cell in store.signals(FLOW, "hour", day + 2 * 3600 + 5, day + 4 * 3600)]
    assert hours == [day + 2 * 3600, day + 3 * 3600]
    assert [cell.n for cell in store.signals(FLOW, "day", day + 5, day + DAY + 1)] == [24, 6]
    assert [cell.bucket for cell in store.cells(FLOW, "day", day + 5, day + DAY)] == [day]


def test_sums_are_exact_whatever_is_added_in_whatever_order(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", cost=0.1) for n in range(10)))
    for n in range(10):
        take(store, request(f"x{n}", cost=0.2))
    (cell,) = store.signals(FLOW, "day", NOW, NOW + 1)
    assert cell.cost == 3.0


def test_a_quantile_of_many_is_within_a_bin(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrivals = [request(f"{n}") for n in range(100)]
    take(store, *(replace(each, trace=replace(each.trace, latency_s=(n + 1) / 100)) for n, each in enumerate(arrivals)))
    (cell,) = store.signals(FLOW, "day", NOW, NOW + 1)
    found = quantile(cell.latency, 0.95)
    assert found is not None
    assert found[1] <= 0.95 <= found[2]
    assert abs(found[0] / 0.95 - 1) < 0.012
