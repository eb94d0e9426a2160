"""Feedback: what a user, or the application for them, says of a request that was answered."""

from typing import Literal

from msgspec import Struct

from gatewatch.core import marks
from gatewatch.core.score import Score

Event = Literal["retry", "abandon", "escalate", "copy"]
EVENTS: dict[Event, tuple[str, float]] = {
    "retry": ("retried", 0.0),
    "abandon": ("abandoned", 0.0),
    "escalate": ("escalated", 0.0),
    "copy": ("copied", 1.0),
}
"""From an event to the mark that it sets, and its score: 1 is good."""


class Feedback(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was said of one request, named by its trace id or by the application's own id for it.

    `id` makes it one and the same however often it arrives. `rating` is 1 to 5. `value` is a number that goes with
    the event (what was copied, say), kept as it is. `at` is in seconds since the epoch; `user` is a keyed hash.
    """

    id: str
    at: float
    trace: str = ""
    external_id: str = ""
    thumbs: Literal["", "up", "down"] = ""
    rating: float | None = None
    comment: str = ""
    event: Literal["", "retry", "abandon", "escalate", "copy"] = ""
    value: float | None = None
    user: str = ""


def scores_of(said: Feedback) -> tuple[Score, ...]:
    """Feedback on the one scale, 0 to 1: a thumb, a rating of 1 to 5, an event."""
    found: list[Score] = []
    if said.thumbs:
        found.append(_score("thumbs", 1.0 if said.thumbs == "up" else 0.0, said.thumbs, said.comment))
    if said.rating is not None:
        found.append(_score("rating", (said.rating - 1) / 4, f"{said.rating:g} of 5", said.comment))
    if said.event:
        name, value = EVENTS[said.event]
        found.append(_score(name, value, "" if said.value is None else f"{said.value:g}", said.comment))
    if said.comment and not found:
        found.append(Score(name="comment", source="feedback", status="skipped", explanation=said.comment))
    return tuple(found)


def _score(name: str, value: float, label: str, comment: str) -> Score:
    return Score(value, label, comment, name=name, source="feedback", fingerprint=f"feedback:{name} 1")


def marks_of(said: Feedback) -> int:
    """The marks that feedback sets, as bits."""
    found = [f"thumbs_{said.thumbs}"] if said.thumbs else []
    if said.event:
        found.append(EVENTS[said.event][0])
    return marks.bits(found)
