"""What judging costs by monitor: today, this month, about how much by its end, and how long the budget lasts."""

from collections.abc import Iterable, Mapping, Sequence
from math import sqrt

from msgspec import Struct

from gatewatch.online.monitor import DAY_S, Monitor
from gatewatch.online.sample import budget_name
from gatewatch.online.spending import month_of
from gatewatch.stats.intervals import Interval
from gatewatch.stats.special import t_quantile
from gatewatch.store.base import Store

FEWEST_DAYS = 3
"""Of fewer whole days than so many, how much days differ is not known."""
_LOOK_BACK_DAYS = 28


class MonitorCost(Struct, frozen=True):
    """What the judges of a monitor cost, in US dollars.

    today, month: since the day, and the month, began (UTC). `unknown` calls of the month have no known price, and are
        in no figure.
    forecast: of the whole month, by the daily mean of up to 28 whole days before; its 95 % interval is for days that
        differ as those did, None where there are fewer than 3 of them.
    budget: a day; None where there is none. `left` of it are left today.
    used_up: when it is used up today, at the rate of today so far, in seconds since the epoch; the present where it is
        already, None where it lasts.
    """

    monitor: str
    flow: str
    today: float
    month: float
    unknown: int = 0
    forecast: float | None = None
    interval: Interval | None = None
    days: int = 0
    budget: float | None = None
    left: float | None = None
    used_up: float | None = None


def monitor_costs(store: Store, monitors: Iterable[Monitor], *, now: float) -> list[MonitorCost]:
    """What the judges of each monitor cost this month.

    Args:
        store: where it is kept.
        monitors: what is watched.
        now: in seconds since the epoch.
    """
    first, after = month_of("", now)
    day = now - now % DAY_S
    by_flow: dict[str, dict[float, float]] = {}
    unknown: dict[str, int] = {}
    for cell in store.spend(min(first, day - _LOOK_BACK_DAYS * DAY_S), now + 1):
        if cell.kind == "judge":
            days = by_flow.setdefault(cell.flow, {})
            days[cell.day] = days.get(cell.day, 0.0) + cell.cost
            if cell.day >= first:
                unknown[cell.flow] = unknown.get(cell.flow, 0) + cell.unknown
    found = []
    for each in monitors:
        days = by_flow.get(each.flow, {})
        today = days.get(day, 0.0)
        month = sum(cost for at, cost in days.items() if at >= first)
        whole = whole_days(days, day)
        rest = (after - now) / DAY_S
        forecast, interval = month_ahead(whole, rest, month, each.budget)
        left = used_up = None
        if each.budget is not None:
            spent, set_aside = store.spent(budget_name(each.name, now))
            left = max(0.0, each.budget - spent - set_aside)
            used_up = _used_up(spent, left, now)
        found.append(
            MonitorCost(
                each.name,
                each.flow,
                today,
                month,
                unknown.get(each.flow, 0),
                forecast,
                interval,
                len(whole),
                each.budget,
                left,
                used_up,
            )
        )
    return found


def whole_days(days: Mapping[float, float], today: float) -> list[float]:
    """What each of up to 28 whole days before today cost, from the first on that is known to have cost something."""
    known = [at for at in days if at < today]
    if not known:
        return []
    first = max(min(known), today - _LOOK_BACK_DAYS * DAY_S)
    return [days.get(first + n * DAY_S, 0.0) for n in range(round((today - first) / DAY_S))]


def month_ahead(
    whole: Sequence[float], rest: float, month: float, budget: float | None = None
) -> tuple[float | None, Interval | None]:
    """What a month comes to, and its 95 % interval for days that differ as whole ones did.

    Args:
        whole: what each whole day cost, as `whole_days` gives it.
        rest: how many days of the month are to go.
        month: what it cost so far.
        budget: the most that a day may cost.
    """
    n = len(whole)
    if not n:
        return None, None
    mean = sum(whole) / n
    most = rest * budget if budget is not None else float("inf")
    forecast = month + min(rest * mean, most)
    if n < FEWEST_DAYS:
        return forecast, None
    sd = sqrt(sum((each - mean) ** 2 for each in whole) / (n - 1))
    half = -t_quantile(0.025, n - 1) * sd * sqrt(rest + rest * rest / n)
    low, high = month + max(0.0, rest * mean - half), month + min(rest * mean + half, most)
    return forecast, Interval(min(low, forecast), max(high, forecast), "days alike")


def _used_up(spent: float, left: float, now: float) -> float | None:
    if left <= 0:
        return now
    began = now - now % DAY_S
    if spent <= 0 or now <= began:
        return None
    at = now + left / (spent / (now - began))
    return at if at < began + DAY_S else None
