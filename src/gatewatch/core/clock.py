"""Time, in one place, so that tests can hold it still."""

import time
from datetime import UTC, datetime

monotonic = time.monotonic
"""Seconds on a clock that never goes back, for durations."""

wall = time.time
"""Seconds since the epoch, by the system's clock: when something happened."""


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def stamp(moment: datetime) -> str:
    """A moment as text: ISO 8601, whole seconds, UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
