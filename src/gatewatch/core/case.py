"""A case: one fixed input of a dataset, and what is expected of the answer."""

from datetime import date
from typing import Any, Literal

from msgspec import Struct

from gatewatch.core import codec

Tier = Literal["pr", "nightly"]
ID_LENGTH = 12


class ToolCall(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A call of a tool: its name and arguments.

    Where it is expected (in a dataset), `accept` lists for a parameter every value that is right, and `optional`
    names the parameters that may also be left out.
    """

    name: str
    arguments: dict[str, Any] = {}
    accept: dict[str, list[Any]] = {}
    optional: tuple[str, ...] = ()


class Expected(Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What is expected of an answer, when more is to be said than its text.

    `answer`: the right text. `tool_calls`: the calls to be made; an empty list says that none may be made.
    `criteria`: what success means, for a judge. `relevant`: the ids of the documents a search should find.
    """

    answer: str | None = None
    tool_calls: tuple[ToolCall, ...] | None = None
    criteria: tuple[str, ...] | None = None
    relevant: tuple[str, ...] | None = None


class Open(Struct, frozen=True, forbid_unknown_fields=True):
    """A case that is known to fail, until its fix is there: the gate reports it and does not block. `until` is the last
    day on which that holds, `owner` who sees to it."""

    until: date
    owner: str = ""


class Case(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One case: the fields of a dataset line, in the order in which they are written.

    `input` is text, an object of the task's arguments, or a conversation `{"messages": [...], "assistant": ...}`.
    `open`, of a case that was promoted from a failure, says that it may fail until a day: `gatewatch rebaseline` takes
    that out, and sets `must_pass`, once it passes. `assistant` says what becomes of assistant turns in the
    conversation: "fixed" (the default: the task is called once, with all messages as they stand) or "regenerated" (the
    task is called after every user turn, with its own earlier answers in place of the recorded ones).
    """

    id: str = ""
    input: str | dict[str, Any]
    expected: str | Expected | None = None
    context: str | tuple[str | dict[str, Any], ...] | None = None
    tags: tuple[str, ...] = ()
    slice: str = ""
    cluster: str = ""
    must_pass: bool = False
    open: Open | None = None
    tier: Tier = "pr"
    retired: str = ""
    scorers: tuple[str, ...] | None = None
    meta: dict[str, Any] = {}
    provenance: dict[str, Any] = {}

    @property
    def answer(self) -> str | None:
        """The text expected, whichever way the dataset states it."""
        return self.expected.answer if isinstance(self.expected, Expected) else self.expected

    @property
    def hash(self) -> str:
        """Twelve hex digits over what a score depends on: input, expected and context."""
        return codec.digest((self.input, self.expected, self.context), ID_LENGTH)


def derived_id(input: str | dict[str, Any]) -> str:  # noqa: A002 - the field's own name
    """The id of a case that states none: the first 12 hex digits of the SHA-256 of its canonical input."""
    return codec.digest(input, ID_LENGTH)


def in_tier(case: Case, tier: Tier | None) -> bool:
    """Whether a case runs in a tier: retired ones never, must_pass ones always, `nightly` takes all."""
    if case.retired:
        return False
    return tier is None or tier in ("nightly", case.tier) or case.must_pass
