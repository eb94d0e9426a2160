"""What is kept of erasures: how much each removed, its receipt, and what is missing from the trends of a window."""

from collections.abc import Mapping

from gatewatch.core import codec
from gatewatch.core.erasure import Day, Erasure
from gatewatch.store.database import Database
from gatewatch.store.units import from_micros

_DAY = 86_400


def count(db: Database, name: str, parts: Mapping[str, int]) -> None:
    """Add to what an erasure removed, by part."""
    db.executemany(
        "INSERT INTO erased_part (erasure, part, n) VALUES (?, ?, ?)"
        " ON CONFLICT (erasure, part) DO UPDATE SET n = erased_part.n + excluded.n",
        [(name, part, n) for part, n in parts.items() if n],
    )


def kept(db: Database) -> list[Erasure]:
    """Every erasure, the newest first."""
    found = db.execute("SELECT id, at, who, kind, marks, receipt FROM erasure ORDER BY at DESC, id")
    return [
        Erasure(
            name, from_micros(at), who, kind, tuple(marks.split()), codec.decode(receipt, dict) if receipt else None
        )
        for name, at, who, kind, marks, receipt in found
    ]


def tally(db: Database, name: str) -> tuple[dict[str, int], list[Day]]:
    """What an erasure removed so far: by part, and by flow and day."""
    parts = dict(db.execute("SELECT part, n FROM erased_part WHERE erasure = ? ORDER BY part", name))
    days = db.execute("SELECT flow, day, requests, scores FROM erased WHERE erasure = ? ORDER BY day, flow", name)
    return parts, [Day(flow, float(day), requests, scores) for flow, day, requests, scores in days]


def close(db: Database, name: str, receipt: bytes) -> None:
    """Keep the receipt of an erasure that is done."""
    db.execute("UPDATE erasure SET receipt = ? WHERE id = ?", receipt, name)


def of_window(db: Database, since: float, until: float) -> list[Day]:
    """What was erased of a window, by flow and day: of days that begin before `until`, from the one of `since` on."""
    found = db.execute(
        "SELECT flow, day, CAST(sum(requests) AS BIGINT), CAST(sum(scores) AS BIGINT) FROM erased"
        " WHERE day >= ? AND day < ? GROUP BY flow, day ORDER BY day, flow",
        *(since // _DAY * _DAY, until),
    )
    return [Day(flow, float(day), requests, scores) for flow, day, requests, scores in found]
