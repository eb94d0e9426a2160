"""Compare: two runs side by side, the verdict in words, regressions first, each case opening in place."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.joining import Joining, Sides
from gatewatch.core.errors import InputError, NoVerdict
from gatewatch.offline.case_pair import case_pair, rows_of_case
from gatewatch.offline.joined import SHOWN, SORTS, Joined, View
from gatewatch.offline.matrix import Matrix
from gatewatch.web.aside import aside
from gatewatch.web.compare import asked as found
from gatewatch.web.pages import compare_acts, compare_export
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.compare_case import BYS, VIEWS, case_of
from gatewatch.web.pages.compare_view import FILTERS, ORDERS, columns_of, head_of, rows_of, scorers_of
from gatewatch.web.pages.house import House, Screen
from gatewatch.web.pages.numbers import age
from gatewatch.web.refusals import Refused

WINDOW = 48


def sides_in(joining: Joining, asked: Asked) -> Sides:
    """The two sides that an address means.

    Raises:
        Refused: there are none.
    """
    return found(lambda: joining.sides(asked.get("baseline"), asked.get("candidate"), asked.get("suite")))


def view_in(asked: Asked) -> View:
    """The filter and the order that an address has."""
    return View(
        show=asked.get("filter", "regressed", among=SHOWN),  # type: ignore[arg-type]
        scorer=asked.get("scorer"),
        slice=asked.get("slice"),
        search=asked.get("q"),
        sort=asked.get("sort", "worst", among=SORTS),  # type: ignore[arg-type]
    )


def query_of(sides: Sides, view: View) -> dict[str, str]:
    """The two as an address has them; what is as it would be anyway is left out."""
    return {
        "baseline": sides.baseline,
        "candidate": sides.candidate,
        "filter": "" if view.show == "regressed" else view.show,
        "scorer": view.scorer,
        "slice": view.slice,
        "q": view.search,
        "sort": "" if view.sort == "worst" else view.sort,
    }


def routes(house: House) -> list[Route]:
    """The routes of the screen."""

    async def compare(request: Request) -> Response:
        asked = await house.enter(request)
        runs = request.query_params.getlist("run")
        if len(runs) > 2:
            return await _matrix(house, asked, runs[:20])
        try:
            data = await aside(lambda: _window(house, asked, runs))
        except (InputError, NoVerdict) as error:
            if asked.fragment:
                raise Refused(404, str(error)) from None
            status = 404 if asked.get("baseline") or asked.get("candidate") else 200
            return await house.page(
                asked, "compare/none.html", title="Compare", screen="compare", status=status, why=str(error)
            )
        if asked.fragment:
            return await house.fragment(asked, "compare/rows.html", **data)
        return await house.page(asked, "compare/page.html", title="Compare", screen="compare", **data)

    async def case(request: Request) -> Response:
        asked = await house.enter(request)
        data = await aside(lambda: _case(house, asked))
        if asked.fragment:
            return await house.fragment(asked, "compare/case.html", **data)
        return await house.page(asked, "compare/case_page.html", title=data["id"], screen="compare", **data)

    async def text(request: Request) -> Response:
        asked = await house.enter(request)
        whole = await aside(lambda: _text(house, asked))
        template = "compare/text.html" if asked.fragment else "compare/text_page.html"
        if asked.fragment:
            return await house.fragment(asked, template, whole=whole)
        return await house.page(asked, template, title="Text", screen="compare", whole=whole)

    async def choose(request: Request) -> Response:
        asked = await house.enter(request)
        listed = await aside(house.joins.of(asked.visitor.project, asked.store).runs.listed)
        options = [
            (each.header.run, f"{each.header.name or each.header.run} · {age(each.at)}") for each in listed[:200]
        ]
        data: dict[str, Any] = {
            "options": options,
            "baseline": asked.get("baseline"),
            "candidate": asked.get("candidate"),
        }
        return await house.page(asked, "compare/choose.html", title="Compare", screen="compare", **data)

    return [
        Route("/compare", compare),
        Route("/compare/choose", choose),
        Route("/compare/text", text),
        Route("/compare/at/{place:int}", case),
        Route("/compare/case/{case:path}", case),
        *compare_acts.routes(house),
        *compare_export.routes(house, sides_in, view_in),
    ]


def joined_in(house: House, asked: Asked) -> tuple[Sides, Joined]:
    """The joined diff that an address means; that it was read is noted."""
    joining = house.joins.of(asked.visitor.project, asked.store)
    sides = sides_in(joining, asked)
    joined = found(lambda: joining.joined(sides))
    house.joins.note(asked.store, asked.visitor, joined.before.run, joined.after.run)
    return sides, joined


def _window(house: House, asked: Asked, runs: list[str]) -> dict[str, Any]:
    joining = house.joins.of(asked.visitor.project, asked.store)
    if len(runs) == 2:  # as they were chosen in a list: the older one is what the other is held against
        first, second = sorted((joining.runs.named(each) for each in runs), key=lambda each: each.at)
        sides = Sides(first.header.run, second.header.run, second.header.suite)
    else:
        sides = joining.sides(asked.get("baseline"), asked.get("candidate"), asked.get("suite"))
    joined = joining.joined(sides)
    house.joins.note(asked.store, asked.visitor, joined.before.run, joined.after.run)
    view = view_in(asked)
    places = found(lambda: joined.look(view), status=422)
    offset = asked.number("offset")
    query = query_of(sides, view)
    after = offset + WINDOW
    return {
        "sides": sides,
        "joined": joined,
        "view": view,
        "query": query,
        "head": None if asked.fragment else head_of(joined),
        "counts": joined.counts(view),
        "filters": FILTERS,
        "scorers": scorers_of(joined, view),
        "columns": columns_of(joined),
        "choices": [
            ("scorer", "Scorer", [("", "any scorer"), *((name, name) for name in joined.scorers)], view.scorer),
            ("slice", "Slice", [("", "any slice"), *((name, name) for name in joined.slices)], view.slice),
            ("sort", "Order", list(ORDERS.items()), view.sort),
        ],
        "rows": rows_of(joined, view, places[offset:after], asked.url, density=asked.look.density, query=query),
        "offset": offset,
        "after": after,
        "total": len(places),
        "here": lambda **changes: asked.url("/compare", **{**query, **changes}),
    }


def _case(house: House, asked: Asked) -> dict[str, Any]:
    sides, joined = joined_in(house, asked)
    view = view_in(asked)
    case = asked.request.path_params.get("case", "") or _at(joined, asked.request.path_params.get("place", -1))
    by = asked.get("by", asked.request.cookies.get("gatewatch_by", "word"))
    shape = asked.get("view", asked.request.cookies.get("gatewatch_view", "side"))
    by, shape = by if by in BYS else "word", shape if shape in VIEWS else "side"
    pair = found(lambda: case_pair(joined, case, trial=asked.number("trial"), by=by))  # type: ignore[arg-type]
    return case_of(
        asked,
        sides,
        joined,
        pair,
        query_of(sides, view),
        by=by,
        shape=shape,
        view=view,
        screens={each.key for each in house.screens},
    )


def _at(joined: Joined, place: int) -> str:
    """The case at a place."""
    if not 0 <= place < len(joined.ids):
        raise Refused(404, "there is no such row", hint=f"there are {len(joined.ids):,}")
    return joined.ids[place]


def _text(house: House, asked: Asked) -> Any:
    """One text of a case, whole."""
    _, joined = joined_in(house, asked)
    rows = dict(
        zip(
            ("baseline", "candidate"),
            rows_of_case(joined, _at(joined, asked.number("at")), asked.number("trial")),
            strict=True,
        )
    )
    of = asked.get("of", "candidate", among=("baseline", "candidate", "input", "expected"))
    row = rows.get(of) or rows["candidate"] or rows["baseline"]
    if row is None or row.trace is None:
        raise Refused(404, "there is no such text", hint="the case, or the journal of its run, is not there")
    return row.expected if of == "expected" else row.trace.input if of == "input" else row.trace.output


async def _matrix(house: House, asked: Asked, runs: list[str]) -> Response:
    """More than two runs, the oldest first: it is what the others are held against."""
    joining = house.joins.of(asked.visitor.project, asked.store)

    def made() -> Matrix:
        named = sorted((joining.runs.named(each) for each in dict.fromkeys(runs)), key=lambda each: each.at)
        return joining.matrix([each.header.run for each in named])

    matrix = await aside(lambda: found(made))
    return await house.page(asked, "compare/matrix.html", title="Compare", screen="compare", matrix=matrix)


SCREEN = Screen(key="compare", path="/compare", title="Compare", group="Loop", icon="compare", chord="c", routes=routes)
