"""Looking through live requests: those of a kind, the newest first or the worst of a window, each in one line.

Nothing here goes through all that is stored: so many requests are looked at, and it is said how far back that is.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from gatewatch.core import codec, marks
from gatewatch.core.score import Source
from gatewatch.core.trace import Trace
from gatewatch.loop.likeness import asked
from gatewatch.store.base import Store
from gatewatch.store.rows import KeptScore, Row, SignalCell, Tier

LOOKED = 2000
"""How many requests are looked at for one page at the most."""
AMONG = 5000
"""The worst are the worst of the newest so many values of a window."""
SNIPPET = 400
"""Letters of an input or output in a line."""
_PAGE = 500
_ALL = 2**31
_EVER = 2**40


class Wanted(Struct, frozen=True, kw_only=True):
    """Which requests: each field narrows them, an empty one does not. `low` and `high` bound the value that `scorer`
    gave. `text` is looked for in ids, the session, tags, and what was said where that is still there."""

    flow: str = ""
    slice: str = ""
    variant: str = ""
    version: str = ""
    mark: str = ""
    session: str = ""
    text: str = ""
    scorer: str = ""
    low: float | None = None
    high: float | None = None
    since: float = 0.0
    until: float = _EVER

    @property
    def by_score(self) -> bool:
        """Whether values of a scorer narrow them."""
        return bool(self.scorer) and (self.low is not None or self.high is not None)


class Line(Struct, frozen=True):
    """A request in one line: what was asked and answered, cut; all that was said of it. `there` is whether its payload
    is."""

    row: Row
    input: str = ""
    output: str = ""
    scores: tuple[KeptScore, ...] = ()
    there: bool = False
    masked: int = 0


class Found(Struct, frozen=True):
    """Requests that were found. `next` is the number to go on before, None where nothing older is left; `looked` how
    many were looked at, back to a time."""

    lines: tuple[Line, ...]
    next: int | None = None
    looked: int = 0
    back_to: float | None = None


class Facet(Struct, frozen=True):
    """A value that requests may be narrowed by, and about how many of them have it."""

    name: str
    n: int


class _Said(Struct):
    """As much of a payload as a line shows."""

    input: str | dict[str, Any] = ""
    output: Any = None
    redacted: tuple[dict[str, Any], ...] = ()


def explore(store: Store, wanted: Wanted, *, before: int = 0, most: int = 48) -> Found:
    """Requests, those first that were stored last; of a window that is over, those that happened last.

    Args:
        store: where they are.
        wanted: which.
        before: a number to go on before, for a next page.
        most: how many.
    """
    lines: list[Line] = []
    looked, cursor, back_to = 0, before, None
    while len(lines) < most and looked < LOOKED:
        page = _rows(store, wanted, cursor)
        for place, row in enumerate(page, 1):
            looked, cursor, back_to = looked + 1, row.seq, row.at
            if _fits(row, wanted) and (line := _line(store, row, wanted)) is not None:
                lines.append(line)
            if len(lines) == most:
                more = place < len(page) or len(page) == _PAGE
                return Found(tuple(lines), cursor if more else None, looked, back_to)
        if len(page) < _PAGE:
            return Found(tuple(lines), None, looked, back_to)
    return Found(tuple(lines), cursor, looked, back_to)


def _rows(store: Store, wanted: Wanted, before: int) -> list[Row]:
    if wanted.session and wanted.flow:
        every = reversed(store.session(wanted.flow, wanted.session))
        return [row for row in every if not before or row.seq < before][: _PAGE - 1]
    if wanted.flow and wanted.until < _EVER:
        return store.between(wanted.flow, wanted.since, wanted.until, _PAGE, before)
    return store.latest(
        wanted.flow,
        slice=wanted.slice,
        marks=marks.bits([wanted.mark]) if wanted.mark else 0,
        since=wanted.since,
        before=before,
        most=_PAGE,
    )


def _fits(row: Row, wanted: Wanted) -> bool:
    """Whether a request is one of those, by its row alone."""
    return (
        wanted.since <= row.at < wanted.until
        and wanted.slice in ("", row.slice)
        and wanted.variant in ("", row.variant)
        and wanted.version in ("", row.version)
        and wanted.session in ("", row.session)
        and (not wanted.mark or bool(row.marks & marks.bits([wanted.mark])))
    )


def _line(store: Store, row: Row, wanted: Wanted) -> Line | None:
    """A request's line, None where what was said in it, or of it, leaves it out."""
    scores = tuple(store.scores(row.seq))
    if wanted.by_score and not any(_between(each, wanted) for each in scores):
        return None
    line = line_of(store, row, scores, whole=bool(wanted.text))
    if not wanted.text:
        return line
    text = wanted.text.casefold()
    told = (row.id, row.external_id, row.session, row.user, *row.tags, line.input, line.output)
    if not any(text in each.casefold() for each in told):
        return None
    return msgspec.structs.replace(line, input=_around(line.input, text), output=_around(line.output, text))


def _between(kept: KeptScore, wanted: Wanted) -> bool:
    value = kept.score.value
    if kept.score.name != wanted.scorer or value is None:
        return False
    return (wanted.low is None or value >= wanted.low) and (wanted.high is None or value <= wanted.high)


def line_of(store: Store, row: Row, scores: Sequence[KeptScore] | None = None, *, whole: bool = False) -> Line:
    """A request in one line; `whole` without cutting what was said."""
    payload = store.payload(row.seq)
    said = codec.decode(payload, _Said) if payload else None
    kept = tuple(store.scores(row.seq)) if scores is None else tuple(scores)
    if said is None:
        return Line(row, scores=kept)
    texts = asked(said.input), "" if said.output is None else codec.text_of(said.output)
    shown = texts if whole else tuple(text[:SNIPPET] for text in texts)
    masked = sum(each.get("count", 1) for each in said.redacted)
    return Line(row, shown[0], shown[1], kept, True, masked)


def _around(text: str, found: str) -> str:
    """A cut of a text in which what was looked for is seen."""
    place = text.casefold().find(found)
    begin = max(0, place - SNIPPET // 4)
    return ("…" if begin else "") + text[begin : begin + SNIPPET]


def worst(
    store: Store, wanted: Wanted, ruler: tuple[str, str, Source], *, begin: int = 0, most: int = 48
) -> tuple[Found, int]:
    """The requests of a window with the lowest values of a scorer (name, fingerprint, source), the worst first, from
    the one at a place on; and among how many values.

    `next` of what is found is a place, not a number.
    """
    values = store.worst(wanted.flow, *ruler, wanted.since, wanted.until, AMONG)
    lines: list[Line] = []
    place = begin
    while place < len(values) and len(lines) < most:
        numbers = [seq for seq, _ in values[place : place + most]]
        for row in store.numbered_rows(numbers):
            if len(lines) < most:
                place += 1
                if _fits(row, wanted):
                    lines.append(line_of(store, row))
        place = max(place, begin + len(numbers)) if len(lines) < most else place
        begin = place
    return Found(tuple(lines), place if place < len(values) else None, len(values)), len(values)


def every_worst(store: Store, wanted: Wanted, ruler: tuple[str, str, Source]) -> Iterator[list[Line]]:
    """All requests of a window that a scorer (name, fingerprint, source) gave a value, the lowest first, in pages; its
    cost is in their number."""
    values = store.worst(wanted.flow, *ruler, wanted.since, wanted.until, _ALL)
    for place in range(0, len(values), _PAGE):
        rows = store.numbered_rows([seq for seq, _ in values[place : place + _PAGE]])
        yield [line_of(store, row) for row in rows if _fits(row, wanted)]


def facets(
    store: Store, wanted: Wanted, tier: Tier
) -> dict[Literal["slice", "variant", "version", "mark"], list[Facet]]:
    """By what requests of a flow and window may be narrowed, with about how many each leaves; all others of `wanted`
    hold, but for text and values, which are not counted."""
    cells = [
        cell
        for flow in ([wanted.flow] if wanted.flow else store.flows())
        for cell in store.signals(flow, tier, wanted.since, wanted.until)
    ]
    return {
        "slice": _counted("slice", cells, wanted),
        "version": _counted("version", cells, wanted),
        "variant": _counted("variant", cells, wanted),
        "mark": list(_marked(cells, wanted)),
    }


def about(store: Store, wanted: Wanted, tier: Tier) -> int | None:
    """About how many requests there are of those wanted, to the buckets of a tier; None where that is not counted: by
    texts, values and sessions."""
    if wanted.text or wanted.session or wanted.by_score:
        return None
    bit = marks.bits([wanted.mark]) if wanted.mark else 0
    return sum(
        cell.marks.get(bit, 0) if bit else cell.n
        for flow in ([wanted.flow] if wanted.flow else store.flows())
        for cell in store.signals(flow, tier, wanted.since, wanted.until)
        if all(getattr(wanted, name) in ("", getattr(cell, name)) for name in _OTHERS)
    )


def _counted(name: str, cells: Iterable[SignalCell], wanted: Wanted) -> list[Facet]:
    found: dict[str, float] = {}
    for cell in cells:
        if all(getattr(wanted, other) in ("", getattr(cell, other)) for other in _OTHERS if other != name):
            value = getattr(cell, name)
            found[value] = found.get(value, 0.0) + cell.n / cell.share
    every = [Facet(value, round(n)) for value, n in found.items() if value]
    return sorted(every, key=lambda each: (-each.n, each.name))


_OTHERS = ("slice", "variant", "version")


def _marked(cells: Iterable[SignalCell], wanted: Wanted) -> Iterator[Facet]:
    found: dict[int, float] = {}
    for cell in cells:
        if all(getattr(wanted, other) in ("", getattr(cell, other)) for other in _OTHERS):
            for bit, n in cell.marks.items():
                found[bit] = found.get(bit, 0.0) + n / cell.share
    for name in marks.MARKS:
        if n := round(found.get(marks.bits([name]), 0.0)):
            yield Facet(name, n)


def similar(store: Store, row: Row, trace: Trace, *, most: int = 8, among: int = LOOKED) -> list[tuple[Line, float]]:
    """The requests of a flow whose input is most like one's, of the newest so many that still have theirs, each with
    its likeness (0..1)."""
    from rapidfuzz import process
    from rapidfuzz.distance import Indel

    from gatewatch.loop.likeness import normal

    mine = normal(asked(trace.input))[:LOOKED]
    others: dict[int, str] = {}
    for other in store.latest(row.flow, since=0.0, most=among):
        if other.seq != row.seq and other.payload in ("held", "kept") and (payload := store.payload(other.seq)):
            others[other.seq] = normal(asked(codec.decode(payload, _Said).input))[:LOOKED]
    if not mine or not others:
        return []
    found = process.extract(mine, others, scorer=Indel.normalized_similarity, processor=None, limit=most)
    likeness = {number: float(score) for _, score, number in found}
    rows = {each.seq: each for each in store.numbered_rows(list(likeness))}
    return [(line_of(store, rows[number]), score) for number, score in likeness.items() if number in rows]
