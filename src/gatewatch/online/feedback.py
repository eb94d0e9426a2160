"""What users say of answers, on its way to the same segments as the requests."""

from contextlib import suppress
from math import isfinite
from numbers import Real
from typing import Any, cast

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.core.feedback import EVENTS, Feedback
from gatewatch.core.lengths import LONGEST_NAME, cut
from gatewatch.online.identity import trace_id as new_id
from gatewatch.online.process import process
from gatewatch.online.request import lost
from gatewatch.online.told import text_of

_LONGEST_COMMENT = 65536


def feedback(
    trace_id: str = "",
    *,
    external_id: str = "",
    thumbs: str = "",
    rating: float | None = None,
    comment: str = "",
    event: str = "",
    value: float | None = None,
    user: str = "",
) -> None:
    """Say what a user thinks of an answer, or does with it; late is as good as at once. It never raises.

    Args:
        trace_id: the request (`current_trace_id()` while it was answered).
        external_id: or the application's own name for it, as it was given to `capture`.
        thumbs: "up" or "down".
        rating: 1 to 5.
        comment: in the user's words.
        event: "retry", "abandon", "escalate" or "copy".
        value: a number that goes with the event.
        user: who says so; only a keyed hash of it is kept.
    """
    try:
        spool = process.open()
        if spool is None:
            return
        rating, value = _number(rating), _number(value)
        wrong = _wrong_feedback(trace_id, external_id, thumbs, rating, comment, event, value)
        if wrong:
            process.tell_once(f"feedback was not kept: {wrong}")
            spool.drop("bad feedback")
            return
        said = Feedback(
            id=new_id(),
            at=wall(),
            trace=cut(text_of(trace_id)),
            external_id=cut(text_of(external_id)),
            thumbs=cast(Any, text_of(thumbs)),
            rating=rating,
            comment=text_of(comment)[:_LONGEST_COMMENT],
            event=cast(Any, text_of(event)),
            value=value,
        )
        spool.put("feedback", codec.encode(said), text_of(user)[:LONGEST_NAME])
    except Exception as problem:
        lost(problem)


def _number(value: Any) -> Any:
    """A number as Python's own, of whatever library it is; what is none stays as it is."""
    if type(value) is not bool and isinstance(value, Real):
        with suppress(Exception):
            return float(value)
    return value


def _wrong_feedback(
    trace_id: Any, external_id: Any, thumbs: Any, rating: Any, comment: Any, event: Any, value: Any
) -> str:
    """What is wrong with some feedback, or nothing."""
    for name, text in (("trace_id", trace_id), ("external_id", external_id), ("comment", comment), ("event", event)):
        if not isinstance(text, str):
            return f"{name} must be text, got {type(text).__name__}"
    if not (trace_id or external_id):
        return "it names no request; give trace_id or external_id"
    if thumbs not in ("", "up", "down"):
        return f'thumbs must be "up" or "down", got {str(thumbs)[:40]!r}'
    if event and event not in EVENTS:
        return f"event must be one of {', '.join(EVENTS)}, got {str(event)[:40]!r}"
    for name, number in (("rating", rating), ("value", value)):
        if number is not None and (type(number) is not float or not isfinite(number)):
            return f"{name} must be a number, got {text_of(number)[:40]}"
    if rating is not None and not 1 <= rating <= 5:
        return f"rating must be 1 to 5, got {rating}"
    if not (thumbs or event or comment or rating is not None):
        return "it says nothing"
    return ""
