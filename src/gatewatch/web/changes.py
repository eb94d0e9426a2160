"""The outbox over HTTP: what waits for a checkout (`gatewatch pull --from`), and word of what became of it.

GET  /v1/changes            ?state=, ?limit=, ?cursor=: changes by number, with what they write
POST /v1/changes/{n}/state  {"state", "where"}: a checkout has it, its main branch has it, or nobody is to have it
"""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from gatewatch.core.change import Change, ChangeState, change_name, told
from gatewatch.core.clock import wall
from gatewatch.online.alert_text import plain
from gatewatch.web.described import refusals
from gatewatch.web.desk import Desk, described
from gatewatch.web.host import Host
from gatewatch.web.refusals import Refused, as_json, known_parameters

_Number = Annotated[int, Path(ge=1, lt=2**62, description="The change's number.")]


class Moved(Struct, frozen=True, forbid_unknown_fields=True):
    """What became of a change; `where` names the checkout that has it."""

    state: Literal["pulled", "merged", "withdrawn"]
    where: Annotated[str, Meta(max_length=400)] = ""


def router(host: Host) -> APIRouter:
    """The routes of the outbox."""
    routes, desk = APIRouter(prefix="/v1", tags=["changes"], dependencies=[Depends(known_parameters)]), Desk(host)

    @routes.get("/changes")
    async def listed(
        request: Request,
        state: Annotated[list[ChangeState], Query(max_length=4)] = [],  # noqa: B006 - it is only read
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: Annotated[int, Query(ge=0, lt=2**62)] = 0,
    ) -> Response:
        """Changes in some states, or in any, the oldest first, with what they write: that is noted in the audit. `next`
        is the next page's cursor."""
        store, visitor = await desk.enter(request, "read")

        def found() -> list[Change]:
            some = store.changes(state, after=cursor, most=limit)
            if some:
                names = f"{change_name(some[0].id)} to {change_name(some[-1].id)}"
                store.note(wall(), visitor.author, "read", f"changes {names}")
            return some

        some = await asyncio.to_thread(found)
        more = some[-1].id if len(some) == limit else None
        return as_json(
            {"kind": "gatewatch.changes", "version": 1, "changes": [told(each) for each in some], "next": more}
        )

    @routes.post(
        "/changes/{number}/state", openapi_extra=described(Moved), responses=refusals("408", "409", "413", "415")
    )
    async def move(request: Request, number: _Number) -> Response:
        """Say that a change was pulled, or merged, or withdraw one that waits. Who said so is noted."""
        store, visitor = await desk.enter(request, "review")
        asked, now = await desk.body(request, visitor, Moved), wall()

        def moved() -> Change | None:
            found = store.turn_change(number, asked.state, now, where=plain(asked.where))
            if found is not None and found.state == asked.state:
                store.note(now, visitor.author, f"change {asked.state}", change_name(number))
            return found

        found = await asyncio.to_thread(moved)
        if found is None:
            raise Refused(404, "there is no such change", where="path.number")
        if asked.state == "withdrawn" and found.state != "withdrawn":
            raise Refused(409, f"it is {found.state} already: somebody has it")
        return as_json({"kind": "gatewatch.change", "version": 1, "change": told(found)})

    return routes
