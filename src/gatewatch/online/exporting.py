"""All that is kept of a user, as JSON lines, for who asks what is known of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gatewatch.core import codec, marks
from gatewatch.core.clock import stamp
from gatewatch.core.erasure import Subject
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.review import Item
from gatewatch.online.erasing import belongings
from gatewatch.store.base import Store
from gatewatch.store.rows import KeptScore, Row

KIND = "gatewatch.export"


def export(store: Store, subject: Subject, path: Path, *, who: str, now: float) -> int:
    """Write what is kept of a user into a new file that is the owner's alone, note it in the audit, and say how many
    requests there are.

    Raises:
        InputError: when the file is there, or cannot be made.
    """
    store.note(now, who, "export", f"{subject.kind} {' '.join(subject.marks)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:  # of the file, or of one where its folder should be
        raise InputError(Problem(str(path), "is there already", "name another file, or remove it")) from None
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be made: {error.strerror}")) from None
    with os.fdopen(descriptor, "wb") as file:
        number = 0
        for line in lines(store, subject, who=who, now=now):
            number += "request" in line
            file.write(codec.encode(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return number


def lines(store: Store, subject: Subject, *, who: str, now: float) -> Iterator[dict[str, Any]]:
    """The lines of an export: a head, each request with what was captured and said of it, each that people were asked
    to label, and what else they said."""
    from datetime import UTC, datetime

    at = stamp(datetime.fromtimestamp(now, UTC))
    yield {"kind": KIND, "version": 1, "at": at, "who": who, "subject": subject.kind, "marks": subject.marks}
    for each in belongings(store, subject):
        if each.row is not None:
            yield _request(store, each.row, each.scores)
        else:
            yield {"feedback": {"request": each.seq, "scores": [_plain(kept) for kept in each.scores]}}
    for item in store.items_of(subject):
        yield _item(store, item)
    for waiting in store.waiting(subject):
        yield {"feedback": {**msgspec.to_builtins(waiting), "marks": marks.names(waiting.marks)}}


def _request(store: Store, row: Row, scores: list[KeptScore]) -> dict[str, Any]:
    payload = store.payload(row.seq)
    plain = msgspec.to_builtins(row)
    plain |= {"marks": marks.names(row.marks), "late": marks.names(row.late)}
    said = [_plain(kept) for kept in scores]
    return {"request": plain, "trace": codec.parse(payload) if payload else None, "scores": said}


def _item(store: Store, item: Item) -> dict[str, Any]:
    trace = store.item_trace(item.id)
    said = [msgspec.to_builtins(each) for each in store.labels([item.id])]
    return {"item": msgspec.to_builtins(item), "trace": codec.parse(trace) if trace else None, "labels": said}


def _plain(kept: KeptScore) -> dict[str, Any]:
    return dict(msgspec.to_builtins(kept))
