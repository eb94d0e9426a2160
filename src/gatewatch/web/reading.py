"""What a project's store says, over HTTP: requests, trends, costs, workers. What was said in a request is read under
audit."""

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from gatewatch.core import codec, marks
from gatewatch.core.clock import wall
from gatewatch.online.spending import KEYS, as_rows, month_of, sampled, spending
from gatewatch.online.trends import erased, trend
from gatewatch.online.window import Of
from gatewatch.online.worker import ENDED
from gatewatch.store.rows import Row
from gatewatch.web.host import Host, Served
from gatewatch.web.refusals import Refused, as_json, known_parameters
from gatewatch.web.visitors import Visitor

_LONGEST = 400
_Name = Annotated[str, Query(max_length=_LONGEST)]
_Moment = Annotated[float, Query(ge=0, le=1e11, allow_inf_nan=False)]
_SEEN_S = 86_400.0
_HEALTHY_S = 60.0


def router(host: Host) -> APIRouter:
    """The routes by which a project is read."""
    found = APIRouter(prefix="/v1", tags=["reading"], dependencies=[Depends(known_parameters)])

    async def read(request: Request) -> tuple[Served, Visitor]:
        visitor = await host.visitors.who(request, "read")
        return await host.served(visitor.project), visitor

    @found.get("/traces")
    async def traces(
        request: Request,
        flow: _Name = "",
        slice: _Name = "",  # noqa: A002 - the vocabulary's word
        mark: Annotated[list[str], Query(max_length=8)] = [],  # noqa: B006 - it is only read
        since: _Moment = 0.0,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        cursor: Annotated[int, Query(ge=0, lt=2**62)] = 0,
    ) -> Response:
        """Requests, those first that were stored last, without what was said in them. `next` is the next page's
        cursor."""
        served, _ = await read(request)
        if unknown := [each for each in mark if each not in marks.MARKS]:
            what = f"{unknown[0][:40]!r} is no mark"
            raise Refused(422, what, where="query.mark", hint=f"known: {', '.join(marks.MARKS)}")
        rows = await asyncio.to_thread(
            lambda: served.store.latest(
                flow, slice=slice, marks=marks.bits(mark), since=since, before=cursor, most=limit
            )
        )
        more = rows[-1].seq if len(rows) == limit else None
        return as_json({"traces": [_told(row) for row in rows], "next": more})

    @found.get("/traces/{trace}")
    async def one(request: Request, trace: str) -> Response:
        """A request by its trace id, or the application's own name for it: all that is known of it."""
        served, visitor = await read(request)
        return as_json(await asyncio.to_thread(lambda: _whole(served, visitor, trace, wall())))

    @found.get("/trends")
    async def trends(
        request: Request,
        flow: _Name = "",
        days: Annotated[float, Query(gt=0, le=3650, allow_inf_nan=False)] = 7.0,
        by: Literal["minute", "hour", "day"] | None = None,
        slice: _Name = "",  # noqa: A002 - the vocabulary's word
        variant: _Name = "",
        version: _Name = "",
    ) -> Response:
        """How flows are doing, as `gatewatch trends --json` tells it."""
        served, _ = await read(request)
        now = wall()
        since = max(0.0, now - days * 86_400)

        def found_() -> list[Any]:
            flows = [flow] if flow else sorted({each.flow for each in served.store.works()})
            if flow and not served.store.latest(flow, most=1):
                raise Refused(404, "there is no such flow", where="query.flow")
            of = Of(slice, variant, version)
            return [trend(served.store, each, since=since, until=now + 1, tier=by, of=of) for each in flows]

        flows = [msgspec.to_builtins(each) for each in await asyncio.to_thread(found_)]
        return as_json({"kind": "gatewatch.trends", "version": 1, "flows": flows})

    @found.get("/costs")
    async def costs(request: Request, by: _Name = "flow,scorer,model", month: _Name = "") -> Response:
        """What live traffic costs in a month, as `gatewatch costs --json` tells it."""
        served, _ = await read(request)
        keys = [each.strip() for each in by.split(",") if each.strip()]
        if unknown := [each for each in keys if each not in KEYS]:
            raise Refused(422, f"{unknown[0][:40]!r} is not known", where="query.by", hint=f"known: {', '.join(KEYS)}")
        try:
            since, until = month_of(month, wall())
        except ValueError as error:
            raise Refused(422, str(error), where="query.month") from None
        keys = ["kind", *dict.fromkeys(each for each in keys if each != "kind")]

        def found_() -> dict[str, Any]:
            rows = as_rows(keys, spending(served.store, since, until, keys))
            told = {"since": since, "until": until, "rows": rows, "erased": erased(served.store, since, until)}
            chosen = sampled(served.store, since, until)
            return told | ({"sampled": chosen} if chosen else {})

        return as_json({"kind": "gatewatch.costs", "version": 1, **await asyncio.to_thread(found_)})

    @found.get("/workers")
    async def workers(request: Request) -> Response:
        """The workers that were heard of in the last day, and whether each is at work."""
        served, _ = await read(request)
        now = wall()
        heard = await asyncio.to_thread(lambda: served.store.workers(now - _SEEN_S))
        told = [
            {
                "name": name,
                "at": each.at,
                "note": each.note,
                "at_work": each.note != ENDED and abs(now - each.at) < _HEALTHY_S,
                "scorers": each.scorers,
            }
            for name, each in heard.items()
        ]
        return as_json({"kind": "gatewatch.workers", "version": 1, "workers": told})

    return found


def _whole(served: Served, visitor: Visitor, name: str, now: float) -> dict[str, Any]:
    """All that is known of a request; that it was looked at is noted first."""
    row = served.store.find(name) if len(name) <= _LONGEST else None
    if row is None:
        raise Refused(404, "no such request is stored", where="path.trace")
    served.store.note(now, visitor.author, "read", row.id)
    payload = served.store.payload(row.seq)
    scores = [
        {"author": each.author, "at": each.at, "pi": each.pi, **msgspec.to_builtins(each.score)}
        for each in served.store.scores(row.seq)
    ]
    return {
        "row": _told(row),
        "trace": None if not payload else codec.parse(payload),
        "scores": scores,
        "tasks": served.store.tasks(row.seq),
    }


def _told(row: Row) -> dict[str, Any]:
    return dict(msgspec.to_builtins(row)) | {"marks": marks.names(row.marks), "late": marks.names(row.late)}
