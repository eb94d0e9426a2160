"""Traces: looking through live requests, and one request with all that is known of it."""

import asyncio
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.live import flows_of, tier_for
from gatewatch.config.sending import send
from gatewatch.core import codec, marks
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.core.trace import Trace
from gatewatch.loop.explore import Found, Wanted, about, explore, facets, similar
from gatewatch.loop.label import Part, item_name, label_plain, parts_of
from gatewatch.online.ledger import ledger
from gatewatch.store.rows import Row
from gatewatch.web.forms import form
from gatewatch.web.pages import traced
from gatewatch.web.pages.answers import elsewhere
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.exports import exported, form_of
from gatewatch.web.pages.house import Found as Offer
from gatewatch.web.pages.house import House, Screen
from gatewatch.web.pages.segments import named, segment
from gatewatch.web.pages.spans import waterfall
from gatewatch.web.pages.windows import RANGES, Span, span_of
from gatewatch.web.refusals import Refused

TABS = ("conversation", "timeline", "spans", "raw")
_WINDOW = 48
_SENT = 5000
_PAGE = 480
_FACETS = ("mark", "slice", "version", "variant")
_LONGEST = 400
_SCORES = 3
"""Scorers that have a column of their own; the others are chosen by name."""
_ROLES = ("user", "assistant", "system", "tool", "input", "output", "step", "error", "timeout")


def routes(house: House) -> list[Route]:
    """The list, one request, what is like it, and what may be done with some."""

    async def listed(request: Request) -> Response:
        asked = await house.enter(request)
        span = span_of(asked)
        data = await asyncio.to_thread(_listed, asked, span)
        if asked.fragment and asked.number("before"):
            return await house.fragment(asked, "traces/rows.html", **data)
        if asked.fragment:
            part = "live" if asked.fragment == "live" else "list"
            return await house.fragment(asked, f"traces/{part}.html", one=None, **data)
        name = asked.get("trace")
        opened = await asyncio.to_thread(whole, asked, name) if name else None
        return await house.page(asked, "traces/page.html", title="Traces", screen="traces", one=opened, **data)

    async def one(request: Request) -> Response:
        asked = await house.enter(request)
        if asked.get("similar") == "yes":
            return await like(asked, named(request, "trace"))
        if asked.fragment == "text":
            text = await asyncio.to_thread(_text, asked, named(request, "trace"))
            return await house.fragment(asked, "traces/text.html", text=text)
        found = await asyncio.to_thread(whole, asked, named(request, "trace"))
        if asked.fragment:
            return await house.fragment(asked, "traces/trace.html", one=found)
        return await house.page(asked, "traces/one.html", title="Trace", screen="traces", one=found)

    async def like(asked: Asked, name: str) -> Response:
        def read() -> dict[str, Any]:
            row, trace = _known(asked, name)
            found = similar(asked.store, row, trace) if trace is not None else []
            traced.note(asked, [line for line, _ in found])
            return {"row": row, "found": found}

        data = await asyncio.to_thread(read)
        if asked.fragment:
            return await house.fragment(asked, "traces/similar.html", **data)
        return await house.page(asked, "traces/similar_page.html", title="Similar traces", screen="traces", **data)

    async def export(request: Request) -> Response:
        asked = await house.enter(request)
        kind, span = form_of(request), span_of(asked)
        wanted = wanted_of(asked, span)

        def rows() -> Iterable[Mapping[str, Any]]:
            before = 0
            while True:  # until nothing older is left: an export is the whole of what was filtered
                page = explore(asked.store, wanted, before=before, most=_PAGE)
                traced.note(asked, page.lines)
                yield from (traced.columns_of(each) for each in page.lines)
                if page.next is None:
                    return
                before = page.next

        return exported(kind, "gatewatch.traces", traced.COLUMNS, rows(), traced.filter_of(wanted))

    return [
        Route("/traces", listed),
        Route("/traces.{form}", export),
        _acting(house),
        Route("/traces/{trace:path}", one),
    ]


def _acting(house: House) -> Route:
    """What is done with requests that were selected: they go to review, or make a failure."""

    async def act(request: Request) -> Response:
        asked = await house.enter(request, "review")
        given = await form(request)
        names = [each for each in given.getlist("trace") if each][:_SENT]
        if not names:
            raise Refused(422, "no request is selected", hint="select some with x, or by their boxes")
        how = given.get("act", "review")
        title = given.get("name", "").strip()[:200]
        by = traced.author(asked)

        def done() -> str:
            made = send(
                asked.store,
                asked.project,
                names,
                by=by,
                now=wall(),
                scorer=given.get("scorer", "")[:_LONGEST],
                failure=title if how == "failure" else None,
            )
            asked.store.note(
                wall(), by, "sent to review", f"{len(made.items)} requests" + (f" as {made.name}" if made.name else "")
            )
            return made.name

        try:
            made = await asyncio.to_thread(done)
        except InputError as error:
            raise traced.refused(error) from None
        return elsewhere(asked.url(f"/failures/{made}" if made else "/review"))

    return Route("/traces/act", act, methods=["POST"])


def wanted_of(asked: Asked, span: Span) -> Wanted:
    """Which requests a page is asked for."""
    return Wanted(
        flow=asked.get("flow"),
        slice=asked.get("slice"),
        variant=asked.get("variant"),
        version=asked.get("version"),
        mark=asked.get("mark", among=("", *marks.MARKS)),
        session=asked.get("session"),
        text=asked.get("q", longest=200).strip(),
        scorer=asked.get("scorer"),
        low=_bound(asked.get("low")),
        high=_bound(asked.get("high")),
        since=span.since,
        until=span.until if span.name not in RANGES else 2**40,
    )


def _bound(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return min(1.0, max(0.0, value)) if value == value else None  # noqa: PLR0124 - NaN is no bound


def _listed(asked: Asked, span: Span) -> dict[str, Any]:
    wanted = wanted_of(asked, span)
    store = asked.store
    found = explore(store, wanted, before=asked.number("before", most=2**62), most=_WINDOW)
    traced.note(asked, found.lines)
    counted = {} if asked.fragment == "live" else facets(store, wanted, tier_for(span.length))
    flows = flows_of(store, asked.project)
    works = [each for each in store.works() if wanted.flow in ("", each.flow)]
    scorers = sorted({each.scorer for each in works})
    asked_of = sorted({each.scorer for each in works if each.source in ("judge", "rule")})
    return {
        "span": span,
        "ranges": list(RANGES),
        "wanted": wanted,
        "lines": found,
        "following": asked.link(before=found.next, trace=None) if found.next is not None else "",
        "left": 0,
        "scorer": wanted.scorer,
        "score_columns": asked_of[:_SCORES],
        "total": about(store, wanted, tier_for(span.length)),
        "facets": [(name, counted.get(name, [])) for name in _FACETS],  # type: ignore[call-overload]
        "flows": [("", "all"), *((flow, flow) for flow in flows)],
        "scorers": [("", "any"), *((name, name) for name in scorers)],
        "tail": asked.get("tail") == "on",
        "low": asked.get("low", longest=8),
        "high": asked.get("high", longest=8),
        "query": dict(asked.request.query_params),
        "filtered": _filtered(wanted),
        "stopped": _stopped(found),
        "mark_names": marks.names,
    }


def _filtered(wanted: Wanted) -> bool:
    """Whether anything but the time narrows the list."""
    names = ("flow", "slice", "variant", "version", "mark", "session", "text")
    return wanted.by_score or any(getattr(wanted, name) for name in names)


def _stopped(found: Found) -> bool:
    """Whether there may be more, further back than was looked."""
    return found.next is not None and len(found.lines) < _WINDOW


# One request


def _known(asked: Asked, name: str) -> tuple[Row, Trace | None]:
    row = asked.store.find(name) if 0 < len(name) <= _LONGEST else None
    if row is None:
        raise Refused(404, "no such request is stored", hint="it may be older than is kept, or was erased")
    payload = asked.store.payload(row.seq)
    return row, codec.decode(payload, Trace) if payload else None


def _text(asked: Asked, name: str) -> str:
    """One text of a request, whole: a part of the conversation, or all of it as it is stored; that is noted."""
    row, trace = _known(asked, name)
    asked.store.note(wall(), traced.author(asked), "read", row.id)
    if trace is None:
        raise Refused(404, "what was said in it is not kept any more")
    if asked.get("tab") == "raw":
        return codec.indented(trace)
    parts, number = parts_of(trace), asked.number("part")
    if number >= len(parts):
        raise Refused(404, "there is no such part of it")
    return parts[number].text


def whole(asked: Asked, name: str) -> dict[str, Any]:
    """All that is known of a request; that it was looked at is noted."""
    store = asked.store
    row, trace = _known(asked, name)
    asked.store.note(wall(), traced.author(asked), "read", row.id)
    items = {item.id: item for item in store.items(trace=row.id)}
    found = ledger(store, row)
    steps = waterfall(trace) if trace is not None and trace.spans else None
    session = store.session(row.flow, row.session) if row.session else []
    turns = [each.id for each in session]
    at = turns.index(row.id) if row.id in turns else 0
    parts = parts_of(trace) if trace is not None else []
    part = asked.number("part", default=10**6)
    return {
        "row": row,
        "trace": trace,
        "tab": asked.get("tab", "conversation", among=TABS),
        "tabs": TABS,
        "parts": _grouped(parts),
        "roles": _ROLES,
        "part": parts[part].text if part < len(parts) else None,
        "raw": codec.indented(trace) if trace is not None and asked.get("tab") == "raw" else "",
        "scores": traced.ordered(store.scores(row.seq)),
        "others": [each for each in found.entries if each.score is None],
        "labels": [(item_name(label.item), label_plain(items[label.item], label)) for label in store.labels(items)],
        "items": [(item_name(item.id), item.state) for item in items.values()],
        "steps": steps,
        "masked": [] if trace is None else trace.redacted,
        "turn": (at + 1, len(turns)),
        "previous": turns[at - 1] if at else "",
        "next": turns[at + 1] if at + 1 < len(turns) else "",
        "marks": marks.names(row.marks | row.late),
        "quoted": traced.quoted,
    }


def _grouped(parts: Iterable[Part]) -> list[tuple[bool, list[tuple[int, Part]]]]:
    """The parts of a conversation with their numbers; steps that follow one another are together."""
    known = [(number, each) for number, each in enumerate(parts) if each.text]
    return [(steps, list(some)) for steps, some in groupby(known, lambda each: each[1].heading == "step")]


def find(asked: Asked, text: str) -> list[Offer]:
    """What the menu offers: a request, by its whole id or the application's own name for it."""
    row = asked.store.find(text.strip()) if 6 <= len(text.strip()) <= _LONGEST else None
    return [Offer(row.id, "trace", f"/traces/{segment(row.id)}")] if row is not None else []


SCREEN = Screen(
    key="traces", path="/traces", title="Traces", group="Live", icon="traces", chord="t", routes=routes, find=find
)
