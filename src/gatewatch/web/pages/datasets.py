"""Datasets: the list, the cases of one, its versions and what differs between two, its slices beside live traffic."""

import asyncio
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.dataset_books import Book, Chosen, Entry, books_of
from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.errors import DatasetError
from gatewatch.web.pages import answers, dataset_audit, dataset_case, dataset_changes
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.case_texts import text_of
from gatewatch.web.pages.dataset_choice import as_query, chosen
from gatewatch.web.pages.dataset_shelf import Shelf
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import Found, House, Screen
from gatewatch.web.pages.segments import segment
from gatewatch.web.refusals import Refused

WINDOW = 48
_LONGEST_ID = 2000


class CaseRow(Struct, frozen=True):
    """A case in a window: its entry, what it asks and expects, and whether each of its last outcomes was a pass under
    every scorer that has a pass mark, the newest last."""

    entry: Entry
    input: str
    expected: str
    passes: tuple[bool, ...]


def routes(house: House) -> list[Route]:
    """The pages of datasets."""
    shelf = Shelf(house)

    async def listed(request: Request) -> Response:
        asked = await house.enter(request)
        text = asked.get("q", longest=_LONGEST_ID).strip()
        lines = await asyncio.to_thread(shelf.lines, asked)
        found = [each for each in lines if text.lower() in f"{each.name} {each.path} {' '.join(each.suites)}".lower()]
        if text and not found and not asked.fragment:  # the id of a case, as other pages name it
            there = await asyncio.to_thread(_with_case, shelf, asked, text)
            if there:
                return answers.elsewhere(asked.url(f"/datasets/{segment(there)}/case", id=text))
        data: dict[str, Any] = {
            "lines": found,
            "all": len(lines),
            "by": {"q": text},
            "own_files": asked.project is not None,
        }
        if asked.fragment:
            return await house.fragment(asked, "datasets/list_rows.html", **data)
        return await house.page(asked, "datasets/list.html", title="Datasets", screen="datasets", **data)

    async def cases(request: Request) -> Response:
        asked = await house.enter(request)
        by, offset = chosen(asked), asked.number("offset")
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        found, rows = await asyncio.to_thread(_window, shelf, asked, book, by, offset)
        data: dict[str, Any] = {
            "book": book,
            "by": by,
            "rows": rows,
            "n": len(found),
            "offset": offset,
            "after": offset + WINDOW,
            "filter": as_query(by),
        }
        if asked.fragment:
            return await house.fragment(asked, "datasets/cases_rows.html", **data)
        names = [(name, name) for name, _ in book.slices.most_common() if name]
        data["slice_names"] = names
        return await house.page(asked, "datasets/cases.html", **dataset_audit.headed(shelf, book, "cases"), **data)

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        form, by = form_of(request), chosen(asked)
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        columns = [
            "id",
            "line",
            "state",
            "origin",
            "slice",
            *(f for f in Case.__struct_fields__ if f not in ("id", "slice")),
        ]

        def lines() -> Iterator[dict[str, Any]]:
            for each in book.matching(by):
                yield dict(msgspec.to_builtins(book.case(each))) | {
                    "id": each.id,
                    "line": each.line,
                    "state": each.state,
                    "origin": each.origin,
                    "slice": each.slice,
                }

        told = {"dataset": book.known.path, "version": book.dataset.version} | as_query(by)
        return exported(form, "gatewatch.cases", columns, lines(), told)

    async def coverage(request: Request) -> Response:
        asked = await house.enter(request)
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        flows = await asyncio.to_thread(asked.store.flows)
        flow = asked.get("flow", among=tuple(flows))
        mix = await asyncio.to_thread(shelf.mix, asked, book, flow)
        data: dict[str, Any] = {"book": book, "mix": mix, "flows": flows, "flow": flow}
        data["flow_names"] = [(each, each) for each in flows]
        data["reach"] = max([each.high or 0.0 for each in mix.slices] + [each.share for each in mix.slices] + [0.01])
        return await house.page(
            asked, "datasets/coverage.html", **dataset_audit.headed(shelf, book, "coverage"), **data
        )

    return [
        Route("/datasets", listed),
        *dataset_audit.routes(house, shelf),
        *dataset_case.routes(house, shelf),
        *dataset_changes.routes(house, shelf),
        Route("/datasets/{name}/cases.{form}", export),
        Route("/datasets/{name}/coverage", coverage),
        Route("/datasets/{name}", cases),
    ]


def _with_case(shelf: Shelf, asked: Asked, case: str) -> str:
    """The dataset that has a case of some id, "" for none."""
    if asked.project is None:
        return ""
    return next((book.known.name for book in shelf.books(asked).readable() if book.entry(case)), "")


def _expects(case: Case) -> str:
    """What a case expects, for a cell: the answer, then what else is said."""
    if isinstance(case.expected, str) or case.expected is None:
        return case.expected or ""
    told = dict(msgspec.to_builtins(case.expected))
    answer = told.pop("answer", None)
    more = " ".join(f"{name}: {codec.text_of(value)}" for name, value in told.items())
    return " · ".join(filter(None, (answer, more)))


def _window(shelf: Shelf, asked: Asked, book: Book, by: Chosen, offset: int) -> tuple[list[Entry], list[CaseRow]]:
    """The cases that are wanted, and a window of them."""
    try:
        found = book.matching(by)
        some = found[offset : offset + WINDOW]
        passes = shelf.books(asked).passes(book, some)
        return found, [_row(book, each, passes.get(each.id, {})) for each in some]
    except DatasetError as error:
        raise Refused(503, "the dataset was written to just now", hint="load the page again") from error


def _row(book: Book, entry: Entry, passes: dict[str, tuple[bool, ...]]) -> CaseRow:
    case = book.case(entry)
    n = min(map(len, passes.values()), default=0)
    whole = tuple(all(found[len(found) - n + at] for found in passes.values()) for at in range(n))
    return CaseRow(entry, text_of(case.input)[:2000], _expects(case)[:2000], whole)


def find(asked: Asked, text: str) -> list[Found]:
    """What the menu offers: datasets by name, and a case by its whole id."""
    if asked.project is None:
        return []
    books, words = books_of(asked.project), text.lower()
    named = [each for each in books.known() if words in each.name.lower()]
    found = [Found(each.name, "dataset", f"/datasets/{segment(each.name)}") for each in named]
    with_it = (book.known.name for book in books.readable() if book.entry(text))
    query = urlencode({"id": text}, errors="replace")
    return found + [Found(text, "case", f"/datasets/{segment(name)}/case?{query}") for name in with_it]


SCREEN = Screen(
    key="datasets",
    path="/datasets",
    title="Datasets",
    group="Loop",
    icon="datasets",
    chord="d",
    routes=routes,
    find=find,
)
