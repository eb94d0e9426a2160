"""Why a span failed, from its status, its exception and the attributes that tell of one."""

import re

from gatewatch.online.otlp.flat import Attributes, RawSpan
from gatewatch.online.otlp.part import LONGEST_DETAIL, LONGEST_MESSAGE, LONGEST_TYPE, MARGIN, Failed
from gatewatch.online.otlp.reading import count, first, name, text

_ERROR = 2
_STATED = re.compile(
    r"(?:error code|status[ _]?code|status|http|code)['\"]?\s*[:=]?\s*\(?([45][0-9]{2})\b", re.IGNORECASE
)
_BY_TYPE = (
    (re.compile(r"rate.?limit|too.?many.?requests|throttl|quota", re.IGNORECASE), 429),
    (
        re.compile(r"internal.?server|server had an error|InternalError|server_error|ModelServerError", re.IGNORECASE),
        500,
    ),
    (re.compile(r"overloaded|service.?unavailable", re.IGNORECASE), 503),
    (re.compile(r"authentication|unauthori[sz]ed", re.IGNORECASE), 401),
    (re.compile(r"permission.?denied|forbidden", re.IGNORECASE), 403),
    (re.compile(r"bad.?request|invalid.?request", re.IGNORECASE), 400),
)
_TIMEOUT = re.compile(r"time.?out|timed.?out|deadline.?exceeded", re.IGNORECASE)
_ANY = ("", "Exception", "Error", "_OTHER")
_TRACEBACK = "Traceback (most recent call last)"


def failed(span: RawSpan) -> Failed | None:
    """Why a span failed, or None where it did not.

    An exception that was recorded on a span whose status is not an error was handled, and is none.
    """
    given = span.attributes
    stated = text(given.get("error.type"))
    level = text(given.get("langfuse.observation.level"))
    if span.status != _ERROR and not (span.status == 0 and (stated or level == "ERROR" or given.get("error") is True)):
        return None
    raised: Attributes = next((each.attributes for each in reversed(span.events) if each.name == "exception"), {})
    known = name(raised.get("exception.type"))
    kind = stated if stated and not stated.isdigit() and stated != "_OTHER" else known.rpartition(".")[2]
    said = text(
        span.message
        or first(given, "langfuse.observation.status_message", "error.message", "exception.message")
        or raised.get("exception.message")
    )
    detail = text(raised.get("exception.stacktrace") or given.get("exception.stacktrace"))
    if _TRACEBACK in said:
        said, _, rest = said.partition(_TRACEBACK)
        detail = detail or _TRACEBACK + rest
    said = said.strip()
    kind = _named(said) or kind if kind in _ANY else kind
    status = count(first(given, "http.response.status_code", "http.status_code"))
    if status is None or not 400 <= status <= 599:
        status = int(stated) if stated.isdigit() and len(stated) == 3 else _implied(known, kind, said)
    timeout = bool(_TIMEOUT.search(kind) or _TIMEOUT.search(known) or (not status and _TIMEOUT.search(said)))
    told, kind, detail = (
        said[: LONGEST_MESSAGE + MARGIN],
        kind[: LONGEST_TYPE + MARGIN],
        detail[-LONGEST_DETAIL - MARGIN :],
    )
    return Failed(told, kind, status, detail, timeout)


def _named(said: str) -> str:
    """The type of an error that only stands at the head of its text: "RateLimitError: ..." or "ValueError('...')"."""
    found = re.match(r"([A-Za-z_][\w.]{2,60})(?:: |\()", said)
    return found[1].rpartition(".")[2] if found else ""


def _implied(known: str, kind: str, said: str) -> int | None:
    """The provider's HTTP status, where the text or the type of an error is plain about it."""
    if found := _STATED.search(said[:400]):
        return int(found[1])
    for words in (kind, known, said[:200]):
        for form, status in _BY_TYPE:
            if words and form.search(words):
                return status
    return None
