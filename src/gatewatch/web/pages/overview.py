"""Overview: is the loop healthy, and what is to be done next."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.flow_state import month
from gatewatch.config.gate_state import GateState
from gatewatch.config.live import Live
from gatewatch.config.overview import Overview
from gatewatch.core.change import Change, ChangeState
from gatewatch.core.clock import wall
from gatewatch.core.failure import failure_name
from gatewatch.loop.audit import Audit
from gatewatch.online.monitor import DAY_S
from gatewatch.web.aside import aside
from gatewatch.web.kept import Kept
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.charts.drawn import Drawn, drawn
from gatewatch.web.pages.charts.series import Series, Sign
from gatewatch.web.pages.charts.vega import told
from gatewatch.web.pages.dataset_shelf import audit_key
from gatewatch.web.pages.house import House, Screen
from gatewatch.web.pages.monitored import incomplete, main, why_nothing

MOST_NEEDS = 7
REFRESH_S = 30
_CHART_FRESH_S = 30.0
_PROMOTED: tuple[ChangeState, ...] = ("pending", "pulled", "merged")
_MOST_CHANGES = 1000
_WORDS = {
    "PASS": ("pass", "passes"),
    "REGRESSED": ("fail", "fails"),
    "UNDECIDED": ("unsure", "undecided"),
    "NOT_COMPARABLE": ("unsure", "not comparable"),
}


class Chart(Struct, frozen=True):
    """The chart of a flow over thirty days, as the server draws it, wide and slim; in words; why there is nothing
    to draw."""

    flow: str
    series: Series
    drawn: Drawn
    slim: Drawn
    about: str
    why: str


def routes(house: House) -> list[Route]:
    """The page where one begins."""
    charts: Kept[Live] = Kept(_CHART_FRESH_S)

    def of_project(asked: Asked) -> Overview:
        return house.standing.of(asked.visitor.project, asked.store, asked.project)

    def audited(asked: Asked, found: Overview) -> Audit | None:
        """The last audit of the dataset that is shown, where one was made since the server started."""
        dataset = found.gates[0].dataset if found.gates else None
        job = house.jobs.last(audit_key(dataset.path)) if asked.project and dataset else None
        return None if job is None else job.result

    def chart(asked: Asked, found: Overview) -> Chart | None:
        scorers = {each.flow: each.scorer for each in found.flows}
        if not scorers:
            return None
        flow = asked.get("flow", next(iter(scorers)), among=tuple(scorers))
        key = asked.visitor.project, flow, scorers[flow]
        return _chart(asked, charts.of(key, lambda: month(asked.store, asked.project, flow, scorers[flow], wall())))

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        found = await aside(lambda: of_project(asked))
        data: dict[str, Any] = {
            "found": found,
            "most": MOST_NEEDS,
            "refresh": REFRESH_S,
            "there": {screen.key for screen in house.screens},
            "word_of": word_of,
            "failure_name": failure_name,
            "incomplete": incomplete,
            "audit": audited(asked, found),
        }
        if asked.fragment:
            return await house.fragment(asked, "overview/live.html", **data)
        if found.empty:
            return await house.page(asked, "overview/empty.html", title="Overview", screen="overview", **data)
        data["chart"] = await asyncio.to_thread(chart, asked, found)
        return await house.page(asked, "overview/page.html", title="Overview", screen="overview", **data)

    return [Route("/", shown)]


def word_of(gate: GateState) -> tuple[str, str]:
    """How a gate stands: the class of its sign, and in a word."""
    last = gate.last
    if last is None:
        return "none", "not run yet"
    if last.state == "running":
        return "running", "running"
    if last.state in ("partial", "broken"):
        return "error", last.state
    if last.word:
        return _WORDS.get(last.word, ("unsure", last.word.lower()))
    if last.pinned:
        return "none", "is the baseline"
    return "none", "not gated: no baseline" if gate.pinned is None else "not gated"


def _chart(asked: Asked, found: Live) -> Chart:
    series = main(found, lambda _: "")  # a picture has no links in it: what needs somebody stands above
    promoted = asked.store.changes(_PROMOTED, kind="case", most=_MOST_CHANGES)
    signs = (*series.signs, *_promotions(promoted, found.asked.since))
    series = replace(series, signs=signs, title=series.title or "score")
    wide, slim = drawn(series, height=220.0), drawn(series, width=376.0, height=220.0, small=True)
    return Chart(found.asked.flow, series, wide, slim, told(series), why_nothing(found))


def _promotions(changes: Sequence[Change], since: float) -> Iterator[Sign]:
    """Promotions by day, as signs over the chart."""
    days = Counter(each.at - each.at % DAY_S for each in changes if each.at >= since)
    first = {each.at - each.at % DAY_S: each.at for each in reversed(changes)}
    for day, count in days.items():
        yield Sign(first[day], "promoted", f"{count} {'case' if count == 1 else 'cases'} promoted")


SCREEN = Screen(key="overview", path="/", title="Overview", group="Loop", icon="overview", chord="o", routes=routes)
