"""One case of a dataset: what it asks and expects, its last outcomes, its chain, and its edit as a diff first."""

import asyncio
from typing import Any

import msgspec
from msgspec.structs import replace
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.case_edit import Overtaken, Wanted, changed, may_write, patch, state_of, wanted_of, write
from gatewatch.config.chains import chain_of
from gatewatch.config.dataset_books import Book, Entry
from gatewatch.core.case import Case
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError, InputError
from gatewatch.loop.chain import Link, traces_of
from gatewatch.offline.dataset_edit import NotWritable
from gatewatch.web.forms import Form, form
from gatewatch.web.pages import answers
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.case_texts import field_diffs, line_pieces, text_of, turns_of
from gatewatch.web.pages.dataset_audit import headed, patched
from gatewatch.web.pages.dataset_choice import as_query, beside, chosen
from gatewatch.web.pages.dataset_shelf import Shelf
from gatewatch.web.pages.house import House
from gatewatch.web.pages.segments import segment
from gatewatch.web.refusals import Refused

_LONGEST_ID = 2000
_WHOLE = ("input", "expected", "context", "meta", "provenance")


def routes(house: House, shelf: Shelf) -> list[Route]:
    """The pages of a case."""

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        book, entry, case = await asyncio.to_thread(_case, shelf, asked, asked.get("id", longest=_LONGEST_ID))
        whole = asked.get("whole", among=_WHOLE)
        if whole:
            text = text_of(msgspec.to_builtins(getattr(case, whole)))
            if asked.fragment:
                return await house.fragment(asked, "datasets/whole.html", text_=text)
            return await house.page(asked, "datasets/whole_page.html", text_=text, **_head(shelf, book, case))
        by = chosen(asked)
        data = _told(shelf, asked, book, entry, case)
        if asked.fragment:
            return await house.fragment(asked, "datasets/case_short.html", **data)
        data |= await asyncio.to_thread(_chain, shelf, asked, book, case)
        data["beside"], data["filter"] = await asyncio.to_thread(beside, book, entry, by), as_query(by)
        data |= {"wanted": wanted_of(case), "edit": "edit" in asked.request.query_params, "flaw": ""}
        return await house.page(asked, "datasets/case.html", **data, **_head(shelf, book, case))

    async def edited(request: Request) -> Response:
        asked = await house.enter(request, "review")
        fields = await form(request)
        book, entry, case = await asyncio.to_thread(_case, shelf, asked, fields.get("id", ""))
        wanted, state = _wanted(fields, case), fields.get("state", "")
        act = fields.get("act", "look")
        try:
            if act == "write":
                return await asyncio.to_thread(_write, shelf, asked, book, case, state, wanted)
            made = await asyncio.to_thread(patch, book.path, case.id, wanted, book.known.path)
        except (Overtaken, NotWritable) as error:
            raise Refused(409, error.problems[0].what, hint=error.problems[0].hint) from None
        except InputError as error:
            data = _told(shelf, asked, book, entry, case) | await asyncio.to_thread(_chain, shelf, asked, book, case)
            data |= {
                "beside": ("", ""),
                "filter": {},
                "wanted": wanted,
                "edit": True,
                "flaw": "\n".join(map(str, error.problems)),
            }
            return await house.page(asked, "datasets/case.html", status=422, **data, **_head(shelf, book, case))
        if act == "patch":
            return patched(made, book)
        data = {
            "book": book,
            "case": case,
            "state": state_of(case),
            "wanted": wanted,
            "fields": await asyncio.to_thread(field_diffs, case, changed(case, wanted)),
            "lines": await asyncio.to_thread(line_pieces, made),
            "writable": shelf.may_write(asked, book),
        }
        return await house.page(asked, "datasets/case_edit.html", **data, **_head(shelf, book, case))

    return [
        Route("/datasets/{name}/case", shown),
        Route("/datasets/{name}/case", edited, methods=["POST"]),
    ]


def _head(shelf: Shelf, book: Book, case: Case) -> dict[str, Any]:
    return headed(shelf, book, "cases") | {"title": case.id}


def _case(shelf: Shelf, asked: Asked, name: str) -> tuple[Book, Entry, Case]:
    book = shelf.book(asked, asked.request.path_params["name"])
    entry = book.entry(name)
    if entry is None:
        raise Refused(404, f"{book.known.name} has no case {name[:80]!r}", hint="the list of cases finds it by a word")
    return book, entry, book.case(entry)


def _told(shelf: Shelf, asked: Asked, book: Book, entry: Entry, case: Case) -> dict[str, Any]:
    """What a case is shown with, in a row or on its page."""
    here = asked.url(f"/datasets/{segment(book.known.name)}/case", id=case.id, **as_query(chosen(asked)))
    return {
        "book": book,
        "entry": entry,
        "case": case,
        "here": here,
        "state": state_of(case),
        "turns": turns_of(case.input),
        "input": text_of(case.input),
        "expected": text_of(msgspec.to_builtins(case.expected)),
        "context": text_of(msgspec.to_builtins(case.context)),
        "provenance": text_of(case.provenance or None),
        "meta": text_of(case.meta or None),
        "traces": [(each, f"/traces/{segment(each)}") for each in traces_of(case)],
        "passes": shelf.books(asked).passes(book, [entry]).get(case.id, {}),
        "editable": book.path.suffix.lower() != ".csv" and asked.may("review"),
        "in_place": may_write(book.path),
    }


def _chain(shelf: Shelf, asked: Asked, book: Book, case: Case) -> dict[str, Any]:
    """The chain of a case, and why there is none where there is none."""
    links: tuple[Link, ...] = ()
    try:
        project = shelf.books(asked).project
        found = chain_of(project, case.id, "case")
        links = tuple(replace(each, said=each.said.replace(f"{project.root}/", "")) for each in found.links)
        return {"links": links, "missing": found.missing}
    except GatewatchError:
        why = "it is in no suite's dataset" if not book.known.suites else "it cannot be read now"
        return {"links": links, "missing": (f"no chain: {why}",)}


def _wanted(fields: Form, case: Case) -> Wanted:
    """What a form says that a case is to be; a field that it does not have stays as it is."""
    found = wanted_of(case)
    if fields.get("whole") != "yes":
        return found
    lines = fields.get("expected", found.expected).replace("\r\n", "\n")
    kept = found.expected.replace("\r\n", "\n")
    return replace(
        found,
        expected=found.expected if lines == kept else lines,
        slice=fields.get("slice", found.slice).strip(),
        tier=fields.get("tier", found.tier),
        must_pass=fields.get("must_pass") == "yes",
        retired=fields.get("retired", found.retired).strip(),
    )


def _write(shelf: Shelf, asked: Asked, book: Book, case: Case, state: str, wanted: Wanted) -> Response:
    if not shelf.may_write(asked, book):
        raise Refused(409, f"{book.known.path} cannot be written to here", hint="download the patch instead")
    made = write(book.path, case.id, state, wanted)
    if made.before != made.after:
        asked.store.note(wall(), asked.visitor.author, "dataset", f"{case.id} edited in {book.known.path}")
    return answers.elsewhere(asked.url(f"/datasets/{segment(book.known.name)}/case", id=case.id, saved=1))
