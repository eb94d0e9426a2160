"""Making the edits that an audit proposes: shown as a diff, or made in the dataset's file. Nothing is deleted."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from gatewatch.core.case import Case
from gatewatch.core.errors import DatasetError, Problem
from gatewatch.loop.finding import Proposed
from gatewatch.offline.dataset_edit import Edit, Line, edited, lines_of, rewrite

_AROUND = 3
_UNENDED = b"\n\\ No newline at end of file\n"


def proposal(path: Path, proposed: Mapping[str, Proposed], name: str = "") -> bytes:
    """The edits as a unified diff of the dataset's file, which `git apply` and `patch` take; empty for none.
    `name` is the file there, where it is another than the path.

    Raises:
        DatasetError: the file cannot be read, or is no JSON lines.
    """
    _is_lines(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DatasetError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    made = edited(data, _edit(lines_of(data, str(path)), proposed), str(path))
    return line_diff(data, made, name or path.as_posix().lstrip("/"))


def amend(path: Path, proposed: Mapping[str, Proposed]) -> int:
    """Make the edits in the dataset's file, and say how many there were to be made. Made again, they change nothing.

    Raises:
        DatasetError: the file cannot be read or written, or is no JSON lines.
    """
    _is_lines(path)
    return len(rewrite(path, lambda lines: _edit(lines, proposed)))


def _is_lines(path: Path) -> None:
    if path.suffix.lower() == ".csv":
        hint = f"write it as JSON lines, {path.stem}.jsonl"
        raise DatasetError(Problem(str(path), "is a CSV file, which an audit does not edit", hint))


def _edit(lines: Sequence[Line], proposed: Mapping[str, Proposed]) -> Edit:
    """What is to be written for some edits; nothing for cases that were retired meanwhile, or are gone."""
    found: dict[int, Case] = {}
    for line in lines:
        case = line.case
        change = None if case is None else proposed.get(case.id)
        if case is None or change is None or case.retired:
            continue
        after = (
            replace(case, retired=change.retired) if change.retired else replace(case, tier=change.tier or case.tier)
        )
        if after != case:
            found[line.number] = after
    return Edit(instead=found)


def line_diff(before: bytes, after: bytes, name: str) -> bytes:
    """A unified diff of two files that differ in lines only that stand at the same place in both."""
    one, other = _split(before), _split(after)
    changed = [place for place, pair in enumerate(zip(one, other, strict=True)) if pair[0] != pair[1]]
    if not changed:
        return b""
    parts = [f"--- a/{name}\n+++ b/{name}\n".encode()]
    while changed:
        hunk = [changed.pop(0)]
        while changed and changed[0] - hunk[-1] <= 2 * _AROUND:
            hunk.append(changed.pop(0))
        parts += _hunk(one, other, hunk)
    return b"".join(parts)


def _split(data: bytes) -> list[bytes]:
    parts = data.split(b"\n")
    return [part + b"\n" for part in parts[:-1]] + [part for part in parts[-1:] if part]


def _hunk(one: Sequence[bytes], other: Sequence[bytes], places: Sequence[int]) -> list[bytes]:
    """The lines around some changes, those changes made one after the other."""
    start, end = max(0, places[0] - _AROUND), min(len(one), places[-1] + _AROUND + 1)
    parts = [f"@@ -{start + 1},{end - start} +{start + 1},{end - start} @@\n".encode()]
    for place in range(start, end):
        if one[place] == other[place]:
            parts.append(_ended(b" " + one[place]))
        else:
            parts += [_ended(b"-" + one[place]), _ended(b"+" + other[place])]
    return parts


def _ended(line: bytes) -> bytes:
    return line if line.endswith(b"\n") else line + _UNENDED
