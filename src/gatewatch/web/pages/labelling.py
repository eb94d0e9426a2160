"""Labelling at a page: the item that is next, what is said of it, taking that back, and what was hidden till then."""

import asyncio
from contextlib import suppress
from typing import Any, cast, get_args

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.failure import number_in
from gatewatch.core.review import Item, Label, Severity
from gatewatch.core.trace import Trace
from gatewatch.loop.label import expected_of, item_name, parts_of, revealed
from gatewatch.loop.review import explanation, hidden, keep
from gatewatch.store.looping import Claim
from gatewatch.web.cookies import by_own_will
from gatewatch.web.forms import Form, form
from gatewatch.web.pages import answers, items
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.house import House
from gatewatch.web.pages.queues import chosen, progress, which_of
from gatewatch.web.pages.reviewers import account_of, reviewer_of
from gatewatch.web.refusals import Refused

_DAY_S = 86_400.0


def routes(house: House) -> list[Route]:
    """The item that is next, one that is named, and what is sent of it."""

    async def following(request: Request) -> Response:
        asked = await house.enter(request, "review")
        reviewer, by = reviewer_of(asked), chosen(asked)
        if not reviewer or not by_own_will(request):  # nobody is sent here by another site to have an item
            return answers.elsewhere(asked.url("/review", **by))
        besides = number_in(asked.get("besides"), "I") or 0
        claim = await asyncio.to_thread(_next, asked, reviewer, by, besides)
        if not asked.fragment and claim is not None:
            where = asked.url(f"/review/{item_name(claim.item.id)}", **by, said=asked.get("said"))
            return answers.elsewhere(where)
        return await _answer(house, asked, by, claim)

    async def named(request: Request) -> Response:
        asked = await house.enter(request, "review")
        reviewer, by = reviewer_of(asked), chosen(asked)
        if not reviewer:
            return answers.elsewhere(asked.url("/review"))
        item = await asyncio.to_thread(items.known, asked)
        if not by_own_will(request) and not await asyncio.to_thread(_has, asked, reviewer, item):
            return await _free(house, asked, item, by)
        claim = await asyncio.to_thread(_claimed, asked, reviewer, item)
        if claim is None:
            return await taken(house, asked, item, by)
        return await _answer(house, asked, by, claim)

    async def say(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said, by = await form(request), chosen(asked)
        reviewer = reviewer_of(asked)
        if not reviewer:
            raise Refused(409, "nobody knows who labels", hint="say on Review what you are called")

        def done() -> dict[str, Any] | None:
            kept = _keep(asked, items.known(asked), reviewer, said)
            return None if kept is None else _told(asked, kept, reviewer, by) if asked.fragment else {}

        try:
            told = await asyncio.to_thread(done)  # all at once: somebody waits for the next item
        except InputError as error:
            return await _again(house, asked, by, said, error)
        if told is None:
            return await taken(house, asked, await asyncio.to_thread(items.known, asked), by, late=True)
        if asked.fragment:
            return await house.fragment(asked, "review_said.html", **told)
        return answers.elsewhere(asked.url("/review/next", **by, said=request.path_params["name"]))

    return [
        Route("/review/next", following),
        *_beside(house),
        Route("/review/{name}", named),
        Route("/review/{name}", say, methods=["POST"]),
    ]


def _beside(house: House) -> list[Route]:
    """All of what is long, taking a label back, leaving an item to others."""

    async def part(request: Request) -> Response:
        asked = await house.enter(request)
        item = await asyncio.to_thread(items.known, asked)
        data = await asyncio.to_thread(asked.store.item_trace, item.id)
        found = []
        with suppress(ValueError):
            found = parts_of(codec.decode(data or b"{}", Trace))
        place = asked.number("place")
        if place >= len(found):
            raise Refused(404, "there is no such part of it")
        one: dict[str, Any] = {"part": found[place], "title": f"{item_name(item.id)} {found[place].heading}"}
        if asked.fragment:
            return await house.fragment(asked, "part.html", **one)
        return await house.page(asked, "part_page.html", screen="review", **one)

    async def undo(request: Request) -> Response:
        asked = await house.enter(request, "review")
        said, by, reviewer = await form(request), chosen(asked), reviewer_of(asked)
        name = await asyncio.to_thread(_undone, asked, reviewer, said.get("item", ""))
        if not name:
            raise Refused(404, "there is nothing to take back")
        return answers.elsewhere(asked.url(f"/review/{name}", **by))

    async def take(request: Request) -> Response:
        asked = await house.enter(request, "review")
        reviewer, by = reviewer_of(asked), chosen(asked)
        if not reviewer:
            return answers.elsewhere(asked.url("/review"))
        item = await asyncio.to_thread(items.known, asked)
        if await asyncio.to_thread(_claimed, asked, reviewer, item) is None:
            return await taken(house, asked, item, by)
        return answers.elsewhere(asked.url(f"/review/{item_name(item.id)}", **by))

    async def leave(request: Request) -> Response:
        asked = await house.enter(request, "review")
        item = await asyncio.to_thread(items.known, asked)
        await asyncio.to_thread(asked.store.let_go_of, item.id, reviewer_of(asked))
        return answers.elsewhere(asked.url("/review", view="mine", **chosen(asked)))

    return [
        Route("/review/undo", undo, methods=["POST"]),
        Route("/review/{name}/take", take, methods=["POST"]),
        Route("/review/{name}/leave", leave, methods=["POST"]),
        Route("/review/{name}/part", part),
    ]


# Which item


def _next(asked: Asked, reviewer: str, by: dict[str, Any], besides: int) -> Claim | None:
    now = wall()
    which, until = which_of(by), now + items.claim_length(asked)
    return asked.store.claim(reviewer, now, until, **which, besides=[besides] if besides else [])


def _claimed(asked: Asked, reviewer: str, item: Item) -> Claim | None:
    """The item that is named as this reviewer's; None where others have it, or it is done and not by them."""
    if item.state != "waiting" and not _labelled(asked, item, reviewer):
        return None
    now = wall()
    return asked.store.claim(reviewer, now, now + items.claim_length(asked), item=item.id)


def _has(asked: Asked, reviewer: str, item: Item) -> bool:
    """Whether an item is under this reviewer's hands."""
    return any(each.id == item.id for each, _ in asked.store.claimed(reviewer, wall()))


def _labelled(asked: Asked, item: Item, reviewer: str) -> Label | None:
    return next((each for each in asked.store.labels([item.id]) if each.by == reviewer), None)


async def _answer(
    house: House,
    asked: Asked,
    by: dict[str, Any],
    claim: Claim | None,
    *,
    problems: tuple[Problem, ...] = (),
    said: Form | None = None,
) -> Response:
    """The page of an item, or the part of it that a script asks for; or that there is none left."""
    reviewer = reviewer_of(asked)

    def read() -> dict[str, Any]:
        shown = None
        data: dict[str, Any] = {"peek": "", "told": None}
        if claim is not None:
            shown = items.shown(asked, claim.item, claim.trace, _labelled(asked, claim.item, reviewer))
            if asked.get("judge") and shown.peekable and by_own_will(asked.request):
                asked.store.note(wall(), account_of(asked), "peek", f"{shown.name} by {reviewer}")
                data["peek"] = f"{claim.item.judged:.3g} {explanation(asked.store, claim.item)}".strip()
        last = number_in(asked.get("said"), "I")
        item = None if last is None else asked.store.item(last)
        if item is not None and _labelled(asked, item, reviewer):
            data["told"] = _told(asked, item, reviewer, by)
        if shown is not None:
            data["typed"] = items.typed(shown, said)
        return data | {"shown": shown, "progress": progress(asked, reviewer, by), "now": wall()}

    data: dict[str, Any] = {"by": by, "reviewer": reviewer, "problems": problems}
    data |= await asyncio.to_thread(read)
    if asked.fragment:
        return await house.fragment(asked, "review_item.html", **data)
    title = "Review" if claim is None else item_name(claim.item.id)
    status = 422 if data["problems"] else 200
    return await house.page(asked, "review_page.html", title=title, screen="review", status=status, **data)


async def taken(house: House, asked: Asked, item: Item, by: dict[str, Any], *, late: bool = False) -> Response:
    """That an item is not this reviewer's: somebody has it, or it needs nobody more."""
    data: dict[str, Any] = {
        "item": item,
        "name": item_name(item.id),
        "by": by,
        "late": late,
        "title": item_name(item.id),
    }
    if asked.fragment:
        return await house.fragment(asked, "review_taken.html", status=409, **data)
    return await house.page(asked, "review_taken_page.html", screen="review", status=409, **data)


async def _free(house: House, asked: Asked, item: Item, by: dict[str, Any]) -> Response:
    """What another site's link leads to: which item it is, and that it may be taken."""
    name = item_name(item.id)
    data: dict[str, Any] = {"name": name, "item": item, "by": by}
    return await house.page(asked, "review_free_page.html", title=name, screen="review", **data)


# What is said of it


def _keep(asked: Asked, item: Item, reviewer: str, said: Form) -> Item | None:
    """Keep what a form says; None, and nothing kept, where the item was taken by others meanwhile."""
    label = _label(asked, item, reviewer, said)
    items.rules(asked).check(label, item.mark)
    theirs = item.state == "waiting" and _has(asked, reviewer, item)
    if not theirs and _claimed(asked, reviewer, item) is None:
        return None
    return keep(asked.store, label, wall(), account=account_of(asked))


def _label(asked: Asked, item: Item, reviewer: str, said: Form) -> Label:
    now, act = wall(), said.get("act", "label")
    skipped, disputes = act == "skip", act == "lock"
    severity = said.get("severity", "")
    return Label(
        item=item.id,
        by=reviewer,
        at=now,
        value=None if skipped else value_of(asked, item, said, needed=not disputes),
        expected=None if skipped else expected_of(said.get("expected", "").replace("\r\n", "\n")),
        comment=said.get("comment", "").replace("\r\n", "\n").strip(),
        kinds=() if skipped else tuple(said.getlist("kind")),
        severity=cast(Severity, severity) if severity in get_args(Severity) and not skipped else None,
        skipped=skipped,
        disputes=disputes,
        saw=said.get("saw") == "1",
        seconds=_seconds(said, now),
    )


def value_of(asked: Asked, item: Item, said: Form, *, needed: bool = True) -> float | None:
    """The value that a form says: a number that is typed, else the choice.

    Raises:
        InputError: there is none, or it is none of the scale.
    """
    text = said.get("number", "").strip() or said.get("value", "").strip()
    if not text:
        if needed:
            raise InputError(Problem("value", "is missing", "choose one"))
        return None
    try:
        return items.how(asked, item).value(text)
    except ValueError as error:
        raise InputError(Problem("value", str(error))) from None


def _seconds(said: Form, now: float) -> float | None:
    """How long the item was open: as the page's script measured it, else since it was sent."""
    for text, base in ((said.get("seconds", ""), None), (said.get("opened", ""), now)):
        try:
            found = float(text) if base is None else base - float(text)
        except ValueError:
            continue
        if 0 <= found <= _DAY_S:
            return round(found, 1)
    return None


async def _again(house: House, asked: Asked, by: dict[str, Any], said: Form, error: InputError) -> Response:
    """The form once more, with what was wrong and what was typed."""
    if asked.fragment:
        problems = "; ".join(f"{each.where} {each.what}" for each in error.problems)
        raise Refused(422, problems)
    item = await asyncio.to_thread(items.known, asked)
    claim = await asyncio.to_thread(_claimed, asked, reviewer_of(asked), item)
    if claim is None:
        return await taken(house, asked, item, by, late=True)
    return await _answer(house, asked, by, claim, problems=tuple(error.problems), said=said)


def _told(asked: Asked, item: Item, reviewer: str, by: dict[str, Any]) -> dict[str, Any]:
    """What was hidden until a label was there, and how far its reviewer is."""
    mine = _labelled(asked, item, reviewer)
    lines: list[str] = []
    word = ""
    agrees: bool | None = None
    if mine is not None and not mine.skipped:
        others, why = hidden(asked.store, item, reviewer, wall(), account=account_of(asked))
        # Of an item that waits for others nothing that they said is told: they may be asked again.
        word = items.typed_value(items.how(asked, item), mine.value)
        lines = list(revealed(item, mine, others if item.state != "waiting" else [], why))
        if item.judged is not None and mine.value is not None:
            agrees = (mine.value >= item.mark) == (item.judged >= item.mark)
    far = progress(asked, reviewer, by)
    return {
        "last": item,
        "last_name": item_name(item.id),
        "lines": lines,
        "agrees": agrees,
        "skipped": mine is not None and mine.skipped,
        "word": word,
        "by": by,
        "progress": far,
        # Beside the screen's name all are counted, whatever is chosen here.
        "badge": asked.store.awaiting(reviewer, wall(), most=0)[1] if any(by.values()) else far.waiting,
    }


def _undone(asked: Asked, reviewer: str, name: str) -> str:
    """Take back a reviewer's label of an item, and give the item's name; "" where there is none. Which item is always
    said: sent twice, it takes back one."""
    number = number_in(name, "I")
    item = None if number is None else asked.store.item(number)
    mine = None if item is None else _labelled(asked, item, reviewer)
    if mine is None or item is None:
        return ""
    asked.store.withdraw_label(item.id, reviewer)
    asked.store.note(wall(), account_of(asked), "label withdrawn", f"{item_name(item.id)} by {reviewer}")
    return item_name(item.id)
