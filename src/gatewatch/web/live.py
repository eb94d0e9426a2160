"""How a flow stands live, over HTTP, as the Monitor page shows it.

GET /v1/monitor  ?flow=, ?scorer=, ?range= or ?since= and ?until=, ?slice=, ?variant=, ?version=, ?by=, ?before=
"""

import asyncio
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from gatewatch.config.live import Asked, Live, flows_of, live
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.online.alert_text import told
from gatewatch.online.window import Of
from gatewatch.web.host import Host
from gatewatch.web.refusals import Refused, as_json, known_parameters

_Name = Annotated[str, Query(max_length=400)]
_Moment = Annotated[float, Query(ge=0, le=1e11, allow_inf_nan=False)]
_RANGES = {"1h": 3600.0, "24h": 86_400.0, "7d": 604_800.0, "30d": 2_592_000.0}
_LEAST_S, _LONGEST_S = 60.0, 3650 * 86_400.0


def router(host: Host, project: Project | None) -> APIRouter:
    """The route; baselines are those of the checkout that the server was started in."""
    found = APIRouter(prefix="/v1", tags=["reading"], dependencies=[Depends(known_parameters)])

    @found.get("/monitor")
    async def monitor(
        request: Request,
        flow: _Name = "",
        scorer: _Name = "",
        range: Literal["1h", "24h", "7d", "30d"] = "7d",  # noqa: A002 - as the page has it
        since: _Moment = 0.0,
        until: _Moment = 0.0,
        slice: _Name = "",  # noqa: A002 - the vocabulary's word
        variant: _Name = "",
        version: _Name = "",
        by: Literal["", "slice", "variant", "version"] = "",
        before: Literal["true", "false"] = "false",
    ) -> Response:
        """How a flow stands: a scorer over a window in buckets, each with its 95 % interval, beside the baseline; what
        was changed and what was told of; the flow's signals in the same buckets; what it costs, what waits.

        Without `since` the window is a `range` that ends now. Times are in seconds since the epoch, in UTC; shares and
        scores in 0..1; money in US dollars."""
        visitor = await host.visitors.who(request, "read")
        served = await host.served(visitor.project)
        own = project if visitor.project == host.serving.own else None
        if own is not None:
            own.follow()
        now = wall()
        end = until or now
        begin = since or end - _RANGES[range]
        if not _LEAST_S <= end - begin <= _LONGEST_S:
            raise Refused(422, "the window is shorter than a minute, or longer than ten years", where="query.since")

        def read() -> Live:
            flows = flows_of(served.store, own)
            if flow and flow not in flows:
                raise Refused(
                    404, "there is no such flow", where="query.flow", hint=f"there are: {', '.join(flows[:20])}"
                )
            asked = Asked(
                flow=flow or (flows[0] if flows else ""),
                since=begin,
                until=end,
                scorer=scorer,
                of=Of(slice, variant, version),
                by=by,
                before=before == "true",
            )
            return live(served.store, own, asked)

        return as_json(plain(await asyncio.to_thread(read)))

    return found


def plain(found: Live) -> dict[str, object]:
    """How a flow stands, as programs read it."""
    made = dict(msgspec.to_builtins(found))
    made["alerts"] = [told(each) for each in found.alerts]
    made["cost_per_thousand"] = found.money.per_thousand
    return {"kind": "gatewatch.monitor", "version": 1, **made}
