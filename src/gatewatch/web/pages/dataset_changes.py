"""The versions of a dataset, and what differs between two of them, case by case."""

import asyncio
from itertools import pairwise
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.dataset_books import Book
from gatewatch.config.dataset_versions import NOW, Change, Version
from gatewatch.core.errors import InputError
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.case_texts import field_diffs, text_of
from gatewatch.web.pages.dataset_audit import headed
from gatewatch.web.pages.dataset_shelf import Shelf
from gatewatch.web.pages.house import House
from gatewatch.web.refusals import Refused

WINDOW = 48
_KINDS = ("added", "removed", "edited")
_LONGEST_ID = 2000


def routes(house: House, shelf: Shelf) -> list[Route]:
    """The page of a dataset's versions."""

    async def versions(request: Request) -> Response:
        asked = await house.enter(request)
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        case = asked.get("case", longest=_LONGEST_ID)
        data = await asyncio.to_thread(_compared, shelf, asked, book, case)
        if asked.fragment == "row":
            if not data["opened"]:
                raise Refused(404, "this case does not differ between the two")
            data["fields"] = data["opened"][0][1]
            return await house.fragment(asked, "datasets/change.html", **data)
        if asked.fragment:
            return await house.fragment(asked, "datasets/changes_rows.html", book=book, **data)
        return await house.page(asked, "datasets/versions.html", book=book, **headed(shelf, book, "versions"), **data)

    return [Route("/datasets/{name}/versions", versions)]


def _compared(shelf: Shelf, asked: Asked, book: Book, case: str) -> dict[str, Any]:
    """The versions of a dataset, and what differs between the two that are asked for: by default what the file has that
    the last commit has not, or where that is nothing, what that commit changed. With a `case` only that."""
    versions = shelf.versions(asked, book)
    listed = versions.listed(book)
    before, after = asked.get("from"), asked.get("to")
    kind, offset = asked.get("kind", among=_KINDS), asked.number("offset")
    if not before or not after:
        before, after = _default(listed)
    try:
        every = versions.changes(book, before, after) if before else []
    except InputError as error:
        raise Refused(404, error.problems[0].what, hint=error.problems[0].hint) from None
    counts = {name: sum(each.kind == name for each in every) for name in _KINDS}
    changes = [each for each in every if kind in ("", each.kind)]
    some = changes[offset : offset + WINDOW] if not case else [each for each in changes if each.id == case]
    thin = "run:" in before + after
    return {
        "versions": listed,
        "from_": before,
        "to": after,
        "thin": thin,
        "kind": kind,
        "counts": counts,
        "n": len(changes),
        "offset": offset,
        "after": offset + WINDOW,
        "changes": [(each, _asks(each)) for each in some],
        "opened": [(each, field_diffs(each.before, each.after, thin=thin)) for each in some if case],
    }


def _asks(change: Change) -> str:
    """What the case of a change asks, for a cell."""
    case = change.after or change.before
    return "" if case is None else text_of(case.input)[:2000]


def _default(listed: list[Version]) -> tuple[str, str]:
    """Two versions worth comparing: the first that changed something, and the one before it."""
    for later, earlier in pairwise(listed):
        if later.added or later.removed or later.edited or later.added is None:
            return earlier.key, later.key
    return (listed[1].key, NOW) if len(listed) > 1 else ("", "")
