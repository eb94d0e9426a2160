"""One run: its scores with their intervals, and tabs of its rows, slices, scorers, errors, configuration and log."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.deciding import written
from gatewatch.config.joining import Joining
from gatewatch.config.stored_runs import StoredRun
from gatewatch.core.errors import GatewatchError
from gatewatch.offline.joined import Joined
from gatewatch.offline.run_rows import BY, ONLY, RunRows, RunView
from gatewatch.scorers.agent import calls_made
from gatewatch.web.aside import aside
from gatewatch.web.compare import asked as found
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.compare_view import case_path as compare_path
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import House
from gatewatch.web.pages.run_view import (
    ORDERS,
    changes_of,
    histogram,
    log_of,
    row_of,
    sign_of,
    slices_of,
    strip_of,
)
from gatewatch.web.refusals import Refused

WINDOW = 48
TABS = ("rows", "slices", "scorers", "errors", "config", "log")


def routes(house: House) -> list[Route]:
    """The routes of one run."""

    async def tab(request: Request) -> Response:
        asked = await house.enter(request)
        name = request.path_params.get("tab", "rows")
        if name not in TABS:
            raise Refused(404, f"a run has no {name[:40]!r}", hint=f"it has {', '.join(TABS)}")
        data = await aside(lambda: _tab(house, asked, name))
        if asked.fragment == "live":
            return await house.fragment(asked, "runs/strip.html", **data)
        if asked.fragment:
            return await house.fragment(asked, "runs/run_rows.html", **data)
        return await house.page(asked, f"runs/{name}.html", screen="runs", **data)

    async def case(request: Request) -> Response:
        asked = await house.enter(request)
        data = await aside(lambda: _case(house, asked))
        if asked.fragment == "text":
            return await house.fragment(asked, "compare/text.html", whole=data["whole"])
        if asked.fragment:
            return await house.fragment(asked, "runs/case.html", **data)
        return await house.page(asked, "runs/case_page.html", title=data["case"], screen="runs", **data)

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        form, view = form_of(request), _view(asked)
        joining, run = _found(house, asked)

        def read() -> tuple[RunRows, Any]:
            rows = joining.reads.rows(run)
            return rows, found(lambda: rows.look(view), status=422)

        rows, places = await aside(read)
        columns = ["id", "trial", "slice", "output", "error", "latency_s", "cost", "input", "expected"]
        columns += [f"{name}.{what}" for name in rows.scorers for what in ("value", "status", "label", "explanation")]
        by = {"run": run.header.run, "filter": view.show, "scorer": view.scorer, "slice": view.slice, "q": view.search}
        told = (row_of(row) for place in places for row in joining.reads.trials(run, rows.ids[int(place)]))
        return exported(form, "gatewatch.rows", columns, told, by)

    return [
        Route("/runs/{run}", tab),
        Route("/runs/{run}/rows.{form}", export),
        Route("/runs/{run}/at/{place:int}", case),
        Route("/runs/{run}/case/{case:path}", case),
        Route("/runs/{run}/{tab}", tab),
    ]


def _found(house: House, asked: Asked) -> tuple[Joining, StoredRun]:
    joining = house.joins.of(asked.visitor.project, asked.store)
    return joining, found(lambda: joining.runs.named(asked.request.path_params["run"]))


def _view(asked: Asked) -> RunView:
    return RunView(
        show=asked.get("filter", "all", among=ONLY),  # type: ignore[arg-type]
        scorer=asked.get("scorer"),
        slice=asked.get("slice"),
        search=asked.get("q"),
        sort=asked.get("sort", "worst", among=BY),  # type: ignore[arg-type]
    )


def _beside(joining: Joining, run: StoredRun) -> Joined | None:
    """The run beside the pinned baseline, or the run of its suite before it; None where there is neither."""
    try:
        return joining.joined(joining.sides("", run.header.run))
    except GatewatchError:
        return None


def _tab(house: House, asked: Asked, name: str) -> dict[str, Any]:
    joining, run = _found(house, asked)
    header = run.header
    (brief,) = joining.briefs.of([run], seconds=60.0)
    path, kept = f"/runs/{header.run}", _kept(asked, run, run)
    data: dict[str, Any] = {
        "run": run,
        "header": header,
        "brief": brief,
        "title": header.name or header.run,
        "sign": sign_of(brief),
        "strip": strip_of(joining.reads.rows(run), brief),
        "tab": name,
        "tabs": [
            (each, each.title(), asked.url(path if each == "rows" else f"{path}/{each}", **kept), None) for each in TABS
        ],
        "compare": "" if brief is not None and brief.pinned else asked.url("/compare", candidate=header.run),
        "done": written(asked.project, asked.store, asked.get("done")),
    } | _neighbours(joining, run, asked)
    house.joins.note(asked.store, asked.visitor, header.run)
    more: dict[str, Callable[[], dict[str, Any]]] = {
        "rows": lambda: _rows(asked, joining.reads.rows(run), path),
        "slices": lambda: slices_of(joining.reads.summary(run), _beside(joining, run)),
        "scorers": lambda: {
            "summary": joining.reads.summary(run),
            "bars": {each: histogram(joining.reads.rows(run), each) for each in header.scorers},
        },
        "errors": lambda: {"summary": joining.reads.summary(run), "rows_of": lambda **by: asked.url(path, **by)},
        "config": lambda: changes_of(header, _beside(joining, run), every=bool(asked.get("all"))),
        "log": lambda: log_of(joining.reads.summary(run)),
    }
    return data | more[name]()


def _neighbours(joining: Joining, run: StoredRun, asked: Asked) -> dict[str, str | None]:
    """The addresses of the runs of the same suite before and after one in the list, on the same tab."""
    runs = [each for each in joining.runs.listed() if each.header.suite == run.header.suite]
    names = [each.header.run for each in runs]
    if run.header.run not in names:
        return {"newer": None, "older": None}
    at, tab = names.index(run.header.run), asked.request.path_params.get("tab", "")

    def beside(place: int) -> str | None:
        if not 0 <= place < len(runs):
            return None
        return asked.url(f"/runs/{names[place]}{f'/{tab}' if tab else ''}", **_kept(asked, run, runs[place]))

    return {"newer": beside(at - 1), "older": beside(at + 1)}


def _kept(asked: Asked, run: StoredRun, other: StoredRun) -> dict[str, str]:
    """What is chosen of a run's rows, as far as it can be chosen of another's."""
    query = {name: asked.get(name) for name in ("filter", "scorer", "slice", "q", "sort")}
    if query["scorer"] not in other.header.scorers:
        query["scorer"] = ""
    if other.header.dataset.version != run.header.dataset.version:  # it may have other slices
        query["slice"] = ""
    return query


def _rows(asked: Asked, rows: RunRows, path: str) -> dict[str, Any]:
    header = rows.run.run
    view, offset = _view(asked), asked.number("offset")
    places = found(lambda: rows.look(view), status=422)
    query = {
        "filter": "" if view.show == "all" else view.show,
        "scorer": view.scorer,
        "slice": view.slice,
        "q": view.search,
        "sort": "" if view.sort == "worst" else view.sort,
    }
    return {
        "view": view,
        "query": query,
        "counts": rows.counts(view),
        "rows": list(zip(places[offset : offset + WINDOW], rows.rows(places[offset : offset + WINDOW]), strict=True)),
        "scorers": rows.scorers[:8],
        "slices": rows.slices,
        "offset": offset,
        "after": offset + WINDOW,
        "total": len(places),
        "case_url": lambda case, place: asked.url(case_path(header, case, int(place))),
        "most": 140 if asked.look.density == "compact" else 400,
        "here": lambda **changes: asked.url(path, **{**query, **changes}),
        "choices": [
            ("scorer", "Scorer", [("", "any scorer"), *((name, name) for name in rows.scorers)], view.scorer),
            ("slice", "Slice", [("", "any slice"), *((name, name) for name in rows.slices)], view.slice),
            ("sort", "Order", list(ORDERS.items()), view.sort),
        ],
    }


def case_path(run: str, case: str, place: int) -> str:
    """The path of a case of a run: by its id, or, where no address can have that, by its place."""
    try:
        return f"/runs/{run}/case/{quote(case, safe='')}"
    except UnicodeEncodeError:
        return f"/runs/{run}/at/{place}"


def _case(house: House, asked: Asked) -> dict[str, Any]:
    joining, run = _found(house, asked)
    rows = joining.reads.rows(run)
    place = asked.request.path_params.get("place", -1)
    case = asked.request.path_params.get("case", "") or (rows.ids[place] if 0 <= place < len(rows.ids) else "")
    trials = found(lambda: joining.reads.trials(run, case))
    house.joins.note(asked.store, asked.visitor, run.header.run)
    if not trials:
        raise Refused(404, "its rows cannot be read any more", hint="the journal of the run was changed, or is gone")
    path = case_path(run.header.run, case, rows.ids.index(case))
    at, of = (
        min(asked.number("trial"), len(trials) - 1),
        asked.get("of", "output", among=("output", "input", "expected")),
    )
    trace = trials[at].trace
    assert trace is not None
    (brief,) = joining.briefs.of([run])
    pinned = brief is not None and brief.pinned
    return {
        "run": run,
        "case": case,
        "trials": [(row, calls_made(row.trace)) for row in trials if row.trace is not None],
        "header": run.header,
        "compare": "" if pinned else asked.url(compare_path(case, 0), candidate=run.header.run),
        "back": asked.url(f"/runs/{run.header.run}"),
        "here": lambda **changes: asked.url(path, **changes),
        "whole": trials[at].expected if of == "expected" else trace.input if of == "input" else trace.output,
    }
