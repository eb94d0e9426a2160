"""Payloads: the states they are in, how many there are, how much room they take; and what was lost, by reason."""

from collections.abc import Mapping

from gatewatch.store.database import Database

PAYLOADS = ("none", "held", "kept", "gone")
"""States of a payload: the column has the place."""
NONE, HELD, KEPT, GONE = range(4)


def add_payloads(db: Database, number: int, size: int) -> None:
    """Keep count of the payloads, and of the room they take, when some come or go."""
    if number or size:
        db.executemany(
            "UPDATE meta SET value = value + ? WHERE key = ?", ((number, "payloads"), (size, "payload_bytes"))
        )


def lose(db: Database, losses: Mapping[str, int]) -> None:
    """Count what was lost, by reason."""
    db.executemany(
        "INSERT INTO loss (reason, n) VALUES (?, ?) ON CONFLICT (reason) DO UPDATE SET n = loss.n + excluded.n",
        [(reason, n) for reason, n in losses.items() if n > 0],
    )
