"""Changes of what belongs into git: cases, exceptions, baselines. Each waits in an outbox until a checkout has it."""

from typing import Any, Literal

from msgspec import Struct, to_builtins

ChangeKind = Literal["case", "accept", "baseline"]
"""A case to be added to a dataset, or merged into one that is there; an exception to be added to accepted.toml; a
baseline to be written."""
ChangeState = Literal["pending", "pulled", "merged", "withdrawn"]
"""Waits; is in the files of a checkout; is in the main branch; was taken back before anybody had it."""


class Change(Struct, frozen=True, kw_only=True):
    """One change. `key` is what makes it one and the same however often it is proposed: the second finds the first.

    `path` is the file, from the project's folder. `body` is what to write: of a case the dataset line (and under
    "into", where it is to be merged, the id of the case that is there); of an exception its entry; of a baseline its
    lines as text under "text". `failure` and `trace` are where a case came from. `by` proposed it, at a time in
    seconds since the epoch; `where` says which checkout pulled it last.
    """

    id: int = 0
    key: str
    kind: ChangeKind
    suite: str = ""
    path: str
    body: dict[str, Any]
    failure: int = 0
    trace: str = ""
    by: str
    at: float
    state: ChangeState = "pending"
    moved: float = 0.0
    where: str = ""


def change_name(number: int) -> str:
    """What people call a change by its number: C3."""
    return f"C{number}"


def told(change: Change) -> dict[str, Any]:
    """A change as JSON, with what people call it."""
    return {"name": change_name(change.id), **to_builtins(change)}
