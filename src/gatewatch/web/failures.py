"""Failures over HTTP: what was mined, and what people make of it.

GET  /v1/failures      ?flow=, ?state=, ?limit=, ?cursor=: failures by number
GET  /v1/failures/{n}  one of them
POST /v1/failures/{n}  {"act", "reason", "owner", "name"}: it is ignored, looked at again, given to somebody, renamed
"""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.core.failure import Failure, FailureState, told
from gatewatch.loop.attend import Act, attend
from gatewatch.web.described import refusals
from gatewatch.web.desk import Desk, described
from gatewatch.web.host import Host
from gatewatch.web.refusals import Refused, as_json, known_parameters

_Number = Annotated[int, Path(ge=1, lt=2**62, description="The failure's number.")]
_Word = Annotated[str, Meta(max_length=200)]


class Attended(Struct, frozen=True, forbid_unknown_fields=True):
    """What is done about a failure: to ignore it takes a `reason`, to assign it an `owner`, to name it a `name`."""

    act: Act
    reason: _Word = ""
    owner: _Word = ""
    name: _Word = ""


def router(host: Host) -> APIRouter:
    """The routes of failures."""
    routes, desk = APIRouter(prefix="/v1", tags=["failures"], dependencies=[Depends(known_parameters)]), Desk(host)

    @routes.get("/failures")
    async def listed(
        request: Request,
        flow: Annotated[str, Query(max_length=400)] = "",
        state: Annotated[list[FailureState], Query(max_length=6)] = [],  # noqa: B006 - it is only read
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: Annotated[int, Query(ge=0, lt=2**62)] = 0,
    ) -> Response:
        """Failures of a flow or of all, in some states or in any, by number. `next` is the next page's cursor."""
        store, _ = await desk.enter(request, "read")
        every = await asyncio.to_thread(store.failures, flow, state)
        some = [each for each in every if each.id > cursor][:limit]
        more = some[-1].id if some and some[-1].id != every[-1].id else None
        found = [told(each) for each in some]
        return as_json({"kind": "gatewatch.failures", "version": 1, "failures": found, "next": more})

    @routes.get("/failures/{number}")
    async def one(request: Request, number: _Number) -> Response:
        """One failure: what it is called, its share of traffic, its slices and versions, and how it was turned."""
        store, _ = await desk.enter(request, "read")
        return _answer(await asyncio.to_thread(store.failure, number))

    @routes.post(
        "/failures/{number}", openapi_extra=described(Attended), responses=refusals("408", "409", "413", "415")
    )
    async def turn(request: Request, number: _Number) -> Response:
        """Leave a failure alone, look at it again, give it to somebody, or call it something else. It is noted."""
        store, visitor = await desk.enter(request, "review")
        asked = await desk.body(request, visitor, Attended)
        by = visitor.name or visitor.token or "somebody"

        def turned() -> Failure | None:
            there = store.failure(number)
            if there is None:
                return None
            given = {"reason": asked.reason, "owner": asked.owner, "name": asked.name}
            return attend(store, there, asked.act, by=by, now=wall(), account=visitor.author, **given)

        try:
            return _answer(await asyncio.to_thread(turned))
        except InputError as error:
            raise Refused(409, str(error)) from None

    return routes


def _answer(found: Failure | None) -> Response:
    if found is None:
        raise Refused(404, "there is no such failure", where="path.number")
    return as_json({"kind": "gatewatch.failure", "version": 1, "failure": told(found)})
