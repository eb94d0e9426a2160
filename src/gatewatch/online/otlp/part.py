"""What is kept of one span, or of one log record, until its trace is complete, whatever convention it spoke."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.trace import Redaction, SpanKind, Usage

LONGEST_NAME, LONGEST_TYPE, LONGEST_MESSAGE, LONGEST_DETAIL = 400, 100, 2000, 4000
MARGIN = 1000
"""How much more of a text is looked at than is kept, so that nothing personal is cut in half unseen."""


class Failed(Struct, frozen=True, omit_defaults=True):
    """Why a step failed. `type` is what the application or the provider calls it, `status` the provider's HTTP status,
    stated or plain from what it says."""

    message: str = ""
    type: str = ""
    status: int | None = None
    detail: str = ""
    timeout: bool = False


class Part(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A span, or what a log record tells of one (`log`); ids in hex digits, times in nanoseconds since the epoch.

    `input` and `output` are text or JSON; of a model call a list of messages is `{"messages": [...]}`. `usage` of a
    span that is no model call is what the calls inside it add up to. `ok` says that the application called it a
    success. `rank` is how plainly the `flow` was stated, 0 the plainest. `share` is the probability with which the
    application's tracer chose the trace. `user` is a keyed hash. `trace_input` and `trace_output` are what was stated
    to be the whole request's. `order` is the place among records of the same time.
    """

    trace: str
    span: str
    parent: str = ""
    name: str = ""
    kind: SpanKind = "step"
    log: bool = False
    order: int = 0
    started: int = 0
    ended: int = 0
    ok: bool = False
    error: Failed | None = None
    input: Any = None
    output: Any = None
    documents: tuple[str | dict[str, Any], ...] = ()
    trace_input: Any = None
    trace_output: Any = None
    model: str = ""
    usage: Usage | None = None
    cost: float | None = None
    stream: bool = False
    finish: str = ""
    first_token_s: float | None = None
    session: str = ""
    flow: str = ""
    rank: int = 0
    slice: str = ""
    user: str = ""
    external_id: str = ""
    variant: str = ""
    tags: tuple[str, ...] = ()
    versions: dict[str, str] = {}
    share: float = 1.0
    service: str = ""
    attributes: dict[str, Any] = {}
    redacted: tuple[Redaction, ...] = ()
    flaws: tuple[str, ...] = ()


Found = dict[str, Any]
"""Fields of a `Part` as they are found, those of the strongest convention first: what is there stays."""

BARE = "what later spans said is left out: the trace is too long"

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Part).decode


def bare(body: bytes) -> bytes:
    """An encoded part without what was said; what tells of its tokens, its error and its place stays."""
    try:
        part = decode(body)
    except ValueError:  # it cannot be read later either, and is told of there
        return b""
    error = None if part.error is None else replace(part.error, detail="")
    operation = {name: said for name, said in part.attributes.items() if name == "operation"}  # some are no calls
    return encode(
        replace(
            part,
            error=error,
            input=None,
            output=None,
            documents=(),
            trace_input=None,
            trace_output=None,
            attributes=operation,
            flaws=(*part.flaws, BARE),
        )
    )


def put(found: Found, **fields: Any) -> None:
    """Add what is said and not there yet."""
    for name, value in fields.items():
        if value is not None and value not in ("", (), {}) and name not in found:
            found[name] = value


def add(found: Found, name: str, more: Mapping[str, Any]) -> None:
    """Add to a field that is an object (attributes, versions); what is there stays."""
    if more:
        found[name] = {**more, **found.get(name, {})}


def flaw(found: Found, what: str) -> None:
    """Tell of something that is not as it should be."""
    if what not in found.setdefault("flaws", []):
        found["flaws"].append(what)


def trimmed(part: Part) -> Part:
    """A part whose name and error are no longer than is kept. They come with a margin, which is cut off here, once
    personal data was taken out: half of something is not recognised as what it is."""
    error = part.error
    if error is not None:
        error = replace(
            error,
            message=error.message[:LONGEST_MESSAGE],
            type=error.type[:LONGEST_TYPE],
            detail=error.detail[-LONGEST_DETAIL:],
        )
    if error == part.error and len(part.name) <= LONGEST_NAME:
        return part
    return replace(part, name=part.name[:LONGEST_NAME], error=error)
