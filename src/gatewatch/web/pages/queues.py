"""Which items a reviewer means, and how far they are with them."""

from datetime import timedelta
from statistics import median
from typing import Any

from msgspec import Struct

from gatewatch.core.clock import now as today
from gatewatch.core.clock import wall
from gatewatch.core.review import ItemState, Queue
from gatewatch.loop.label import item_name
from gatewatch.web.pages.asked import Asked

QUEUES: tuple[Queue, ...] = ("failures", "calibration")
DISPUTED: tuple[ItemState, ...] = ("disputed",)
_MOST = 1000


class Progress(Struct, frozen=True):
    """How far a reviewer is: how many were done and skipped today (UTC), how many wait, the median seconds of one, and
    the name of the item that they labelled last, today."""

    done: int
    skipped: int
    waiting: int
    median_s: float | None
    last: str = ""


def chosen(asked: Asked) -> dict[str, Any]:
    """Which items are meant."""
    return {
        "queue": asked.get("queue", among=QUEUES),
        "flow": asked.get("flow"),
        "failure": asked.number("failure", most=2**62),
    }


def which_of(by: dict[str, Any]) -> dict[str, Any]:
    """What items are meant, as the store is asked for them."""
    return {"queue": by["queue"] or None, "flow": by["flow"], "failure": by["failure"]}


def progress(asked: Asked, reviewer: str, by: dict[str, Any]) -> Progress:
    """How far a reviewer is with what is meant."""
    begun = today()
    begun -= timedelta(hours=begun.hour, minutes=begun.minute, seconds=begun.second, microseconds=begun.microsecond)
    said = asked.store.labels_by(reviewer, since=begun.timestamp(), most=_MOST)
    took = [each.seconds for each in said if each.seconds is not None and not each.skipped]
    skipped = sum(each.skipped for each in said)
    waiting = asked.store.awaiting(reviewer, wall(), most=0, **which_of(by))[1]
    last = item_name(said[0].item) if said else ""
    return Progress(len(said) - skipped, skipped, waiting, median(took) if took else None, last)
