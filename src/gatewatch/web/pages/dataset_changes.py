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
from gatewatch.web.pages.case_texts import field_diffs
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
        data = await asyncio.to_thread(_compared, shelf, asked, book)
        if asked.fragment == "row":
            one = next((each for each in data["changes"] if each.id == asked.get("case", longest=_LONGEST_ID)), None)
            if one is None:
                raise Refused(404, "this case does not differ between the two")
            return await house.fragment(
                asked, "datasets/change.html", one=one, fields=_fields(one, data), name=book.known.name
            )
        if asked.fragment:
            return await house.fragment(asked, "datasets/changes_rows.html", book=book, **data)
        one = asked.get("case", longest=_LONGEST_ID)
        if one:  # without scripts: the change by itself
            data["changes"] = [each for each in data["changes"] if each.id == one]
            data["opened"] = [(each, _fields(each, data)) for each in data["changes"][:1]]
        return await house.page(asked, "datasets/versions.html", book=book, **headed(shelf, book, "versions"), **data)

    return [Route("/datasets/{name}/versions", versions)]


def _compared(shelf: Shelf, asked: Asked, book: Book) -> dict[str, Any]:
    """The versions of a dataset, and what differs between the two that are asked for: by default what the file has that
    the last commit has not, or where that is nothing, what that commit changed."""
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
    whole = asked.fragment == "row" or asked.get("case", longest=_LONGEST_ID)
    return {
        "versions": listed,
        "from_": before,
        "to": after,
        "kind": kind,
        "counts": counts,
        "n": len(changes),
        "offset": offset,
        "after": offset + WINDOW,
        "changes": changes if whole else changes[offset : offset + WINDOW],
        "opened": [],
    }


def _default(listed: list[Version]) -> tuple[str, str]:
    """Two versions worth comparing: the first that changed something, and the one before it."""
    for later, earlier in pairwise(listed):
        if later.added or later.removed or later.edited or later.added is None:
            return earlier.key, later.key
    return (listed[1].key, NOW) if len(listed) > 1 else ("", "")


def _fields(one: Change, data: dict[str, Any]) -> list[tuple[str, Any]]:
    return field_diffs(one.before, one.after, thin="run:" in data["from_"] + data["to"])
