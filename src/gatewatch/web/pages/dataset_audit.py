"""The audit of a dataset: asked for, followed, its findings with their evidence, and what it proposes made so."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.dataset_books import Book
from gatewatch.core.case import Case
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError
from gatewatch.loop.amend import amend, proposal
from gatewatch.loop.audit import Audit
from gatewatch.loop.finding import CHECKS, Finding, Proposed, answer_of
from gatewatch.web.forms import form
from gatewatch.web.pages import answers
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.case_texts import line_pieces, pieces, text_of
from gatewatch.web.pages.dataset_shelf import Shelf
from gatewatch.web.pages.house import House
from gatewatch.web.pages.segments import segment
from gatewatch.web.refusals import Refused

WINDOW = 48
_MOST_BESIDE = 6
_SOON_S = 0.5
_SHOWN_EDITS = 200
TITLES = {
    "must_pass_flaky": "Must pass, but flaky",
    "contradictory": "Contradictory",
    "suspect": "Label may be wrong",
    "leaked": "Leaked",
    "open": "Open too long",
    "duplicate": "Duplicate",
    "near_duplicate": "Near duplicate",
    "unlabelled": "Unlabelled",
    "missing_slice": "Missing slice",
    "flaky": "Flaky",
    "stale": "Stale",
    "saturated": "Saturated",
}


def headed(shelf: Shelf, book: Book, tab: str) -> dict[str, Any]:
    """What the head of a dataset's page is made of."""
    audited = shelf.audited(book.known)
    found = None if audited is None else len(audited.audit.findings)
    return {"title": book.known.name, "screen": "datasets", "tab": tab, "findings": found}


def routes(house: House, shelf: Shelf) -> list[Route]:
    """The pages of an audit."""

    async def shown(request: Request) -> Response:
        asked = await house.enter(request)
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        data = await asyncio.to_thread(_state, shelf, asked, book)
        if asked.fragment == "live":
            return await house.fragment(asked, "datasets/audit_body.html", **data)
        if asked.fragment:
            return await house.fragment(asked, "datasets/audit_rows.html", **data)
        return await house.page(asked, "datasets/audit.html", **headed(shelf, book, "audit"), **data)

    async def begin(request: Request) -> Response:
        asked = await house.enter(request, "review")
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        job = await asyncio.to_thread(shelf.audit, asked, book.known)
        await shelf.jobs.soon(job, _SOON_S)
        return answers.elsewhere(asked.url(f"/datasets/{segment(book.known.name)}/audit"))

    async def finding(request: Request) -> Response:
        asked = await house.enter(request)
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        one = _finding(_audit(shelf, book), request.path_params["number"])
        data = {"book": book, "one": one, "number": request.path_params["number"], "title_of": TITLES}
        data["beside"] = await asyncio.to_thread(_beside, book, one)
        if asked.fragment:
            return await house.fragment(asked, "datasets/finding.html", **data)
        head = headed(shelf, book, "audit") | {"title": f"{TITLES[one.check]}: {book.known.name}"}
        return await house.page(asked, "datasets/finding_page.html", **head, **data)

    async def edits(request: Request) -> Response:
        asked = await house.enter(request)
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        proposed, by = _proposed(asked, _audit(shelf, book))
        patch = await asyncio.to_thread(_patch, book, proposed)
        lines = await asyncio.to_thread(line_pieces, patch)
        data: dict[str, Any] = {
            "book": book,
            "by": by,
            "n": sum(sign != "@" for sign, _ in lines),
            "lines": lines[: 2 * _SHOWN_EDITS],
            "more": max(0, len(lines) - 2 * _SHOWN_EDITS),
            "writable": shelf.may_write(asked, book),
            "title_of": TITLES,
        }
        return await house.page(asked, "datasets/edits.html", **headed(shelf, book, "audit"), **data)

    async def apply(request: Request) -> Response:
        asked = await house.enter(request, "review")
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        fields = await form(request)
        one, check = fields.get("finding", ""), fields.get("check", "")
        audit = _audit(shelf, book)
        proposed = _of(audit, one, check)
        if not shelf.may_write(asked, book):
            raise Refused(409, f"{book.known.path} cannot be written to here", hint="download the patch instead")

        def write() -> int:
            made = amend(book.path, proposed)
            what = f"{book.known.path}: {made} of {len(proposed)} edits of an audit"
            asked.store.note(wall(), asked.visitor.author, "dataset", what)
            return made

        made = await asyncio.to_thread(write)
        return answers.elsewhere(asked.url(f"/datasets/{segment(book.known.name)}/audit", made=made))

    async def download(request: Request) -> Response:
        asked = await house.enter(request)
        book = await asyncio.to_thread(shelf.book, asked, request.path_params["name"])
        proposed, _ = _proposed(asked, _audit(shelf, book))
        return patched(await asyncio.to_thread(_patch, book, proposed), book)

    return [
        Route("/datasets/{name}/audit", shown),
        Route("/datasets/{name}/audit", begin, methods=["POST"]),
        Route("/datasets/{name}/audit/edits", edits),
        Route("/datasets/{name}/audit/edits", apply, methods=["POST"]),
        Route("/datasets/{name}/audit.patch", download),
        Route("/datasets/{name}/audit/{number:int}", finding),
    ]


def patched(patch: bytes, book: Book) -> Response:
    """A patch as a file."""
    name = f"{book.known.name}.patch".encode("ascii", "replace").decode().replace('"', "_")
    headers = answers.SAFE | answers.NOT_KEPT | {"content-disposition": f'attachment; filename="{name}"'}
    return Response(patch, 200, headers, "text/x-diff; charset=utf-8")


def _audit(shelf: Shelf, book: Book) -> Audit:
    audited = shelf.audited(book.known)
    if audited is None:
        raise Refused(404, "this dataset was not audited since the server started", hint="audit it first")
    return audited.audit


def _finding(audit: Audit, number: int) -> Finding:
    if not 0 <= number < len(audit.findings):
        raise Refused(404, "there is no such finding in the last audit", hint="it may have been of an earlier one")
    return audit.findings[number]


def _state(shelf: Shelf, asked: Asked, book: Book) -> dict[str, Any]:
    """How far the audit of a dataset is, and what the last one found, of a check."""
    audited, job = shelf.audited(book.known), shelf.job(book.known)
    check, offset = asked.get("check", among=tuple(CHECKS)), asked.number("offset")
    findings = [] if audited is None else list(enumerate(audited.audit.findings))
    every = [(number, each) for number, each in findings if check in ("", each.check)]
    return {
        "book": book,
        "job": job,
        "audited": audited,
        "audit": None if audited is None else audited.audit,
        "fresh": audited is None or audited.audit.dataset_version == book.dataset.version,
        "check": check,
        "checks": CHECKS,
        "title_of": TITLES,
        "rows": [(number, each, _is_done(book, each)) for number, each in every[offset : offset + WINDOW]],
        "n": len(every),
        "offset": offset,
        "after": offset + WINDOW,
        "edits": 0 if audited is None else _left(book, audited.audit, check),
        "made": asked.number("made", -1, least=-1),
        "now": wall(),
    }


def _left(book: Book, audit: Audit, check: str) -> int:
    """How many proposed edits, of a check or of all, are not made yet."""
    return sum(not _is_made(book, each) for each in _of(audit, "", check).values())


def _is_done(book: Book, finding: Finding) -> bool:
    """Whether all that a finding proposes is made."""
    return bool(finding.proposed) and all(_is_made(book, each) for each in finding.proposed)


def _is_made(book: Book, proposed: Proposed) -> bool:
    entry = book.entry(proposed.case)
    return entry is None or entry.state == "retired" or proposed.tier == entry.tier


def _beside(book: Book, finding: Finding) -> list[tuple[str, str, Any, Any]]:
    """The cases of a finding side by side: id, place, and pieces of what each asks and expects, the first as it is,
    others by what differs from it."""
    found: list[tuple[str, str, Any, Any]] = []
    first: Case | None = None
    for case_id, at in zip(finding.cases[:_MOST_BESIDE], finding.where, strict=False):
        place = f"{book.known.path}:{at.rpartition(':')[2]}"
        entry = book.entry(case_id)
        case = None if entry is None else book.case(entry)
        if case is None:
            found.append((case_id, place, None, None))
            continue
        one = case if first is None else first
        asked = pieces(text_of(one.input), text_of(case.input))
        expected = pieces(answer_of(one), answer_of(case))
        found.append((case_id, place, asked, expected))
        first = first or case
    return found


def _proposed(asked: Asked, audit: Audit) -> tuple[dict[str, Proposed], dict[str, str]]:
    """The edits that a page is about, and by what they are chosen."""
    one, check = asked.get("finding"), asked.get("check", among=tuple(CHECKS))
    return _of(audit, one, check), {"finding": one, "check": check}


def _of(audit: Audit, number: str, check: str) -> dict[str, Proposed]:
    """The proposed edits of one finding by its number, of a check, or all."""
    if number.isdecimal() and number.isascii():
        return {each.case: each for each in _finding(audit, int(number[:9])).proposed}
    return (audit.only([check]) if check in CHECKS else audit).proposed


def _patch(book: Book, proposed: dict[str, Proposed]) -> bytes:
    try:
        return proposal(book.path, proposed, book.known.path)
    except GatewatchError as error:
        raise Refused(409, str(error)[:500]) from None
