"""Alerts, one for each cause, and the notices of them: an outbox, from which each goes when it was delivered.

An alert is kept as it is told; beside it stands what it is looked up by. `shown` are the requests that an alert rests
on, or did once, so that they are found when they are erased.
"""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.watch import Alert, AlertState
from gatewatch.store.database import Database
from gatewatch.store.units import micros
from gatewatch.store.watching import Notice

GRAVITY = ("info", "ticket", "page")
"""Severities, the gravest last."""
_OPEN = "state IN ('open', 'acknowledged', 'snoozed')"
_DAY_S = 86_400.0
_FAR_S = 3600.0  # further ahead nothing is due: the clock was ahead then
_NOTICE = "SELECT id, key, channel, event, body, attempts, reason FROM notice"


def _alert(number: int, body: bytes) -> Alert:
    return replace(codec.decode(body, Alert), id=number)


def _write(db: Database, alert: Alert) -> Alert:
    """Keep an alert as it is now: a new one where it has no number."""
    values = alert.state, codec.encode(replace(alert, id=0))
    if alert.id:
        db.execute("UPDATE alert SET state = ?, body = ? WHERE id = ?", *values, alert.id)
    else:
        found = db.execute(
            "INSERT INTO alert (key, flow, state, body) VALUES (?, ?, ?, ?) RETURNING id",
            *(alert.key, alert.flow, *values),
        )
        alert = replace(alert, id=found[0][0])
    db.executemany(
        "INSERT INTO shown (trace, alert) VALUES (?, ?) ON CONFLICT (trace, alert) DO NOTHING",
        [(trace, alert.id) for trace in alert.evidence.traces],
    )
    return alert


def _unresolved(db: Database, key: str) -> Alert | None:
    found = db.execute("SELECT id, body FROM alert WHERE key = ? AND state <> 'resolved'", key)
    return _alert(*found[0]) if found else None


def bring_up(db: Database, found: Iterable[Alert], now: float) -> None:
    """Open alerts, or bring up those of their keys that are not resolved; within the caller's transaction."""
    for new in found:
        old = _unresolved(db, new.key)
        if old is None:
            _tell(db, _write(db, replace(new, id=0, state="open", times=1, reach=_reach(new))), "opened", now)
            continue
        over = old.state == "snoozed" and old.until is not None and old.until <= now
        graver = GRAVITY.index(new.severity) > GRAVITY.index(old.severity)
        first = bool(old.quiet) and not new.quiet
        anew = new.kind == "never" and new.updated - old.updated > _DAY_S  # each is a cause of its own, but for a day
        worse = graver or _beyond(new, old.reach)
        tells = not new.quiet and (over or worse or first or anew)
        alert = _write(
            db,
            replace(
                new,
                id=old.id,
                reach=_reach(new) if tells else old.reach,
                severity=new.severity if graver else old.severity,
                state="open" if over or anew else old.state,
                opened=old.opened,
                updated=max(old.updated, new.updated),
                times=old.times + 1,
                quiet=old.quiet and new.quiet,
                until=None if over or first else old.until or new.until,
                who=old.who,
                reason=old.reason,
            ),
        )
        if tells:
            _tell(db, alert, "worse" if worse and not first else "opened", now)


def _reach(alert: Alert) -> float | None:
    """How large an effect may be, as far as is known."""
    found = alert.evidence
    return None if alert.quiet or found.effect is None else found.low if found.effect < 0 else found.high


def _beyond(alert: Alert, reach: float | None) -> bool:
    """Whether an effect is larger than it was thought it might be when it was told of."""
    effect = alert.evidence.effect
    return reach is not None and effect is not None and effect * reach > 0.0 and abs(effect) > abs(reach)


def resolve(db: Database, keys: Iterable[tuple[str, str]], now: float) -> None:
    """Resolve what is open of some keys, each with a reason; within the caller's transaction."""
    for key, reason in keys:
        alert = _unresolved(db, key)
        if alert is not None:
            _turn(db, alert, "resolved", "", reason, now, None)


def _turn(
    db: Database, alert: Alert, state: AlertState, who: str, reason: str, now: float, until: float | None
) -> Alert:
    until = until if state == "snoozed" else None
    turned = _write(db, replace(alert, state=state, who=who, reason=reason, updated=now, until=until))
    if state == "resolved" and alert.state != "snoozed":
        _tell(db, turned, "resolved", now)
    return turned


def _tell(db: Database, alert: Alert, event: str, now: float) -> None:
    """Put a notice of an alert into the outbox for each of its channels."""
    if alert.quiet or alert.state == "snoozed":
        return
    body = codec.encode(alert)
    db.executemany(
        "INSERT INTO notice (key, alert, channel, event, body, due, attempts, owner, until, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, 0, '', 0, '')",
        [(secrets.token_hex(16), alert.id, to, event, body, micros(now)) for to in dict.fromkeys(alert.to)],
    )


def alerts(db: Database, *, flow: str, every: bool, most: int, before: int) -> list[Alert]:
    """Alerts that are not resolved, or every one, newest first."""
    conditions, values = ["id < ?"], [before or 2**62]
    if not every:
        conditions.append(_OPEN)
    if flow:
        conditions.append("flow = ?")
        values.append(flow)  # type: ignore[arg-type]
    where = " AND ".join(conditions)
    found = db.execute(f"SELECT id, body FROM alert WHERE {where} ORDER BY id DESC LIMIT ?", *values, most)
    return [_alert(*row) for row in found]


def alert(db: Database, number: int) -> Alert | None:
    """An alert by its number."""
    found = db.execute("SELECT id, body FROM alert WHERE id = ?", number)
    return _alert(*found[0]) if found else None


def turn(
    db: Database, number: int, state: AlertState, *, who: str, reason: str, now: float, until: float | None
) -> Alert | None:
    """Acknowledge, snooze, resolve or open again an alert (see `Watching.turn_alert`)."""
    with db.transaction():
        there = alert(db, number)
        if there is None or (there.state == "resolved" and (state == "resolved" or _unresolved(db, there.key))):
            return there
        db.execute("UPDATE meta SET value = value + 1 WHERE key = 'steps'")  # what a monitor has read is out of date
        return _turn(db, there, state, who, reason, now, until)


# Notices


def notices(db: Database, owner: str, now: float, until: float, most: int) -> list[Notice]:
    """Notices that are due, leased to one worker until a time."""
    if not _due(db, now, 1):
        return []
    with db.transaction():
        ids = _due(db, now, most)
        db.among(
            "UPDATE notice SET owner = ?, until = ?, attempts = attempts + 1 WHERE id IN {}", ids, owner, micros(until)
        )
        found = db.among(f"{_NOTICE} WHERE id IN {{}}", ids)
    return [_notice(row) for row in sorted(found)]


def _due(db: Database, now: float, most: int) -> list[int]:
    """The numbers of notices that are due, and that nobody has; or that were put off while a clock was far ahead."""
    at, far = micros(now), micros(now + _FAR_S)
    free = "AND (until <= ? OR until > ?) ORDER BY due, id LIMIT ?"
    found = db.execute(f"SELECT id FROM notice WHERE due <= ? {free}", at, at, far, most)
    found += db.execute(f"SELECT id FROM notice WHERE due > ? {free}", far, at, far, most)
    return [number for (number,) in found[:most]]


def _notice(row: Sequence[Any]) -> Notice:
    number, key, channel, event, body, attempts, _ = row
    return Notice(number, key, channel, event, codec.decode(body, Alert), attempts)


def told(db: Database, notice: int, *, retry_at: float | None, reason: str) -> None:
    """A notice was delivered, or is to be tried again."""
    if retry_at is None:
        db.execute("DELETE FROM notice WHERE id = ?", notice)
    else:
        db.execute(
            "UPDATE notice SET due = ?, reason = ?, owner = '', until = 0 WHERE id = ?",
            *(micros(retry_at), reason, notice),
        )


def untold(db: Database, most: int) -> list[tuple[Notice, str]]:
    """Notices that are not delivered, with the reason of the last failure, oldest first."""
    return [(_notice(row), row[6]) for row in db.execute(f"{_NOTICE} ORDER BY id LIMIT ?", most)]


# Erasing


def forget(db: Database, names: Iterable[str]) -> None:
    """Name some requests, by their ids, nowhere any more in what alerts rest on; within the caller's transaction."""
    gone = set(names)
    there = {number for (number,) in db.among("SELECT alert FROM shown WHERE trace IN {}", gone)}
    for table, column in (("alert", "id"), ("notice", "alert")):
        for number, body in db.among(f"SELECT id, body FROM {table} WHERE {column} IN {{}}", there):
            told = codec.decode(body, Alert)
            left = tuple(name for name in told.evidence.traces if name not in gone)
            without = replace(told, evidence=replace(told.evidence, traces=left))
            db.execute(f"UPDATE {table} SET body = ? WHERE id = ?", codec.encode(without), number)
    db.among("DELETE FROM shown WHERE trace IN {}", gone)
