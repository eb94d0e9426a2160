"""Editing one case: what somebody wants it to be, as a diff first, then in the dataset's file or as a patch."""

from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from gatewatch.config import writable
from gatewatch.core import codec
from gatewatch.core.case import Case, Expected
from gatewatch.core.errors import DatasetError, InputError, Problem
from gatewatch.loop.amend import line_diff
from gatewatch.offline.dataset import case_of
from gatewatch.offline.dataset_edit import Edit, Edited, edit_case, edited, lines_of, placed

_TIERS = ("pr", "nightly")


class Overtaken(InputError):  # noqa: N818 - what happened to it
    """The case is not what it was when somebody began to edit it."""


class Wanted(Struct, frozen=True):
    """What a case is to be: `expected` as text, or as JSON where it is an object in the dataset already; `retired` is
    the reason, "" for a case in use."""

    expected: str
    slice: str
    tier: str
    must_pass: bool
    retired: str


def wanted_of(case: Case) -> Wanted:
    """A case as it may be edited."""
    return Wanted(expected_text(case), case.slice, case.tier, case.must_pass, case.retired)


def expected_text(case: Case) -> str:
    """What a case expects, as it is edited: its text, or JSON; "" for nothing."""
    if isinstance(case.expected, Expected):
        return codec.indented(case.expected)
    return case.expected or ""


def state_of(case: Case) -> str:
    """Twelve hex digits over all of a case: others when anything in it is."""
    return codec.digest(codec.plain(msgspec.to_builtins(case)), 12)


def changed(case: Case, wanted: Wanted) -> Case:
    """A case as it is wanted.

    Raises:
        InputError: with each field that cannot be so.
    """
    if wanted.tier not in _TIERS:
        raise InputError(Problem("tier", f"must be one of {', '.join(_TIERS)}, got {wanted.tier[:40]!r}"))
    if wanted == wanted_of(case):
        return case
    value: dict[str, Any] = dict(msgspec.to_builtins(case))
    if wanted.expected != expected_text(case):
        _put(value, "expected", _expected(case, wanted.expected))
    _put(value, "slice", wanted.slice)
    _put(value, "must_pass", wanted.must_pass)
    _put(value, "retired", wanted.retired)
    _put(value, "tier", wanted.tier if wanted.tier != "pr" else None)
    found = case_of(value, case.id)
    if isinstance(found, list):
        raise InputError(found)
    return found


def _put(value: dict[str, Any], name: str, wanted: Any) -> None:
    if wanted in ("", None, False):
        value.pop(name, None)
    else:
        value[name] = wanted


def _expected(case: Case, text: str) -> Any:
    if not isinstance(case.expected, Expected) or not text.strip():
        return text if text.strip() else None
    try:
        return codec.parse(text.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        hint = 'such as {"answer": "30 days"}'
        raise InputError(
            Problem("expected", f"is an object in the dataset, and this is not JSON: {error}", hint)
        ) from None


def write(path: Path, case: str, state: str, wanted: Wanted) -> Edited:
    """Make a case in a dataset's file what is wanted.

    Raises:
        Overtaken: it is not in the state any more that was edited.
        DatasetError: as `rewrite` does.
        InputError: it cannot be so.
    """

    def change(now: Case) -> Case:
        if state_of(now) != state:
            hint = "load it again, and edit it as it is now"
            raise Overtaken(Problem(case, "was changed by somebody else meanwhile", hint))
        return changed(now, wanted)

    return edit_case(path, case, change)


def patch(path: Path, case: str, wanted: Wanted, name: str) -> bytes:
    """The edit as a unified diff of the dataset's file, which is `name` there; empty where nothing changes.

    Raises:
        DatasetError: the file cannot be read.
        InputError: the case cannot be so.
    """
    if path.suffix.lower() == ".csv":
        raise DatasetError(Problem(str(path), "is a CSV file, which is not edited here", "write it as JSON lines"))
    data = path.read_bytes()
    line, now = placed(lines_of(data, str(path)), case, str(path))
    after = changed(now, wanted)
    return b"" if after == now else line_diff(data, edited(data, Edit({line.number: after}), str(path)), name)


def may_write(path: Path) -> bool:
    """Whether a dataset's file may be edited where it is: JSON lines, in a folder that can be written to."""
    return path.suffix.lower() != ".csv" and path.is_file() and writable.may_write(path)
