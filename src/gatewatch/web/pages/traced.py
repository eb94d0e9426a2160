"""Requests in lines, as the pages Monitor and Traces show and export them; and that they were looked at."""

from collections.abc import Mapping, Sequence
from shlex import quote
from typing import Any

from gatewatch.core import marks
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.core.score import Source
from gatewatch.loop.explore import Line, Wanted
from gatewatch.store.rows import KeptScore
from gatewatch.web.pages.asked import Asked
from gatewatch.web.refusals import Refused

COLUMNS = (
    "trace",
    "at",
    "flow",
    "slice",
    "variant",
    "version",
    "session",
    "external_id",
    "input",
    "output",
    "error",
    "marks",
    "scores",
    "latency_s",
    "cost",
    "input_tokens",
    "output_tokens",
    "tags",
)
"""The columns of an export."""
_ONE_LOOK_S = 600.0
_MOST_LOOKS = 1000
_looked: dict[tuple[str, str, int], float] = {}
_ORDER: dict[Source, int] = {"human": 0, "judge": 1, "rule": 2, "feedback": 3, "signal": 4}


def columns_of(line: Line) -> Mapping[str, Any]:
    """A request's line in an export. Texts are as long as in a line of the page where they were cut."""
    row = line.row
    return {
        "trace": row.id,
        "at": row.at,
        "flow": row.flow,
        "slice": row.slice,
        "variant": row.variant,
        "version": row.version,
        "session": row.session,
        "external_id": row.external_id,
        "input": line.input if line.there else None,
        "output": line.output if line.there else None,
        "error": row.error,
        "marks": " ".join(marks.names(row.marks)),
        "scores": {f"{each.score.source}:{each.score.name}": each.score.value for each in ordered(line.scores)},
        "latency_s": row.latency_s,
        "cost": row.cost,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "tags": " ".join(row.tags),
    }


def ordered(scores: Sequence[KeptScore]) -> list[KeptScore]:
    """What was said of a request, people first, then judges, rules, and what its users did."""
    return sorted(scores, key=lambda each: (_ORDER[each.score.source], each.score.name))


def filter_of(wanted: Wanted) -> dict[str, Any]:
    """The filter of an export, as the page's address has it."""
    names = (
        "flow",
        "slice",
        "variant",
        "version",
        "mark",
        "session",
        "text",
        "scorer",
        "low",
        "high",
        "since",
        "until",
    )
    return {name: getattr(wanted, name) for name in names if getattr(wanted, name) not in ("", None, 0.0, 2**40)}


def quoted(name: str) -> str:
    """A request's id as a shell takes it: senders choose ids."""
    return ("-- " if name.startswith("-") else "") + quote(name)


def author(asked: Asked) -> str:
    """Who asks, as the audit has it."""
    return asked.visitor.author


def refused(error: InputError) -> Refused:
    """What somebody asked for that cannot be, as a page says it."""
    first = error.problems[0]
    return Refused(422, f"{first.where}: {first.what}", hint=first.hint)


def _lately(asked: Asked, newest: int) -> bool:
    """Whether it was noted a while ago that they have the same before them: a refresh is no other look."""
    key, now = (asked.visitor.project, author(asked), newest), wall()
    if len(_looked) > _MOST_LOOKS:
        _looked.clear()
    before = _looked.get(key)
    if before is None or not 0 <= now - before < _ONE_LOOK_S:
        _looked[key] = now
        return False
    return True


def note(asked: Asked, lines: Sequence[Line]) -> None:
    """Note in the audit that what was said in some requests was looked at."""
    seen = [each.row for each in lines if each.there]
    if seen and not (
        asked.fragment == "live" and _lately(asked, seen[0].seq)
    ):  # many by their numbers, which say nothing of anybody who is erased later
        numbers = [row.seq for row in seen]
        many = f"{len(seen)} requests, numbered {min(numbers)} to {max(numbers)}"
        what = seen[0].id if len(seen) == 1 else many
        asked.store.note(wall(), author(asked), "read", what)
