"""What of the loop goes when somebody is erased: the items of their requests, what was said of these and came of it."""

from collections import Counter
from collections.abc import Iterable

from gatewatch.core.erasure import Kind, Subject, Tombstone, base_of, mark_of
from gatewatch.store import failures, outbox, reviews, tombstones
from gatewatch.store.database import Database


def forget(db: Database, traces: Iterable[str]) -> Counter[str]:
    """Delete the items of some requests, with their labels and claims, and the changes that came of them; says how
    many, by part; within the caller's transaction."""
    names = set(traces)
    if names:  # what a miner has read is out of date
        db.execute("UPDATE meta SET value = value + 1 WHERE key = 'mined'")
    found = db.among("SELECT id, failure FROM item WHERE trace IN {}", names)
    numbers = [number for number, _ in found]
    db.among("DELETE FROM label WHERE item IN {}", numbers)
    db.among("DELETE FROM item WHERE id IN {}", numbers)
    failures.forget(db, {failure for _, failure in found if failure})
    return Counter({"items": len(numbers), "changes": outbox.forget(db, names)})


def forget_of(db: Database, subject: Subject, now: float) -> Counter[str]:
    """The same for all items of somebody: their requests may be long gone by their age. What else there is of these
    stays out, and is found in files, by their tombstones."""
    traces = {each.trace for each in reviews.of(db, subject)}
    kind: Kind = "trace" if subject.kind == "user" else "turn"
    tombstones.bury(db, (Tombstone(mark_of(kind, base_of(trace)), kind, now) for trace in traces))
    return forget(db, traces)
