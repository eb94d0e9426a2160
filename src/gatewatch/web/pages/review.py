"""Review: what waits for a reviewer, one item after the other, blind first."""

import asyncio
from typing import Any

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.review import Item, Label
from gatewatch.core.trace import Trace
from gatewatch.loop.label import item_name, said_by
from gatewatch.loop.likeness import asked as asks
from gatewatch.web.forms import form
from gatewatch.web.pages import agreeing, answers, labelling, settling
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import Found, House, Screen
from gatewatch.web.pages.queues import DISPUTED, chosen, progress, which_of
from gatewatch.web.pages.reviewers import remember, reviewer_of
from gatewatch.web.refusals import Refused

WINDOW = 48
VIEWS = {"": "Awaiting", "mine": "Assigned to me", "done": "Completed", "disputed": "To settle"}
_MOST = 1000
_SHOWN = 300


class Entry(Struct, frozen=True):
    """An item in a list: what it asks, and of one that is done what its reviewer said."""

    item: Item
    asked: str
    said: str = ""
    label: Label | None = None
    until: float = 0.0


class Listed(Struct, frozen=True):
    """A window of a list of items, how many there are, and how many in each view."""

    window: list[Entry]
    n: int
    counts: dict[str, int]
    flows: list[str]


def routes(house: House) -> list[Route]:
    """The queue, and all that belongs to reviewing."""

    async def queue(request: Request) -> Response:
        asked = await house.enter(request)
        by, offset = chosen(asked), asked.number("offset")
        by["view"] = asked.get("view", among=tuple(VIEWS))
        reviewer = reviewer_of(asked)
        found = await asyncio.to_thread(_listed, asked, by, reviewer, offset)
        data: dict[str, Any] = {
            "by": by,
            "reviewer": reviewer,
            "found": found,
            "after": offset + WINDOW,
            "views": VIEWS,
            "progress": await asyncio.to_thread(progress, asked, reviewer, by),
            "name": item_name,
            "now": wall(),
            "flow_options": [(each, each) for each in found.flows],
        }
        if asked.fragment:
            return await house.fragment(asked, "review_rows.html", **data)
        return await house.page(asked, "review.html", title="Review", screen="review", **data)

    async def call_me(request: Request) -> Response:
        asked = await house.enter(request, "review")
        reply = answers.elsewhere(asked.url("/review"))
        try:
            remember(asked, reply, (await form(request)).get("name", ""))
        except ValueError as error:
            raise Refused(422, f"the name {error}", where="name") from None
        return reply

    return [
        Route("/review", queue),
        Route("/review/name", call_me, methods=["POST"]),
        *agreeing.routes(house),
        *settling.routes(house),
        *labelling.routes(house),
    ]


def _listed(asked: Asked, by: dict[str, Any], reviewer: str, offset: int) -> Listed:
    store, now = asked.store, wall()
    which = which_of(by)
    disputed = store.items(states=DISPUTED, most=_MOST, **which)
    mine = [(item, until) for item, until in store.claimed(reviewer, now) if _fits(item, which)]
    labels = store.labels_by(reviewer, most=_MOST)
    waiting, n_waiting = store.awaiting(reviewer, now, skip=offset, most=WINDOW, **which)
    done: list[tuple[Item, Label]] = []
    if by["view"] == "done":
        done = [(item, label) for label in labels if (item := store.item(label.item)) and _fits(item, which)]
    n_done = len(done) if by["view"] == "done" else len(labels)
    counts = {"": n_waiting, "mine": len(mine), "done": n_done, "disputed": len(disputed)}
    end = offset + WINDOW
    if by["view"] == "mine":
        entries = [Entry(item, _asks(asked, item), until=until) for item, until in mine[offset:end]]
    elif by["view"] == "done":
        entries = [Entry(item, _asks(asked, item), said_by(label), label) for item, label in done[offset:end]]
    elif by["view"] == "disputed":
        entries = [Entry(item, _asks(asked, item)) for item in disputed[offset:end]]
    else:
        entries = [Entry(item, _asks(asked, item)) for item in waiting]
    return Listed(entries, counts[by["view"]], counts, store.flows())


def _fits(item: Item, which: dict[str, Any]) -> bool:
    return (
        which["queue"] in (None, item.queue)
        and which["flow"] in ("", item.flow)
        and which["failure"] in (0, item.failure)
    )


def _asks(asked: Asked, item: Item) -> str:
    data = asked.store.item_trace(item.id)
    try:
        return asks(codec.decode(data or b"{}", Trace).input)[:_SHOWN]
    except ValueError:
        return ""


def badge(asked: Asked) -> int:
    """How many items wait for whoever asks."""
    return asked.store.awaiting(reviewer_of(asked), wall(), most=0)[1]


def find(asked: Asked, text: str) -> list[Found]:
    """The item that is called so."""
    if text[:1] not in ("I", "i") or not text[1:].isdecimal() or not text.isascii() or len(text) > 18:
        return []
    found = asked.store.item(int(text[1:]))
    return [] if found is None else [Found(item_name(found.id), "item", f"/review/{item_name(found.id)}")]


SCREEN = Screen(
    key="review",
    path="/review",
    title="Review",
    group="Improve",
    icon="review",
    chord="q",
    routes=routes,
    badge=badge,
    find=find,
)
