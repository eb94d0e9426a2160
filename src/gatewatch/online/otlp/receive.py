"""What the server does with the body of an OTLP request: pieces for the store, and what was refused, by reason."""

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.spots import unescaped
from gatewatch.core.traceparent import OURS, is_ours
from gatewatch.online.otlp import decode, part
from gatewatch.online.otlp.decode import Signal
from gatewatch.online.otlp.flat import Attributes, RawLog, RawSpan
from gatewatch.online.otlp.mapping import Reading, identity, part_of, part_of_log
from gatewatch.online.otlp.part import MARGIN, Part, trimmed
from gatewatch.online.otlp.reading import text
from gatewatch.online.otlp.redacting import Cleaning, cleaned
from gatewatch.online.redact import find
from gatewatch.online.serialise import texts_cut
from gatewatch.store.rows import Piece

MOST_PIECE = 1 << 20
"""The most bytes of one part; its texts are cut beyond that."""
_LONGEST = 1 << 18
_MOST_ATTRIBUTES, _MOST_EVENTS = 10_000, 1000
_TRACE, _SPAN = 32, 16
_HEX = frozenset("0123456789abcdef")
_NO_ID = "span without a valid id"
_OURS = "call of our own judges"
_NO_SPAN = "log record without a span"
_NO_CONTENT = "log record that tells of no model call"
_METRICS = "metric"
_UNREADABLE = "span that cannot be read"


class Rules(Struct, frozen=True, kw_only=True):
    """How a project takes OTLP in: how spans are read, and what is taken out of them before they are stored."""

    reading: Reading = Reading()
    cleaning: Cleaning = Cleaning()


class Received(Struct, frozen=True):
    """What came of one request: pieces to be staged, and how many spans and records were left out, by reason."""

    pieces: tuple[Piece, ...] = ()
    refused: Mapping[str, int] = {}


def received(body: bytes, content_type: str, signal: Signal, rules: Rules) -> Received:
    """Read the body of an OTLP request, unpacked.

    Metrics are read, counted and left out.

    Raises:
        BadPayload: when it is not what the signal and the content type say.
    """
    refused: Counter[str] = Counter()
    if signal == "metrics":
        if number := decode.metrics(body, content_type):
            refused[_METRICS] = number
        return Received(refused=refused)
    if signal == "traces":
        spans = decode.spans(body, content_type)
        found = [piece for span in spans if (piece := _span(span, rules, refused)) is not None]
        return Received(tuple(found), refused=refused)
    logs = decode.logs(body, content_type)
    told = [piece for order, log in enumerate(logs) if (piece := _log(log, order, rules, refused)) is not None]
    return Received(tuple(told), refused=refused)


def _span(span: RawSpan, rules: Rules, refused: Counter[str]) -> Piece | None:
    if not _valid(span.trace, _TRACE) or not _valid(span.span, _SPAN):
        refused[_NO_ID] += 1
        return None
    if is_ours(span.trace) or text(span.attributes.get("user_agent.original")).startswith(OURS):
        refused[_OURS] += 1
        return None
    if not _valid(span.parent, _SPAN):
        span = span._replace(parent="")
    try:
        room = [MOST_PIECE]
        attributes = _bounded(span.attributes, room)
        events = [each._replace(attributes=_bounded(each.attributes, room)) for each in span.events[:_MOST_EVENTS]]
        found = part_of(span._replace(attributes=attributes, events=events), rules.reading)
        body = _body(found if room[0] > 0 else _flawed(found), rules)
    except Exception:  # whatever an instrumentation wrote into one span, the others are good
        refused[_UNREADABLE] += 1
        return None
    return Piece(span.trace, span.span, "", not span.parent, body)


def _log(log: RawLog, order: int, rules: Rules, refused: Counter[str]) -> Piece | None:
    if not _valid(log.trace, _TRACE) or not _valid(log.span, _SPAN):
        refused[_NO_SPAN] += 1
        return None
    if is_ours(log.trace):
        refused[_OURS] += 1
        return None
    try:
        room = [MOST_PIECE]
        found = part_of_log(log._replace(attributes=_bounded(log.attributes, room)), order, rules.reading)
        body = b"" if found is None else _body(found if room[0] > 0 else _flawed(found), rules)
        named = identity(log)
    except Exception:  # as above
        refused[_UNREADABLE] += 1
        return None
    if found is None:
        refused[_NO_CONTENT] += 1
        return None
    return Piece(log.trace, log.span, f"log:{named}", root=False, body=body)


def _bounded(given: Attributes, room: list[int]) -> Attributes:
    """Attributes with no more text than there is room for, which is taken of it: what is very long is not even read.

    There is no room left where anything was cut.
    """
    took = sum(len(value) for value in given.values() if type(value) is str)
    if took < room[0] and len(given) <= _MOST_ATTRIBUTES:
        room[0] -= took
        return given
    made: Attributes = {}
    left = max(room[0], _LONGEST // 8)
    for key, value in list(given.items())[:_MOST_ATTRIBUTES]:
        made[key] = _cut(value, min(left, _LONGEST)) if type(value) is str else value
        left -= len(made[key]) if type(value) is str else 0
    room[0] = 0
    return made


def _cut(value: str, length: int) -> str:
    """The beginning of a text, which does not end amidst something personal: half of it would not be recognised."""
    if len(value) <= length:
        return value
    start = max(length - MARGIN, 0)
    window = value[start : length + MARGIN]
    if unescaped(window) != window:  # places in it are elsewhere in what it stands for
        return value[:start]
    amidst = [each.start for each in find(window) if each.start < length - start < each.end]
    return value[: start + min(amidst, default=length - start)]


def _valid(name: str, length: int) -> bool:
    return len(name) == length and _HEX.issuperset(name) and name.strip("0") != ""


def _body(found: Part, rules: Rules) -> bytes:
    made = trimmed(cleaned(found, rules.cleaning))
    body = part.encode(made)
    limit = MOST_PIECE
    while len(body) > MOST_PIECE and limit > 64:
        limit //= 4
        body = part.encode(_shortened(made, limit))
    if len(body) > MOST_PIECE:  # many small things
        bare = replace(made, input=None, output=None, documents=(), trace_input=None, trace_output=None, attributes={})
        body = part.encode(_flawed(bare))
    return body


def _shortened(found: Part, limit: int) -> Part:
    cut = partial(texts_cut, limit=limit)
    fields = ("input", "output", "trace_input", "trace_output", "attributes")
    more: dict[str, Any] = {field: cut(getattr(found, field)) for field in fields}
    return _flawed(replace(found, documents=tuple(map(cut, found.documents)), **more))


def _flawed(found: Part) -> Part:
    return replace(found, flaws=(*found.flaws, "a span was too long, and what was said in it is cut"))
