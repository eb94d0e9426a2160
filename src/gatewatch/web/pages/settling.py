"""Settling what reviewers disagree on: every side beside the others, and the word that decides."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.review import Item
from gatewatch.loop.label import expected_of, item_name
from gatewatch.loop.review import hidden, keep, settling
from gatewatch.web.forms import Form, form
from gatewatch.web.pages import answers, items, labelling
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import House
from gatewatch.web.pages.queues import DISPUTED, chosen
from gatewatch.web.pages.reviewers import account_of, reviewer_of
from gatewatch.web.refusals import Refused


def routes(house: House) -> list[Route]:
    """The page on which an item is settled."""

    async def shown(request: Request) -> Response:
        asked = await house.enter(request, "review")
        if not reviewer_of(asked):
            return answers.elsewhere(asked.url("/review"))
        item = await asyncio.to_thread(items.known, asked)
        return await _page(house, asked, item)

    async def settle(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said, reviewer = await form(request), reviewer_of(asked)
        if not reviewer:
            raise Refused(409, "nobody knows who settles it", hint="say on Review what you are called")
        item = await asyncio.to_thread(items.known, asked)
        if item.state == "waiting":
            raise Refused(409, f"{item_name(item.id)} waits for labels still: there is nothing to settle")
        try:
            await asyncio.to_thread(_settled, asked, item, reviewer, said)
        except InputError as error:
            return await _page(house, asked, item, problems=tuple(error.problems), said=said)
        left = await asyncio.to_thread(lambda: asked.store.items(states=DISPUTED, most=1))
        where = f"/review/{item_name(left[0].id)}/settle" if left else "/review?view=disputed"
        return answers.elsewhere(asked.url(where))

    return [Route("/review/{name}/settle", shown), Route("/review/{name}/settle", settle, methods=["POST"])]


async def _page(
    house: House, asked: Asked, item: Item, *, problems: tuple[Problem, ...] = (), said: Form | None = None
) -> Response:
    if item.state == "waiting":
        return await labelling.taken(house, asked, item, chosen(asked))

    def read() -> dict[str, Any]:
        trace = asked.store.item_trace(item.id) or b"{}"
        found = items.shown(asked, item, trace)
        labels, why = hidden(asked.store, item, "", wall(), account=account_of(asked))
        left = asked.store.items(states=DISPUTED, most=1000)
        return {"shown": found, "labels": labels, "why": why, "left": len(left), "typed": items.typed(found, said)}

    data: dict[str, Any] = await asyncio.to_thread(read) | {"problems": problems, "reviewer": reviewer_of(asked)}
    status = 422 if problems else 200
    title = f"Settle {item_name(item.id)}"
    return await house.page(asked, "settle.html", title=title, screen="review", status=status, **data)


def _settled(asked: Asked, item: Item, reviewer: str, said: Form) -> Item:
    value = labelling.value_of(asked, item, said)
    if value is None:
        raise InputError(Problem("value", "that it cannot be judged settles nothing"))
    label = settling(
        asked.store,
        item,
        reviewer,
        value,
        wall(),
        expected=expected_of(said.get("expected", "").replace("\r\n", "\n")),
        comment=said.get("comment", "").replace("\r\n", "\n").strip(),
        kinds=tuple(said.getlist("kind")),
    )
    items.rules(asked).check(label, item.mark)
    return keep(asked.store, label, label.at, account=account_of(asked))
