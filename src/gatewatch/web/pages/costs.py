"""Costs: what is spent by day, on what, and what was found for it."""

from collections.abc import Iterator, Sequence
from typing import Any, cast, get_args

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.costs import (
    KINDS,
    Ahead,
    Key,
    Line,
    RunCosts,
    Spend,
    ahead,
    embedders,
    live_costs,
    put_together,
    whole,
)
from gatewatch.config.monitors import online
from gatewatch.config.worth import Regressions, Worth, worths
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.online.monitor import DAY_S
from gatewatch.online.monitor_costs import MonitorCost, monitor_costs
from gatewatch.online.spending import Sent, month_of, sampled
from gatewatch.online.trends import Erased, erased
from gatewatch.web.aside import aside
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import House, Screen
from gatewatch.web.pages.stacked import Stacked, stacked

WINDOW = 48
PERIODS = {"7d": "7 days", "30d": "30 days", "90d": "90 days", "month": "This month", "last": "Last month"}
PLACES = {"": "All", "live": "Live", "offline": "Offline"}
BY: dict[str, str] = {"scorer": "Scorer", "model": "Model", "flow": "Flow", "run": "Run", "day": "Day"}
TITLES = {"app": "Application", "judge": "Judges", "embedding": "Embeddings"}
_MONTH_BACK_DAYS = 59
_COLUMNS = (
    *("day", "live", "kind", "flow", "suite", "run", "scorer", "model", "calls", "cost", "unknown", "saved"),
    *("input_tokens", "output_tokens", "scores", "rows"),
)


class Told(Struct, frozen=True, kw_only=True):
    """What the page shows of a window. `late` runs were not read for want of time; `flaw` says why budgets are not
    known."""

    since: float
    until: float
    spends: tuple[Spend, ...]
    total: Line
    kinds: tuple[Line, ...]
    offline: Line
    scored: Line
    chart: Stacked
    ahead: Ahead
    worths: tuple[Worth, ...]
    monitors: tuple[MonitorCost, ...]
    sampled: tuple[Sent, ...]
    erased: Erased
    late: int
    flaw: str


class _Reading:
    """What is held of a project's runs."""

    def __init__(self, house: House, asked: Asked) -> None:
        runs = house.joins.of(asked.visitor.project, asked.store).runs
        self.costs, self.regressions = RunCosts(runs), Regressions(runs)


def routes(house: House) -> list[Route]:
    """The page of costs, and its export."""
    held: dict[str, _Reading] = {}

    def reading(asked: Asked) -> _Reading:
        return held.setdefault(asked.visitor.project, _Reading(house, asked))

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        by, offset = _chosen(asked), asked.number("offset")
        if asked.fragment:
            spends, _, _, _ = await aside(lambda: _spends(asked, reading(asked), by))
            return await house.fragment(asked, "costs/by.html", **_rows(house, by, spends, offset))
        told = await aside(lambda: _told(asked, reading(asked), by))
        data = _rows(house, by, told.spends, offset) | {"told": told, "periods": PERIODS, "places": PLACES}
        return await house.page(asked, "costs/page.html", title="Costs", screen="costs", **data)

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        by, form = _chosen(asked), form_of(request)
        spends, _, _, _ = await aside(lambda: _spends(asked, reading(asked), by))
        chosen = {name: by[name] for name in ("period", "place")}
        return exported(form, "gatewatch.costs", _COLUMNS, _lines(spends), chosen)

    return [Route("/costs", shown), Route("/costs.{form}", export)]


def _chosen(asked: Asked) -> dict[str, str]:
    return {
        "period": asked.get("period", "30d", among=tuple(PERIODS)),
        "place": asked.get("place", among=tuple(PLACES)),
        "by": asked.get("by", "scorer", among=tuple(BY)),
    }


def _window(period: str, now: float) -> tuple[float, float]:
    """The beginning and the end of a period of whole days."""
    first, _ = month_of("", now)
    if period == "month":
        return first, now
    if period == "last":
        return month_of("", first - DAY_S / 2)
    return now - now % DAY_S - (int(period[:-1]) - 1) * DAY_S, now


def _spends(asked: Asked, reading: _Reading, by: dict[str, str]) -> tuple[list[Spend], float, float, int]:
    """Money of the period that is chosen, where it begins and ends, and how many runs were not read."""
    since, until = _window(by["period"], wall())
    found, late = _between(asked, reading, since, until, by["place"])
    return found, since, until, late


def _between(asked: Asked, reading: _Reading, since: float, until: float, place: str) -> tuple[list[Spend], int]:
    embeds = embedders(asked.project)
    found = live_costs(asked.store, since, until, embeds) if place != "offline" else []
    late = 0
    if place != "live":
        runs, late = reading.costs.between(since, until, embeds)
        found += runs
    return found, late


def _told(asked: Asked, reading: _Reading, by: dict[str, str]) -> Told:
    now = wall()
    spends, since, until, late = _spends(asked, reading, by)
    back = now - now % DAY_S - _MONTH_BACK_DAYS * DAY_S
    monitors, flaw = _monitors(asked, now)
    budget = sum(each.budget for each in monitors if each.budget is not None) if by["place"] != "offline" else 0.0
    live = by["place"] != "offline"
    return Told(
        since=since,
        until=until,
        spends=tuple(spends),
        total=whole(spends),
        kinds=tuple(_of_kind(spends, kind) for kind in KINDS),
        offline=whole(each for each in spends if not each.live),
        scored=whole(each for each in spends if each.live and each.kind != "app"),
        chart=stacked(spends, since, until, budget or None),
        ahead=ahead(_between(asked, reading, back, now, by["place"])[0], now),
        worths=tuple(worths(asked.store, reading.regressions, spends, since, until)),
        monitors=tuple(monitors),
        sampled=tuple(sampled(asked.store, since, until)) if live else (),
        erased=erased(asked.store, since, until) if live else Erased(),
        late=late,
        flaw=flaw,
    )


def _of_kind(spends: Sequence[Spend], kind: str) -> Line:
    found = whole(each for each in spends if each.kind == kind)
    found.key = kind
    return found


def _monitors(asked: Asked, now: float) -> tuple[list[MonitorCost], str]:
    """What each monitor costs, and why that cannot be said."""
    if asked.project is None:
        return [], "the monitors are told in the project's checkout, which this server does not have"
    try:
        return monitor_costs(asked.store, online(asked.project, bound=False).monitors, now=now), ""
    except InputError as error:
        return [], str(error.problems[0])


def _rows(house: House, by: dict[str, str], spends: Sequence[Spend], offset: int) -> dict[str, Any]:
    key = by["by"]
    assert key in get_args(Key)
    lines = put_together(spends, cast(Key, key))
    most = max((line.cost for line in lines), default=0.0)
    return {
        "by": by,
        "keys": BY,
        "kinds": KINDS,
        "titles": TITLES,
        "lines": lines[offset : offset + WINDOW],
        "offset": offset,
        "after": offset + WINDOW,
        "n": len(lines),
        "most": most,
        "sum": sum(line.cost for line in lines),
        "there": {screen.key for screen in house.screens},
    }


def _lines(spends: Sequence[Spend]) -> Iterator[dict[str, Any]]:
    for each in sorted(spends, key=lambda each: (each.day, each.kind, each.flow, each.run, each.scorer, each.model)):
        yield {name: getattr(each, name) for name in _COLUMNS}


SCREEN = Screen(key="costs", path="/costs", title="Costs", group="House", icon="costs", chord="$", routes=routes)
