"""Whether a dataset asks something already: a query is in it once, and what is much like a case is told of.

Two cases ask the same where the user says the same, but for case and spacing, with the same context and after the same
turns.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from gatewatch.core import codec
from gatewatch.core.case import Case, Expected
from gatewatch.core.change import change_name
from gatewatch.core.errors import InputError, Problem
from gatewatch.loop.label import expected_text
from gatewatch.loop.likeness import asked, near_copies, nearest, normal

_DIGITS = 24
_SHOWN = 60
_BACKGROUND = ("system", "developer")

Way = Literal["", "merge", "separate"]
"""What becomes of a request that is much like a case: it is refused, merged into that case, or a case of its own."""


class There(Struct, frozen=True):
    """A case that is in the dataset, in some line, or in a change that waits (its number). `query` is what it asks."""

    case: Case
    line: int = 0
    change: int = 0
    query: tuple[str, str] = ("", "")

    def __post_init__(self) -> None:
        force_setattr(self, "query", query_of(self.case))


class Decision(Struct, frozen=True):
    """What becomes of a case: it is new; merged into one that is there; or asks what one there does, and adds nothing.
    `case` is as it will be, `moved` says what is other than it was."""

    kind: Literal["new", "merge", "there"]
    case: Case
    into: There | None = None
    moved: tuple[str, ...] = ()


def query_of(case: Case) -> tuple[str, str]:
    """By what two cases ask the same: what the user says, but for case and spacing; and a digest of what else it is
    asked with: the context, and what was said by others in the turns before."""
    messages = case.input.get("messages") if isinstance(case.input, dict) else None
    others: list[list[str]] = []
    if isinstance(messages, list) and isinstance(case.input, dict) and case.input.get("assistant") != "regenerated":
        said = [each for each in messages if isinstance(each, dict)]
        others = [
            [str(each.get("role")), normal(codec.text_of(each.get("content")))]
            for each in said
            if each.get("role") != "user" and each.get("role") not in _BACKGROUND
        ]
    return normal(asked(case.input)), codec.digest((others, case.context), _DIGITS) if others or case.context else ""


def decided(case: Case, there: Sequence[There], path: str, way: Way = "") -> Decision:
    """What becomes of a case in a dataset.

    Args:
        case: the case, from one request.
        there: the dataset's cases, and those that wait for it.
        path: the dataset, for messages.
        way: what to do where a case asks the same and expects something else, or nearly the same.

    Raises:
        InputError: one does, and nothing says what to do.
    """
    query = query_of(case)
    same = next((each for each in there if each.query == query), None)
    if same is not None:
        return _same(case, same, path, way)
    if way != "separate":
        near = nearest(query[0], [each.query[0] for each in there])
        if near is not None:
            found, likeness = there[near[0]], near[1]
            if way == "merge":
                return _merge(case, found)
            what = f"is much like case {found.case.id} (likeness {likeness:.2f}): {_short(asked(found.case.input))!r}"
            hint = f"{place(found, path)}; --merge adds it to that case, --separate makes a case of its own"
            raise InputError(Problem(_trace(case), what, hint))
    if any(each.case.id == case.id for each in there):  # the same input, with another context
        case = replace(case, id=codec.digest((case.input, case.context), len(case.id)))
    return Decision("new", case)


def alike(case: Case, there: Sequence[There]) -> list[tuple[There, float]]:
    """The cases that ask the same as a case (likeness 1), or nearly, the nearest first."""
    query = query_of(case)
    same = [(each, 1.0) for each in there if each.query == query]
    near = near_copies(query[0], [each.query[0] for each in there])
    return same + [(there[place], likeness) for place, likeness in near if there[place].query != query]


def _same(case: Case, same: There, path: str, way: Way) -> Decision:
    if way == "merge":
        return _merge(case, same)
    where, id_ = place(same, path), same.case.id
    if same.case.retired:
        what = f"case {id_} asks the same, and is retired: {same.case.retired}"
        raise InputError(Problem(_trace(case), what, f"{where}; --merge takes it back into use"))
    if case.expected is not None and not agrees(case.expected, same.case.expected):
        what = f"case {id_} asks the same, and expects {_told(same.case.expected)}, not {_told(case.expected)}"
        raise InputError(Problem(_trace(case), what, f"{where}; --merge takes the new one"))
    if not set(_every(case, "failure")) <= set(_every(same.case, "failure")):
        return _merge(case, same)  # so that the case guards that failure, too
    return Decision("there", same.case, same)


def _merge(case: Case, found: There) -> Decision:
    after = merged(found.case, case)
    if after == found.case:
        return Decision("there", found.case, found)
    return Decision("merge", after, found, tuple(differences(found.case, after)))


def merged(there: Case, new: Case) -> Case:
    """A case that is there, with what a promotion adds: where it came from, and what is expected. Where that is another
    thing now, or the case was open or retired, it is open (or must pass) as the promotion says."""
    more = list(there.provenance.get("more", ()))
    origin = _alone(new.provenance)
    told = new.expected is None or new.expected == there.expected
    if origin in (_alone(there.provenance), *more) or (told and not there.retired and _trace(new) in origins(there)):
        return there  # it is in it already
    expected = there.expected if new.expected is None else new.expected
    after = replace(there, expected=expected, provenance={**there.provenance, "more": [*more, origin]})
    if expected != there.expected or there.open is not None or there.retired:
        after = replace(after, open=new.open, must_pass=new.must_pass, retired="")
    return after


def _alone(provenance: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in provenance.items() if name != "more"}


def differences(before: Case, after: Case) -> Iterator[str]:
    """What is other in a case than it was, in words."""
    if before.expected != after.expected:
        yield f"expected is {_told(after.expected)}, was {_told(before.expected)}"
    if before.retired and not after.retired:
        yield f"it is no longer retired ({before.retired})"
    if before.open != after.open and after.open is not None:
        yield f"it may fail until {after.open.until} ({after.open.owner})"
    if before.must_pass != after.must_pass:
        yield "it must pass" if after.must_pass else "it need not pass yet"
    if before.provenance != after.provenance:
        yield f"it is known from {len(origins(after))} requests"


def origins(case: Case) -> list[str]:
    """The requests that a case is known from, by their trace ids."""
    return _every(case, "trace")


def _every(case: Case, what: str) -> list[str]:
    every = (case.provenance, *case.provenance.get("more", ()))
    return [str(each[what]) for each in every if isinstance(each, dict) and each.get(what)]


def agrees(one: str | Expected | None, other: str | Expected | None) -> bool:
    """Whether two things expected are the same, but for case and spacing of the answer."""
    return _comparable(one) == _comparable(other)


def _comparable(expected: str | Expected | None) -> Expected:
    whole = expected if isinstance(expected, Expected) else Expected(answer=expected)
    return whole if whole.answer is None else replace(whole, answer=normal(whole.answer))


def place(there: There, path: str) -> str:
    """Where a case stands, and where it came from."""
    where = f"{path}:{there.line}" if there.line else change_name(there.change) if there.change else "promoted just now"
    found = there.case.provenance
    return f"{where}, promoted from {found['trace']} on {found['at']}" if {"trace", "at"} <= found.keys() else where


def _trace(case: Case) -> str:
    return str(case.provenance.get("trace", case.id))


def _told(expected: str | Expected | None) -> str:
    return repr(_short(expected_text(expected))) if expected is not None else "nothing"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _SHOWN else f"{flat[: _SHOWN - 3]}..."
