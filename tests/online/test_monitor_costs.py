"""What judging costs by monitor: the month so far, about how much by its end, and how long a budget lasts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.checks.traffic import FLOW, judged, lease, request, take
from gatewatch.core.money import Cost
from gatewatch.online.monitor import DAY_S, Monitor
from gatewatch.online.monitor_costs import MonitorCost, monitor_costs
from gatewatch.online.sample import budget_name
from gatewatch.store.base import Store
from gatewatch.store.rows import Plan, Settled
from store.making import a_store, backend  # noqa: F401 - every test runs on both

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC).timestamp()
"""At noon, with 14.5 of 30 days to go."""


def spend(store: Store, days: Mapping[int, float | None], *, budget: str = "", now: float = NOW) -> None:
    """A judge's call on each of some days (so many days before today), for so many dollars; None: for nobody knows."""
    for ago, cost in sorted(days.items(), reverse=True):
        at = now - ago * DAY_S
        take(store, request(f"{ago}", at=at), now=at)
        work = store.work(FLOW, "helpful", "f" * 12, "judge")
        found = store.unplanned(work, 1000)
        tasks = tuple((row.seq, at, 1.0) for row in found.new)
        store.plan(work.id, Plan(tasks, through=found.through, changes=found.changes))
        (task,) = lease(store, work, now=at)
        score = replace(judged(), cost=Cost(unknown=1) if cost is None else Cost(cost))
        store.settle([Settled(task.task, task.attempt, score, budget=budget)], at)


def told(store: Store, *, budget: float | None = None) -> MonitorCost:
    (found,) = monitor_costs(store, [Monitor(name="m", flow=FLOW, watches=(), budget=budget)], now=NOW)
    return found


def test_days_that_are_alike_go_on_so(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    spend(store, dict.fromkeys(range(1, 20), 2.0) | {0: 1.0})
    found = told(store)
    assert (found.today, found.days) == (1.0, 19)
    assert found.month == pytest.approx(31.0)
    assert found.forecast == pytest.approx(31 + 14.5 * 2)
    assert found.interval is not None and found.interval.high - found.interval.low == pytest.approx(0.0, abs=1e-6)
    assert (found.budget, found.left, found.used_up) == (None, None, None)


def test_days_that_differ_make_an_interval_and_days_without_a_call_count(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    spend(store, {1: 4.0, 3: 2.0, 4: 2.0})
    found = told(store)
    assert found.days == 4
    assert found.forecast == pytest.approx(8 + 14.5 * 2)
    assert found.interval is not None and 8.0 <= found.interval.low < 37 < found.interval.high


def test_too_few_days_make_no_interval(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    assert told(store) == MonitorCost("m", FLOW, 0.0, 0.0)
    spend(store, {1: 4.0, 2: 4.0, 0: None})
    found = told(store)
    assert found.forecast == pytest.approx(8 + 14.5 * 8 / 2)
    assert (found.interval, found.unknown) == (None, 1)


def test_a_budget_is_never_gone_beyond(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    spend(store, {ago: float(ago % 3) * 4 for ago in range(1, 12)})
    found = told(store, budget=2.0)
    assert found.forecast == pytest.approx(found.month + 14.5 * 2)
    assert found.interval is not None and found.interval.high == found.forecast


@pytest.mark.parametrize(("budget", "left", "hour"), [(2.0, 1.0, None), (1.5, 0.5, 18), (1.0, 0.0, 12)])
def test_when_todays_budget_is_used_up(tmp_path: Path, budget: float, left: float, hour: int | None) -> None:
    store = a_store(tmp_path)
    spend(store, {0: 1.0}, budget=budget_name("m", NOW))
    found = told(store, budget=budget)
    assert found.left == pytest.approx(left)
    assert found.used_up == (None if hour is None else pytest.approx(NOW + (hour - 12) * 3600))


def test_other_flows_and_last_month_are_not_this_ones(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    spend(store, {16: 3.0, 17: 3.0})  # of October
    found = monitor_costs(
        store, [Monitor(name="o", flow="other", watches=()), Monitor(name="m", flow=FLOW, watches=())], now=NOW
    )
    assert [(each.monitor, each.month, each.days) for each in found] == [("o", 0.0, 0), ("m", 0.0, 17)]
