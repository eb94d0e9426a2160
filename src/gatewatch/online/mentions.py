"""Where a project's own files speak of somebody who was erased: label lines, which go; cases and runs, which are named.

Files are JSON lines and tables (`.jsonl`, `.ndjson`, `.csv`) anywhere in the project, hidden folders and installed
packages aside, and in `.gatewatch`; and the journals of runs that were pushed to the store. A line speaks of somebody
when it names one of their requests by its id, or has their own id in it as a word of its own.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.erasure import Line, Subject, base_of, mark_of
from gatewatch.core.label import LabelLine
from gatewatch.store.base import Store
from gatewatch.store.uploads import NotBegun, parts_of

_ENDINGS = (".jsonl", ".ndjson", ".csv")
_PASSED_OVER = frozenset({"node_modules", "site-packages", "__pycache__", "venv"})
_OURS = ".gatewatch"
_SEEN_TO = ("spool", "exports", "erased.jsonl")  # of it, by other parts of an erasure
_MOST = 1000
_HEX = re.compile(rb"(?<![0-9a-zA-Z])[0-9a-f]{32}(?![0-9a-zA-Z])")
_NAMING = ("trace", "id", "provenance", "meta")


class Mentions(Struct, frozen=True):
    """Lines of labels that went, and lines that people should look at: the first thousand. `left` says which files
    could not be looked through, or written."""

    changed: tuple[Line, ...] = ()
    look_at: tuple[Line, ...] = ()
    left: tuple[str, ...] = ()


def mentions(root: Path, subject: Subject, buried: Callable[[Iterable[str]], set[str]], *, change: bool) -> Mentions:
    """Find the lines that speak of somebody, and with `change` take labels of their requests out of their files.

    Args:
        root: the project's folder.
        subject: who.
        buried: which of some digests there are tombstones of.
        change: whether label files are written anew, whole or not at all; one that is a link is named instead.
    """
    changed: list[Line] = []
    look_at: list[Line] = []
    left: list[str] = []
    word = _word(subject)
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        try:
            with path.open("rb") as file:
                labels, others = _lines(file, word, buried)
            if path.is_symlink():
                labels, others = [], sorted((*labels, *others))
            if change and labels:
                _without(path, set(labels))
        except OSError as error:
            left.append(f"{name}: {error.strerror}: whether it speaks of them is not known")
            continue
        changed += [Line(name, line) for line in labels]
        look_at += [Line(name, line) for line in others]
    return Mentions(tuple(changed), tuple(look_at[:_MOST]), tuple(left))


def pushed_runs(store: Store, subject: Subject) -> tuple[str, ...]:
    """The runs that were pushed to a store and speak of somebody, by their ids."""
    word = _word(subject)
    return tuple(name for name in store.run_names() if any(_lines(_journal(store, name), word, store.buried)))


def _journal(store: Store, name: str) -> Iterator[bytes]:
    """The lines of a run that was pushed, as long as it is there."""
    run, rest = store.run(name), b""
    if run is None:
        return
    with suppress(NotBegun):
        for part in range(parts_of(run.size)):
            *lines, rest = (rest + store.run_part(run, part)).split(b"\n")
            yield from lines
    yield rest


def _files(root: Path) -> Iterator[Path]:
    for start, besides in ((root, ()), (root / _OURS, _SEEN_TO)):
        for folder, inner, names in os.walk(start):
            above = besides if Path(folder) == start else ()
            inner[:] = sorted(each for each in inner if not each.startswith(".") and each not in _PASSED_OVER)
            inner[:] = (each for each in inner if each not in above)
            for name in sorted(set(names).difference(above)):
                path = Path(folder) / name
                if name.lower().endswith(_ENDINGS) and path.is_file():
                    yield path


def _word(subject: Subject) -> re.Pattern[bytes]:
    """What finds any name of somebody in a line, as text or within JSON."""
    import json

    forms = set()
    for name in subject.names:
        forms |= {name.encode("utf-8", "surrogatepass"), codec.encode(name)[1:-1], json.dumps(name)[1:-1].encode()}
    return re.compile(rb"(?<![0-9A-Za-z_])(?:" + b"|".join(map(re.escape, sorted(forms))) + rb")(?![0-9A-Za-z_])")


def _lines(
    lines: Iterable[bytes], word: re.Pattern[bytes], buried: Callable[[Iterable[str]], set[str]]
) -> tuple[list[int], list[int]]:
    """The numbers of those lines that speak of somebody: labels, and others."""
    named: list[tuple[int, bool, set[str]]] = []
    labels: list[int] = []
    others: set[int] = set()
    for number, line in enumerate(lines, 1):
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
    except (ValueError, RecursionError):
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
