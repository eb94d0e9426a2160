"""Monitor: how a flow stands live, against the offline baseline, with what was changed and what was told of."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.live import Asked as Wish
from gatewatch.config.live import Live, flows_of, live
from gatewatch.core import marks
from gatewatch.core.clock import wall
from gatewatch.core.score import Source
from gatewatch.loop.explore import Wanted, every_worst, worst
from gatewatch.online.window import By, Of
from gatewatch.web.pages import monitored, traced
from gatewatch.web.pages.answers import SAFE, packs
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.charts.bundle import bundle, bundle_name, library_url
from gatewatch.web.pages.charts.drawn import drawn
from gatewatch.web.pages.charts.series import Series
from gatewatch.web.pages.charts.units import amount
from gatewatch.web.pages.charts.vega import spec, told
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import House, Screen
from gatewatch.web.pages.windows import RANGES, Span, span_of, stretch_of
from gatewatch.web.refusals import Refused

_SPLITS: tuple[By, ...] = ("slice", "version", "variant")
_WINDOW = 48
_ALL = 5000
_KEPT_S = 4.0
_MOST_KEPT = 32
_GOOD = "public, max-age=31536000, immutable"


def routes(house: House) -> list[Route]:
    """The page, what is behind a stretch of it as a file, and the library that draws charts."""
    recent: dict[tuple[Any, ...], tuple[float, Live]] = {}

    def read(asked: Asked, span: Span) -> Live:
        """How the flow stands; what was read a moment ago, for somebody else, does."""
        flows = flows_of(asked.store, asked.project)
        flow = asked.get("flow") or (flows[0] if flows else "")
        by = asked.get("by", among=_SPLITS)
        of = Of(asked.get("slice"), asked.get("variant"), asked.get("version"))
        before = asked.get("before") == "on"
        age = span.name if span.name in RANGES else f"{span.since} {span.until}"
        key = asked.visitor.project, asked.project is None, flow, age, asked.get("scorer"), of, by, before
        kept = recent.get(key)
        if kept is None or not 0 <= wall() - kept[0] < _KEPT_S:
            wish = Wish(
                flow=flow,
                since=span.since,
                until=span.until,
                scorer=asked.get("scorer"),
                of=of,
                by=by if by in _SPLITS else "",
                before=before,
            )
            kept = wall(), live(asked.store, asked.project, wish)
            if len(recent) >= _MOST_KEPT:
                recent.clear()
            recent[key] = kept
        return kept[1]

    async def page(request: Request) -> Response:
        asked = await house.enter(request)
        span = span_of(asked)

        def seen() -> dict[str, Any]:
            found = read(asked, span)
            return view(asked, span, found) | behind(asked, found, fragment=asked.fragment)

        data = await asyncio.to_thread(seen)
        if asked.fragment == "live":
            return await house.fragment(asked, "monitor/live.html", **data)
        if asked.fragment and asked.number("offset"):
            return await house.fragment(asked, "monitor/behind.html", **data)
        if asked.fragment:
            return await house.fragment(asked, "monitor/view.html", **data)
        return await house.page(asked, "monitor/page.html", title="Monitor", screen="monitor", **data)

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        form, span = form_of(request), span_of(asked)

        def rows() -> tuple[Iterable[Mapping[str, Any]], Mapping[str, Any]]:
            found = read(asked, span)
            wanted, ruler = chosen(asked, found)
            if ruler is None:
                return (), {}
            by = traced.filter_of(wanted) | {"scorer": ruler[0], "order": "worst first"}
            return _lines(asked, wanted, ruler), by

        each, by = await asyncio.to_thread(rows)
        return exported(form, "gatewatch.traces", traced.COLUMNS, each, by)

    async def library(request: Request) -> Response:
        if request.path_params["name"] != bundle_name() or not bundle_name():
            raise Refused(404, "there is no such file", hint='pip install "gatewatch[charts]" brings it')
        body = await asyncio.to_thread(bundle)
        headers = SAFE | {"cache-control": _GOOD, "vary": "Accept-Encoding"}
        if not packs(request):
            import gzip

            return Response(gzip.decompress(body), 200, headers, "text/javascript; charset=utf-8")
        return Response(body, 200, headers | {"content-encoding": "gzip"}, "text/javascript; charset=utf-8")

    return [
        Route("/monitor", page),
        Route("/monitor/traces.{form}", export),
        Route("/charts/{name}", library),
    ]


def view(asked: Asked, span: Span, found: Live) -> dict[str, Any]:
    """All that the templates of the page show, but for what is behind a stretch."""
    series = monitored.main(found, lambda number: asked.url(f"/alerts/{number}"))
    query = {name: value for name, value in asked.request.query_params.items() if name not in ("offset", "from", "to")}
    of, ruler = found.asked.of, found.ruler
    return {
        "span": span,
        "ranges": list(RANGES),
        "found": found,
        "series": series,
        "geometry": drawn(series),
        "about": told(series),
        "chart": spec(series) if bundle_name() else None,
        "library": library_url(asked),
        "smalls": [
            (each, drawn(each.series, width=320, height=96, small=True), told(each.series))
            for each in monitored.smalls(found)
        ],
        "rows_of_chart": _numbers(asked, series),
        "choices": [
            ("flow", "Flow", _pairs(found.flows), found.asked.flow),
            ("scorer", "Scorer", _pairs(dict.fromkeys(r.scorer for r in found.rulers)), ruler.scorer if ruler else ""),
            ("slice", "Slice", _pairs(found.slices, "all"), of.slice),
            ("version", "Version", _pairs(found.versions, "all"), of.version),
            ("by", "Split by", _pairs(_SPLITS, "nothing"), found.asked.by),
        ],
        "why": monitored.why_nothing(found),
        "incomplete": monitored.incomplete(found.total),
        "kept": list(query.items()),
        "query": dict(asked.request.query_params),
    }


def _pairs(names: Iterable[str], nothing: str = "") -> list[tuple[str, str]]:
    """Options of a list, the one that narrows nothing first; none where that is all there is."""
    found = [(name, name) for name in names if name]
    return [("", nothing), *found] if nothing and found else found


def _numbers(asked: Asked, series: Series) -> list[tuple[float, str, str, int, str]]:
    """The chart as rows of a table, the newest first: when, the mean, its interval, n, and what is behind it."""
    found = []
    for each in reversed(series.points):
        ends = "—"
        if each.low is not None and each.high is not None:
            ends = f"[{amount(each.low, series.unit)}, {amount(each.high, series.unit)}]"
        where = asked.link(**{"from": round(each.at), "to": round(each.at + series.step), "offset": None})
        found.append((each.at, amount(each.mean, series.unit), ends, each.n, where))
    return found


def chosen(asked: Asked, found: Live) -> tuple[Wanted, tuple[str, str, Source] | None]:
    """Which requests are behind the chosen stretch, or the whole window; and by which scorer they are the worst."""
    begin, end = stretch_of(asked) or (found.asked.since, found.asked.until)
    of = found.asked.of
    wanted = Wanted(
        flow=found.asked.flow, slice=of.slice, variant=of.variant, version=of.version, since=begin, until=end
    )
    ruler = found.ruler
    return wanted, None if ruler is None else (ruler.scorer, ruler.fingerprint, ruler.source)


def _lines(asked: Asked, wanted: Wanted, ruler: tuple[str, str, Source]) -> Iterator[Mapping[str, Any]]:
    """All scored requests of a window in lines of an export, the worst first; that they are read is noted."""
    for page in every_worst(asked.store, wanted, ruler):
        traced.note(asked, page)
        yield from (traced.columns_of(each) for each in page)


def behind(asked: Asked, found: Live, *, fragment: str) -> dict[str, Any]:
    """The worst requests of the stretch that was chosen, where one was; to look at them is noted."""
    stretch = stretch_of(asked)
    empty: dict[str, Any] = {"stretch": stretch, "lines": None, "among": 0, "scorer": "", "mark_names": marks.names}
    if stretch is None or fragment == "live" or found.ruler is None:
        return empty
    wanted, ruler = chosen(asked, found)
    assert ruler is not None
    begin = asked.number("offset", most=_ALL)
    lines, among = worst(asked.store, wanted, ruler, begin=begin, most=_WINDOW)
    traced.note(asked, lines.lines)
    following = asked.link(offset=lines.next) if lines.next is not None else ""
    left = among - lines.next if lines.next is not None else 0
    return empty | {"lines": lines, "among": among, "scorer": ruler[0], "following": following, "left": left}


SCREEN = Screen(key="monitor", path="/monitor", title="Monitor", group="Live", icon="monitor", chord="m", routes=routes)
