"""Ids of requests, and the header that carries them from service to service (W3C Trace Context)."""

import os
import re
from random import Random
from typing import NamedTuple

_random = Random(os.urandom(32))
_bits = _random.getrandbits
# Version ff is not allowed; later versions may add fields behind a hyphen.
_HEADER = re.compile(r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


def _reseed() -> None:
    _random.seed(os.urandom(32))


os.register_at_fork(after_in_child=_reseed)


def trace_id() -> str:
    """A new id of a request: 32 hex digits, not all zero."""
    return (_bits(128) or 1).to_bytes(16, "big").hex()


def span_id() -> str:
    """A new id of a step: 16 hex digits, not all zero."""
    return f"{_bits(64) or 1:016x}"


class Incoming(NamedTuple):
    """What a caller's header says: the id of the whole, and of the caller's own step."""

    trace: str
    parent: str


def incoming(header: object) -> Incoming | None:
    """A `traceparent` header read, or None where there is none or it is not valid."""
    if not isinstance(header, str):
        return None
    found = _HEADER.fullmatch(header.strip())
    if found is None or (found[1] == "00" and found[4]):
        return None
    return Incoming(found[2], found[3])


def header(trace: str, span: str) -> str:
    """The `traceparent` header of an outgoing request; it says that the request is recorded."""
    return f"00-{trace}-{span}-01"
