"""Whether a server lives, whether it is ready, and its figures."""

import asyncio
import logging
from collections.abc import Iterator, Mapping

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gatewatch.core.clock import monotonic, wall
from gatewatch.core.errors import StoreError, StoreVersion
from gatewatch.store.counts import Counts
from gatewatch.web.host import Host, Served
from gatewatch.web.refusals import LATER_S, Refused, as_json

_log = logging.getLogger("gatewatch")
_COUNTED_S = 30.0
_SEEN_S = 86_400.0
_Gauge = tuple[str, Mapping[str, str], float]


def router(host: Host) -> APIRouter:
    """The routes by which a server is looked after."""
    found = APIRouter(tags=["operation"])
    counted: dict[str, tuple[float, Counts]] = {}

    @found.get("/healthz")
    async def healthz() -> Response:
        """The process lives."""
        return as_json({"status": "ok"})

    @found.get("/readyz")
    async def readyz() -> Response:
        """The store opens, and is of the version that this server reads."""
        try:
            await asyncio.to_thread(host.base.check)
        except StoreError as error:  # anybody may ask: where the store is stands in the log
            _log.warning("not ready: %s", error)
            what = error.what if isinstance(error, StoreVersion) else "cannot be used now"
            raise Refused(503, f"the store: {what}", reason="not ready", retry_s=LATER_S) from None
        return as_json({"status": "ready"})

    @found.get("/metrics")
    async def metrics(request: Request) -> Response:
        """Figures for Prometheus: those of the process, and those of the token's project."""
        visitor = await host.visitors.who(request, "read")
        project = visitor.project if visitor.token or visitor.places else None
        served = [each for each in host.open_now() if project in (None, each.name)]
        gauges = await asyncio.to_thread(lambda: list(_gauges(host, served, counted)))
        return PlainTextResponse(host.metrics.text(project, gauges), media_type="text/plain; version=0.0.4")

    return found


def _gauges(host: Host, served: list[Served], counted: dict[str, tuple[float, Counts]]) -> Iterator[_Gauge]:
    yield "gatewatch_held_bytes", {}, host.held.now
    for each in served:
        project = {"project": each.name}
        yield "gatewatch_settle_lag_seconds", project, each.settler.lag_s()
        at, counts = counted.get(each.name, (0.0, None))
        if counts is None or monotonic() - at > _COUNTED_S:  # it counts rows, which takes a while where there are many
            counts = each.store.counts()
            counted[each.name] = monotonic(), counts
        for state, number in counts.tasks.items():
            yield "gatewatch_tasks", project | {"state": state}, number
        for reason, number in counts.losses.items():
            yield "gatewatch_lost_total", project | {"reason": reason}, number
        now = wall()
        heard = each.store.workers(now - _SEEN_S)
        if heard:
            yield "gatewatch_worker_seconds", project, max(0.0, now - max(each.at for each in heard.values()))
