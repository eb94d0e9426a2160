"""The rows that Compare shows as a file: all of them, every column, whole texts."""

from collections.abc import Callable, Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.joining import Joining, Sides
from gatewatch.core import codec
from gatewatch.core.run import Row
from gatewatch.offline.case_pair import rows_of_case
from gatewatch.offline.joined import Joined, View
from gatewatch.web.aside import aside
from gatewatch.web.compare import asked as found
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import House

_FIRST = ("id", "kind", "slice", "changed_output", "must_pass", "flaky", "accepted", "blocks")
_LAST = ("input", "expected")
_SIDE = ("output", "error", "latency_s", "cost")


def routes(house: House, sides_in: Callable[[Joining, Asked], Sides], view_in: Callable[[Asked], View]) -> list[Route]:
    """The exports of the screen."""

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        form, view = form_of(request), view_in(asked)
        joining = house.joins.of(asked.visitor.project, asked.store)

        def read() -> tuple[Joined, Any]:
            sides = sides_in(joining, asked)
            joined = found(lambda: joining.joined(sides))
            house.joins.note(asked.store, asked.visitor, joined.before.run, joined.after.run)
            return joined, found(lambda: joined.look(view), status=422)

        joined, places = await aside(read)
        chosen = {
            "baseline": joined.before.run,
            "candidate": joined.after.run,
            "filter": view.show,
            "scorer": view.scorer,
            "slice": view.slice,
            "q": view.search,
            "sort": view.sort,
        }
        return exported(form, "gatewatch.compare", columns_of(joined), _rows(joined, places), chosen)

    return [Route("/compare.{form}", export)]


def columns_of(joined: Joined) -> list[str]:
    """Every column, in order."""
    scores = [f"{name}.{what}" for name in joined.scorers for what in ("before", "after", "delta", "state")]
    sides = [f"{side}.{what}" for side in ("baseline", "candidate") for what in _SIDE]
    return [*_FIRST, *scores, *sides, *_LAST]


def _rows(joined: Joined, places: Any) -> Iterator[dict[str, Any]]:
    for place in places:
        (row,) = joined.rows([place])
        told: dict[str, Any] = {
            "id": row.id,
            "kind": row.kind,
            "slice": row.slice,
            "changed_output": row.changed,
            "must_pass": row.must_pass,
            "flaky": row.flaky,
            "accepted": row.accepted,
            "blocks": row.why,
        }
        for name, cell in row.scores.items():
            told |= {
                f"{name}.before": cell.before,
                f"{name}.after": cell.after,
                f"{name}.delta": cell.delta,
                f"{name}.state": cell.state,
            }
        before, after = rows_of_case(joined, row.id)
        told |= _side("baseline", before) | _side("candidate", after)
        main = after or before
        if main is not None and main.trace is not None:
            told["input"] = codec.text_of(main.trace.input)
            told["expected"] = None if main.expected is None else codec.text_of(main.expected)
        yield told


def _side(name: str, row: Row | None) -> dict[str, Any]:
    if row is None or row.trace is None:
        return {}
    trace = row.trace
    return {
        f"{name}.output": None if trace.output is None else codec.text_of(trace.output),
        f"{name}.error": None if trace.error is None else trace.error.message,
        f"{name}.latency_s": trace.latency_s,
        f"{name}.cost": None if trace.cost is None else trace.cost.total,
    }
