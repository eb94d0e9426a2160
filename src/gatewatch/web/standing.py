"""How the loop of each project stands, for the page where one begins and for programs: found out once in some seconds.

GET /v1/overview    gates, flows, failures, review, what waits for git, and what needs somebody, the gravest first
"""

import msgspec
from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from gatewatch.config.gate_state import GateStates
from gatewatch.config.overview import Overview, overview
from gatewatch.config.project import Project
from gatewatch.core.clock import wall
from gatewatch.online.alert_text import told
from gatewatch.store.base import Store
from gatewatch.web.aside import aside
from gatewatch.web.host import Host
from gatewatch.web.joins import Joins
from gatewatch.web.kept import Kept
from gatewatch.web.refusals import as_json, known_parameters

_FRESH_S = 4.0


class Standing:
    """How the loops stand; threads may share it."""

    def __init__(self, joins: Joins) -> None:
        self._joins = joins
        self._gates: dict[str, GateStates] = {}
        self._kept: Kept[Overview] = Kept(_FRESH_S)

    def of(self, name: str, store: Store, project: Project | None) -> Overview:
        """How that of a project stands, whose store and checkout (None: there is none) are given.

        Raises:
            StoreError: the store cannot be read.
        """
        gates = self._gates.setdefault(name, GateStates(self._joins.of(name, store)))
        return self._kept.of(name, lambda: overview(store, project, gates, wall()))


def router(host: Host, standing: Standing, project: Project | None) -> APIRouter:
    """The route; gates and datasets are those of the checkout that the server was started in."""
    found = APIRouter(prefix="/v1", tags=["reading"], dependencies=[Depends(known_parameters)])

    @found.get("/overview")
    async def whole(request: Request) -> Response:
        """How the loop stands, as the page Overview shows it. Times are in seconds since the epoch, in UTC; shares and
        scores in 0..1; money in US dollars."""
        visitor = await host.visitors.who(request, "read")
        served = await host.served(visitor.project)
        own = project if visitor.project == host.serving.own else None
        return as_json(await aside(lambda: plain(standing.of(visitor.project, served.store, own))))

    return found


def plain(found: Overview) -> dict[str, object]:
    """How a loop stands, as programs read it."""
    made = dict(msgspec.to_builtins(found))
    for told_of, flow in zip(made["flows"], found.flows, strict=True):
        told_of["alerts"] = [told(each) for each in flow.alerts]
    return {"kind": "gatewatch.overview", "version": 1, **made}
