"""Alerts over HTTP, and markers of what was changed.

GET  /v1/alerts        ?flow=, ?all=, ?limit=, ?cursor=: what is open, or every one, the newest first
GET  /v1/alerts/{n}    one, whole
POST /v1/alerts/{n}    {"state", "reason", "until"}: acknowledge, snooze, resolve, open again
GET  /v1/marks         ?flow=, ?since=, ?limit=: what was changed, the oldest first
POST /v1/marks         {"flow", "what", "at", "reason", "accepted"}: something was changed
"""

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from gatewatch.core.clock import wall
from gatewatch.core.watch import Alert, AlertState, Marker
from gatewatch.online.alert_text import plain, told
from gatewatch.store.base import Store
from gatewatch.web.described import refusals
from gatewatch.web.desk import Desk, described
from gatewatch.web.host import Host
from gatewatch.web.refusals import Refused, as_json, known_parameters
from gatewatch.web.visitors import Visitor

_LATEST = 1e11
_SKEW_S = 60.0
_Words = Annotated[str, Meta(max_length=400)]
_Moment = Annotated[float, Meta(ge=0, le=_LATEST)]
_Flow = Annotated[str, Query(max_length=400)]
_Number = Annotated[int, Path(ge=1, lt=2**62, description="The alert's number.")]


class Turned(Struct, frozen=True, forbid_unknown_fields=True):
    """What becomes of an alert. `until` is in seconds since the epoch, for "snoozed"; "resolved" takes a reason."""

    state: AlertState
    reason: _Words = ""
    until: _Moment | None = None


class Marked(Struct, frozen=True, forbid_unknown_fields=True):
    """Something that was changed: on a flow, or on all ("" for `flow`), at a time in seconds since the epoch, now by
    default. `accepted`: what comes after is the new reference; that takes a reason."""

    flow: _Words
    what: Annotated[str, Meta(min_length=1, max_length=400)]
    at: _Moment | None = None
    reason: _Words = ""
    accepted: bool = False


def router(host: Host) -> APIRouter:
    """The routes of alerts and markers."""
    routes = APIRouter(prefix="/v1", tags=["alerts"], dependencies=[Depends(known_parameters)])
    _alerts(routes, Desk(host))
    _marks(routes, Desk(host))
    return routes


def _alerts(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/alerts")
    async def listed(
        request: Request,
        flow: _Flow = "",
        all: Literal["true", "false"] = "false",  # noqa: A002 - as the command has it
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        cursor: Annotated[int, Query(ge=0, lt=2**62)] = 0,
    ) -> Response:
        """Alerts that are open, or with `all` every one, the newest first. `next` is the next page's cursor."""
        store, _ = await desk.enter(request, "read")
        found = await asyncio.to_thread(lambda: store.alerts(flow=flow, every=all == "true", most=limit, before=cursor))
        more = found[-1].id if len(found) == limit else None
        return as_json(
            {"kind": "gatewatch.alerts", "version": 1, "alerts": [told(each) for each in found], "next": more}
        )

    @routes.get("/alerts/{number}")
    async def one(request: Request, number: _Number) -> Response:
        """An alert, whole."""
        store, _ = await desk.enter(request, "read")
        return _reply(await asyncio.to_thread(store.alert, number))

    @routes.post("/alerts/{number}", openapi_extra=described(Turned), responses=refusals("408", "409", "413", "415"))
    async def turn(request: Request, number: _Number) -> Response:
        """Acknowledge an alert, snooze it, resolve it, or open it again. Who did it is noted."""
        store, visitor = await desk.enter(request, "review")
        asked, now = await desk.body(request, visitor, Turned), wall()
        if asked.state == "resolved" and not asked.reason.strip():
            raise Refused(422, "to resolve it takes a reason", where="body.reason")
        if asked.state == "snoozed" and not now < (asked.until or 0.0):
            raise Refused(422, "to snooze it takes a time to come", where="body.until")
        until, reason = asked.until if asked.state == "snoozed" else None, plain(asked.reason)

        def turned() -> Alert | None:
            found = store.turn_alert(number, asked.state, who=_name(visitor), reason=reason, now=now, until=until)
            if found is not None and found.state == asked.state:
                store.note(now, visitor.author, f"alert {asked.state}", str(number))
            return found

        found = await asyncio.to_thread(turned)
        if found is not None and found.state != asked.state:
            raise Refused(409, f"it stays {found.state}: another alert of the same cause is open")
        return _reply(found)


def _marks(routes: APIRouter, desk: Desk) -> None:
    @routes.get("/marks")
    async def marks(
        request: Request,
        flow: _Flow = "",
        since: Annotated[float, Query(ge=0, le=_LATEST, allow_inf_nan=False)] = 0.0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    ) -> Response:
        """What was changed on a flow, and on all flows; everything where no flow is named. The oldest first."""
        store, _ = await desk.enter(request, "read")
        found = await asyncio.to_thread(lambda: store.markers(flow, since=since, most=limit))
        return as_json({"kind": "gatewatch.marks", "version": 1, "marks": found})

    @routes.post("/marks", status_code=201, openapi_extra=described(Marked), responses=refusals("408", "413", "415"))
    async def mark(request: Request) -> Response:
        """Note that something was changed, such as a deploy. To have what comes after accepted takes a reviewer."""
        store, visitor = await desk.enter(request, "push")
        asked, now = await desk.body(request, visitor, Marked), wall()
        if asked.accepted:
            await desk.enter(request, "review")
            if not asked.reason.strip():
                raise Refused(422, "what is accepted takes a reason", where="body.reason")
        if asked.at is not None and not 0 < asked.at <= now + _SKEW_S:
            raise Refused(422, "is not in the past" if asked.at else "is before 1970", where="body.at")
        what = plain(asked.what).strip()
        if not what:
            raise Refused(422, "says nothing", where="body.what")
        if asked.flow and not await asyncio.to_thread(_known, store, asked.flow):
            raise Refused(422, "there is no such flow", where="body.flow")
        marker = Marker(
            min(asked.at or now, now),
            asked.flow,
            what,
            _name(visitor),
            plain(asked.reason),
            accepted=asked.accepted,
        )

        def kept() -> Marker:
            found = store.mark(marker)
            more = " accepted" if found.accepted else ""
            store.note(now, visitor.author, "mark", f"{found.id} {found.flow or 'all flows'}{more}")
            return found

        return as_json({"kind": "gatewatch.mark", "version": 1, "mark": await asyncio.to_thread(kept)}, 201)


def _known(store: Store, flow: str) -> bool:
    return bool(store.streams(flow)) or flow in store.flows()


def _reply(found: Alert | None) -> Response:
    if found is None:
        raise Refused(404, "there is no such alert", where="path.number")
    return as_json({"kind": "gatewatch.alert", "version": 1, "alert": told(found)})


def _name(visitor: Visitor) -> str:
    return f"token {visitor.token}" if visitor.token and not visitor.name else visitor.author
