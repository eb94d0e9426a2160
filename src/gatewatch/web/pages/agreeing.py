"""Agreement: how far people agree with each other and with the judge, and on what they do not."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.labelling import agreements
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError
from gatewatch.loop.agreement import FEW, JUDGE, PEOPLE, Agreement
from gatewatch.loop.label import RIGHT, item_name
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import House
from gatewatch.web.pages.queues import QUEUES
from gatewatch.web.refusals import Refused

_FRESH_S = 10.0
_MOST_KEPT = 50
_LISTED = 200


def routes(house: House) -> list[Route]:
    """The page of agreement."""
    kept: dict[tuple[str, str, str], tuple[float, dict[str, Agreement]]] = {}

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        by = {"queue": asked.get("queue", among=QUEUES), "flow": asked.get("flow")}
        key, now = (asked.served.name, by["queue"], by["flow"]), wall()
        there = kept.get(key)
        if there is None or not 0 <= now - there[0] < _FRESH_S:
            there = now, await asyncio.to_thread(_found, asked, by)
            if len(kept) >= _MOST_KEPT:
                kept.clear()
            kept[key] = there
        data: dict[str, Any] = {
            "by": by,
            "found": there[1],
            "flow_options": [(each, each) for each in await asyncio.to_thread(asked.store.flows)],
            "few": FEW,
            "judge": JUDGE,
            "people": PEOPLE,
            "right": RIGHT,
            "listed": _LISTED,
            "name": item_name,
            "at": there[0],
        }
        if asked.fragment:
            return await house.fragment(asked, "agreement_found.html", **data)
        return await house.page(asked, "agreement.html", title="Agreement", screen="review", **data)

    return [Route("/review/agreement", shown)]


def _found(asked: Asked, by: dict[str, Any]) -> dict[str, Agreement]:
    try:
        return agreements(asked.project, asked.store, queue=by["queue"] or None, flow=by["flow"])
    except GatewatchError as error:
        raise Refused(409, str(error)) from None
