"""Where a project's own files speak of somebody who was erased: label lines, which go; cases and runs, which are named.

Files are JSON lines and tables (`.jsonl`, `.csv`) anywhere in the project, hidden folders and installed packages aside,
and the journals of runs. A line speaks of somebody when it names one of their requests by its id, or has their own id
in it as a word of its own.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.erasure import Place, Subject, base_of, mark_of
from gatewatch.core.label import LabelLine

_ENDINGS = (".jsonl", ".csv")
_PASSED_OVER = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
_OURS = ("runs", "verdicts")  # of `.gatewatch`
_MOST = 1000
_HEX = re.compile(rb"(?<![0-9a-zA-Z])[0-9a-f]{32}(?![0-9a-zA-Z])")
_NAMING = ("trace", "id", "provenance", "meta")


class Mentions(Struct, frozen=True):
    """Lines of labels that went, and lines that people should look at: the first thousand."""

    changed: tuple[Place, ...] = ()
    look_at: tuple[Place, ...] = ()


def mentions(root: Path, subject: Subject, buried: Callable[[Iterable[str]], set[str]], *, change: bool) -> Mentions:
    """Find the lines that speak of somebody, and with `change` take labels of their requests out of their files.

    Args:
        root: the project's folder.
        subject: who.
        buried: which of some digests there are tombstones of.
        change: whether label files are written anew, whole or not at all.

    Raises:
        OSError: when a file cannot be read or written.
    """
    changed: list[Place] = []
    look_at: list[Place] = []
    word = _word(subject)
    for path in _files(root):
        labels, others = _lines(path, word, buried)
        name = path.relative_to(root).as_posix()
        changed += [Place(name, line) for line in labels]
        look_at += [Place(name, line) for line in others]
        if change and labels:
            _without(path, set(labels))
    return Mentions(tuple(changed), tuple(look_at[:_MOST]))


def _files(root: Path) -> Iterator[Path]:
    starts = [root, *(root / ".gatewatch" / name for name in _OURS)]
    for start in starts:
        for folder, inner, names in os.walk(start):
            inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in _PASSED_OVER)
            for name in sorted(names):
                path = Path(folder) / name
                if name.endswith(_ENDINGS) and path.is_file() and not path.is_symlink():
                    yield path


def _word(subject: Subject) -> re.Pattern[bytes]:
    """What finds any name of somebody in a line, as text or within JSON."""
    import json

    forms = set()
    for name in subject.names:
        forms |= {name.encode("utf-8", "surrogatepass"), codec.encode(name)[1:-1], json.dumps(name)[1:-1].encode()}
    return re.compile(rb"(?<![0-9A-Za-z_])(?:" + b"|".join(map(re.escape, sorted(forms))) + rb")(?![0-9A-Za-z_])")


def _lines(
    path: Path, word: re.Pattern[bytes], buried: Callable[[Iterable[str]], set[str]]
) -> tuple[list[int], list[int]]:
    """The numbers of the lines that speak of somebody: labels, and others."""
    named: list[tuple[int, bool, set[str]]] = []
    labels: list[int] = []
    others: set[int] = set()
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if word.search(line):
                others.add(number)
            label, traces = _traces(line)
            if traces:
                named.append((number, label, {mark for each in traces for mark in _marks(each)}))
    known = buried(mark for _, _, marks in named for mark in marks)
    for number, label, marks in named:
        if not known.isdisjoint(marks):
            others.discard(number)
            (labels.append if label else others.add)(number)
    return labels, sorted(others)


def _marks(trace: str) -> tuple[str, str]:
    base = base_of(trace)
    return mark_of("trace", base), mark_of("turn", base)


def _traces(line: bytes) -> tuple[bool, set[str]]:
    """Whether a line is a label of a trace, and the ids of traces that it may name."""
    found = {each.decode() for each in _HEX.findall(line)}
    if b'"trace"' not in line and b'"provenance"' not in line and b'"id"' not in line:
        return False, found
    try:
        label = codec.decode(line, LabelLine)
    except ValueError:
        pass
    else:
        return bool(label.trace), {label.trace} if label.trace else found
    try:
        entry = codec.parse(line)
    except (ValueError, RecursionError):
        return False, found
    if isinstance(entry, dict):
        for key in _NAMING:
            found.update(_texts(entry.get(key)))
    return False, found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _without(path: Path, numbers: set[int]) -> None:
    """Write a file anew without some of its lines; whoever looks finds the old one or the new."""
    aside = path.with_name(f".{path.name}.erasing")
    with path.open("rb") as old, aside.open("wb") as new:
        os.fchmod(new.fileno(), os.fstat(old.fileno()).st_mode & 0o777)
        new.writelines(line for number, line in enumerate(old, 1) if number not in numbers)
        new.flush()
        os.fsync(new.fileno())
    aside.replace(path)
