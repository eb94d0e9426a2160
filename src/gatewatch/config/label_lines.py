"""People's labels as lines of files: those that `gatewatch calibrate` reads, and the verdicts to hold them against."""

import os
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from gatewatch.config.labelling import answers_for, every_item, labels_of
from gatewatch.config.project import Project
from gatewatch.core import codec
from gatewatch.core.clock import stamp
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.label import LabelLine, VerdictLine
from gatewatch.core.review import Item, Label, Queue, is_right
from gatewatch.loop.answers import Answers
from gatewatch.loop.draw import labelled_pi

if TYPE_CHECKING:
    from gatewatch.store.base import Store

_OURS = ("random", "mined")
_Key = tuple[str, str, str, str]


class Exported(Struct, frozen=True):
    """How many lines were written: new ones, ones that are another now, ones that were there; of what was `drawn` and
    of what was `mined`. Of what chance drew, `unlabelled` requests are labelled by nobody yet; `withdrawn` lines were
    taken out. `verdicts` were written beside them; of `outdated` the judge that spoke was another version."""

    new: int
    changed: int
    there: int
    drawn: int
    mined: int
    unlabelled: int = 0
    withdrawn: int = 0
    verdicts: int = 0
    outdated: int = 0


def export(
    project: Project, store: "Store", path: Path, scorer: str, *, queue: Queue | None = None, verdicts: Path | None
) -> Exported:
    """Write what people said on a scorer's scale into a file of labels, and into another what the scorer said.

    What chance drew has its probability, to be drawn and labelled; what was mined has none, so that no calibration
    counts it. Lines that are there stay, but for those that an export wrote of requests that are in the store: they
    become what people say now, or leave where they took it back.

    Args:
        project: whose scorer it is.
        store: where the labels are.
        path: the file of labels.
        scorer: on whose scale; what was mined and asks whether the answer is right comes along.
        queue: only what is in one queue.
        verdicts: the file of verdicts, written anew: of what was drawn and labelled, and of nothing else.

    Raises:
        InputError: when a file cannot be read or written.
    """
    said = answers_for(project, scorer)
    items = {item.id: item for item in every_item(store, queue=queue) if _is_of(item, scorer)}
    labelled = [
        (items[label.item], label)
        for label in labels_of(store, items.values())
        if label.value is not None and not label.skipped
    ]
    chance = [item for item in items.values() if item.pi is not None]
    pi = labelled_pi(chance, {item.id for item, _ in labelled})
    lines = {key_of(line): line for line in (_line(item, label, said, scorer, pi) for item, label in labelled)}
    new, changed, withdrawn = _write_labels(
        path, lines, scorer, {(item.trace, _source(item)) for item in items.values()}
    )
    drawn = {item.id: item for item, _ in labelled if item.pi is not None}
    told = outdated = 0
    if verdicts is not None:
        current = _fingerprint(store, scorer)
        judged = [each for each in drawn.values() if each.fingerprint == current and each.judged is not None]
        _write(verdicts, [codec.encode(_verdict(each, said)) for each in judged])
        told, outdated = len(judged), len(drawn) - len(judged)
    of_drawn = sum(line.pi is not None for line in lines.values())
    return Exported(
        new=new,
        changed=changed,
        there=len(lines) - new - changed,
        drawn=of_drawn,
        mined=len(lines) - of_drawn,
        unlabelled=len(chance) - len(pi),
        withdrawn=withdrawn,
        verdicts=told,
        outdated=outdated,
    )


def key_of(line: LabelLine) -> _Key:
    """Whose word it is, on what, on which scale, and why they were asked: of what was both mined and drawn by chance
    there are two lines."""
    return line.trace, line.scorer, line.by, line.source


def _is_of(item: Item, scorer: str) -> bool:
    return item.scorer == scorer or (item.queue == "failures" and not item.scorer)


def _source(item: Item) -> str:
    return "mined" if item.pi is None else "random"


def _line(item: Item, label: Label, said: Answers, scorer: str, pi: Mapping[int, float]) -> LabelLine:
    assert label.value is not None
    return LabelLine(
        trace=item.trace,
        scorer=scorer,
        value=said.line_value(label.value) if item.scorer else is_right(label.value),
        by=label.by,
        at=stamp(datetime.fromtimestamp(label.at, UTC)),
        pi=pi.get(item.id),
        source=_source(item),
        slice=item.slice,
        cluster=codec.digest(item.session, 12) if item.session else "",
        comment=label.comment,
    )


def _verdict(item: Item, said: Answers) -> VerdictLine:
    assert item.judged is not None
    cluster = codec.digest(item.session, 12) if item.session else ""
    return VerdictLine(case=item.trace, value=said.line_value(item.judged), slice=item.slice, cluster=cluster)


def _fingerprint(store: "Store", scorer: str) -> str:
    """The version of a scorer that scores now."""
    return next((each.fingerprint for each in reversed(store.works()) if each.scorer == scorer), "")


def _write_labels(
    path: Path, lines: Mapping[_Key, LabelLine], scorer: str, known: Collection[tuple[str, str]]
) -> tuple[int, int, int]:
    """Write lines into a file beside those that are there, and say how many are new, how many are another now, and how
    many were taken out: those on the scorer's scale, of `known` requests, of which nobody says anything any more."""
    left = {key: codec.encode(line) for key, line in lines.items()}
    kept: list[bytes] = []
    changed = withdrawn = 0
    for raw in _read(path):
        key = _ours(raw)
        if key is not None and key not in lines and key[1] == scorer and (key[0], key[3]) in known:
            withdrawn += 1
            continue
        now = raw if key is None else left.pop(key, raw)
        changed += now != raw
        kept.append(now)
    if left or changed or withdrawn:
        _write(path, [*kept, *left.values()])
    return len(left), changed, withdrawn


def _ours(raw: bytes) -> _Key | None:
    """The key of a line that an export wrote, or somebody in the same form; None for any other, which stays."""
    try:
        line = codec.decode(raw, LabelLine)
    except (ValueError, RecursionError):
        return None
    return key_of(line) if line.trace and line.at and line.source in _OURS else None


def _read(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().removesuffix(b"\n").split(b"\n") if path.exists() else []
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from None


def _write(path: Path, lines: Sequence[bytes]) -> None:
    """Write a file whole, or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(b"".join(line + b"\n" for line in lines))
        aside.replace(path)
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from None
