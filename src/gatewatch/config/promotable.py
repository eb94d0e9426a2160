"""What is to be promoted: from the names that people give to requests, with all that was said of them."""

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.project import Problems
from gatewatch.core import codec
from gatewatch.core.case import Expected
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.failure import failure_name, number_in
from gatewatch.core.review import Item, is_right
from gatewatch.core.trace import Trace
from gatewatch.loop.label import item_name
from gatewatch.loop.promote import Source
from gatewatch.loop.same import Way

if TYPE_CHECKING:
    from gatewatch.store.base import Store

_EVERY = 1000


class Asked(Struct, frozen=True, kw_only=True):
    """How somebody wants things to be promoted; what they leave open, `[loop]` says. `alone` leaves out the turns
    before a request in its session; `slice` goes before that of the request; `outbox` leaves the dataset's file as it
    is, `dry` everything; `look` is for a first look, before it is said what is expected."""

    by: str
    suite: str = ""
    expected: str | Expected | None = None
    owner: str = ""
    until: date | None = None
    strict: bool = False
    way: Way = ""
    alone: bool = False
    slice: str = ""
    look: bool = False
    outbox: bool = False
    dry: bool = False


def sources(store: "Store", what: Sequence[str], asked: Asked) -> tuple[list[Source], list[str]]:
    """The requests that are meant, once each, and what is to be said of those that are left out."""
    found: dict[str, Source] = {}
    left: list[str] = []
    problems = Problems()
    for name in what:
        with problems.gather():
            failure, item = number_in(name, "F"), number_in(name, "I")
            if failure is not None:
                each = _of_failure(store, failure, asked, left)
            elif item is not None:
                each = [_of_item(store, item, asked)]
            else:
                each = [_of_trace(store, name, asked)]
            for source in each:
                found.setdefault(source.trace.id, source)
    problems.raise_any()
    if asked.expected is not None and len(found) > 1:
        what = f"says what is right of one request, and {len(found)} are meant"
        raise InputError(Problem("--expected", what, "promote them one by one: I7, or a request's id"))
    return list(found.values()), left


def _of_failure(store: "Store", number: int, asked: Asked, left: list[str]) -> list[Source]:
    name = failure_name(number)
    if store.failure(number) is None:
        raise InputError(Problem(name, "there is no such failure", "`gatewatch mine FLOW` finds and lists them"))
    items = store.items(failure=number, queue="failures", most=_EVERY)
    labels: dict[int, int] = {}
    found = []
    for item in items:
        source = _source(store, item, asked)
        if item.state != "settled" or source.said is None:
            labels[item.id] = 0
        elif not is_right(source.said.value, item.mark):
            found.append(source)
    if labels:
        left.append(f"{len(labels)} of {len(items)} items of {name} are not settled yet: `gatewatch label {name}`")
    if not found:
        right = len(items) - len(labels)
        what = "has no item that people found wrong" + (f"; {right} were found right" if right else "")
        hint = f"`gatewatch label {name}` asks them" if labels else "`gatewatch mine` puts up more of its requests"
        raise InputError(Problem(name, what, hint))
    return found


def _of_item(store: "Store", number: int, asked: Asked) -> Source:
    name = item_name(number)
    item = store.item(number)
    if item is None:
        raise InputError(Problem(name, "there is no such item", "`gatewatch label status` says what there is"))
    source = _source(store, item, asked)
    _check_said(name, item, source, asked)
    return source


def _check_said(name: str, item: Item, source: Source, asked: Asked) -> None:
    if asked.expected is not None or asked.look:
        return
    label = f"`gatewatch label I{item.id}`"
    if item.state == "disputed":
        raise InputError(Problem(name, "its reviewers disagree", f"`gatewatch label settle I{item.id}`"))
    if item.state != "settled" or source.said is None:
        raise InputError(Problem(name, "is not labelled yet", f"{label} first, or say with --expected what is right"))
    if is_right(source.said.value, item.mark):
        what = "was found right: there is nothing to guard"
        raise InputError(Problem(name, what, "say with --expected what is right, to promote it all the same"))


def _of_trace(store: "Store", name: str, asked: Asked) -> Source:
    row = store.find(name)
    trace = name if row is None else row.id
    items = store.items(trace=trace)
    if items:
        item = next((each for each in reversed(items) if each.state == "settled"), items[-1])
        source = _source(store, item, asked)
        _check_said(name, item, source, asked)
        return source
    if row is None:
        hint = "names are F3 (a failure), I7 (an item), or the id of a request"
        raise InputError(Problem(name, "no such request is stored", hint))
    if asked.expected is None and not asked.look:
        hint = "say with --expected what is right, or have it mined and labelled"
        raise InputError(Problem(name, "nobody said what is wrong with it", hint))
    payload = store.payload(row.seq)
    if payload is None:
        raise InputError(Problem(name, "what was said in it is no longer kept", "see [online] hold and payload_rate"))
    whole = codec.decode(payload, Trace)
    return Source(trace=whole, earlier=_earlier(store, whole, asked), scores=_scores(store, row.seq))


def _source(store: "Store", item: Item, asked: Asked) -> Source:
    """An item, with all that is known of its request."""
    payload = store.item_trace(item.id)
    if payload is None:
        raise InputError(Problem(item_name(item.id), "its request was erased"))
    trace = codec.decode(payload, Trace)
    row = store.find(trace.id)
    return Source(
        trace=trace,
        earlier=_earlier(store, trace, asked),
        item=item,
        failure=store.failure(item.failure) if item.failure else None,
        labels=tuple(store.labels([item.id])),
        scores={} if row is None or row.id != trace.id else _scores(store, row.seq),
    )


def _scores(store: "Store", seq: int) -> dict[str, float]:
    said = [each.score for each in store.scores(seq)]
    return {score.name: score.value for score in said if score.value is not None}


def _earlier(store: "Store", trace: Trace, asked: Asked) -> tuple[Trace, ...]:
    """The turns before a request in its session, where it asks by text alone, so that they are what it builds on."""
    if asked.alone or not trace.session or not isinstance(trace.input, str):
        return ()
    row = store.find(trace.id)
    hint = "--alone promotes it without the turns before it"
    if row is None or row.id != trace.id:
        raise InputError(Problem(trace.id, "what came before it in its session is no longer stored", hint))
    rows = []
    for each in store.session(row.flow, row.session):
        if each.seq == row.seq:
            break
        rows.append(each)
    payloads = store.payloads([each.seq for each in rows])
    if gone := sum(each.seq not in payloads for each in rows):
        what = f"{gone} of the {len(rows)} turns before it in its session are no longer kept"
        raise InputError(Problem(trace.id, what, hint))
    return tuple(codec.decode(payloads[each.seq], Trace) for each in rows)
