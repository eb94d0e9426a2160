"""Signals in buckets say of each what signals say of a whole window."""

from gatewatch.online.pulse import bucket_of, merged
from gatewatch.online.signals import signals_of
from gatewatch.store.bins import bin_of
from gatewatch.store.rows import SignalCell

SLOW, QUICK = bin_of(2.0), bin_of(0.1)


def cell(share: float = 1.0, **fields: object) -> SignalCell:
    given = {
        "n": 40,
        "errors": 2,
        "cost": 0.8,
        "unknown_cost": 0,
        "latency": {QUICK: 36, SLOW: 4},
        "marks": {2: 4, 16: 2},
    }
    return SignalCell(bucket=60.0, slice="", variant="", share=share, **(given | fields))  # type: ignore[arg-type]


def test_cells_of_one_share_are_one() -> None:
    (found,) = merged([cell(), cell(n=10, latency={SLOW: 10}, marks={2: 1})])
    assert (found.n, found.errors, found.latency, found.marks) == (50, 4, {QUICK: 36, SLOW: 14}, {2: 5, 16: 2})
    assert {each.share: each.n for each in merged([cell(), cell(0.5), cell(0.5)])} == {1.0: 40, 0.5: 80}


def test_a_bucket_says_what_its_window_says() -> None:
    for cells in ([cell()], [cell(), cell(0.25, errors=0)]):
        whole = signals_of(cells)
        _, beat = bucket_of(60.0, cells)
        assert (beat.at, beat.requests) == (60.0, whole.every)
        assert (beat.p50, beat.p95, beat.p99) == tuple(whole.latency_s[name].value for name in ("p50", "p95", "p99"))
        assert (beat.thumbs_down, beat.guardrail, beat.errors) == (
            whole.marks["thumbs_down"],
            whole.marks["guardrail"],
            whole.errors,
        )
        assert beat.cost is not None and abs(beat.cost - 20.0) < 1e-9


def test_what_is_not_known_is_not_nothing() -> None:
    _, beat = bucket_of(0.0, [cell(unknown_cost=40, latency={})])
    assert (beat.p50, beat.cost) == (None, None)


def test_what_is_over_is_made_once_and_what_changed_anew() -> None:
    one = bucket_of(60.0, [cell(), cell(n=10)])
    assert bucket_of(60.0, [cell(), cell(n=10)]) is one
    assert bucket_of(120.0, [cell(), cell(n=10)])[1].at == 120.0
    slower = bucket_of(60.0, [cell(), cell(n=10, latency={SLOW: 40})])
    assert slower[1].p50 != one[1].p50 and slower[1].requests == one[1].requests
