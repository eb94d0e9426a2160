"""Reviewing: by what rules a label is taken, keeping it with a line in the audit, what is shown once it is there."""

from collections.abc import Iterable, Iterator
from statistics import median
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from gatewatch.core.case import Expected
from gatewatch.core.errors import InputError, Problem, did_you_mean
from gatewatch.core.failure import number_in
from gatewatch.core.review import Item, Label, is_right
from gatewatch.loop.label import item_name

if TYPE_CHECKING:
    from gatewatch.store.base import Store

MOST_NAME = 100
"""So many letters a reviewer's name may have."""

Commented = Literal["optional", "wrong", "always"]


class Rules(Struct, frozen=True):
    """What a reviewer has to say of an item: `kinds` are in which ways an answer may fail, `comment` says whether a
    word on it is needed, `severity` whether it is asked how grave a wrong answer is."""

    kinds: tuple[str, ...] = ()
    comment: Commented = "optional"
    severity: bool = False

    def check(self, label: Label, mark: float = 0.5) -> None:
        """Refuse a label that does not say what it has to; what is skipped need say nothing.

        Raises:
            InputError: with all that is missing or not known.
        """
        problems = list(self._problems(label, mark))
        if problems:
            raise InputError(problems)

    def _problems(self, label: Label, mark: float) -> Iterator[Problem]:
        for kind in label.kinds:
            if kind not in self.kinds:
                hint = did_you_mean(kind, self.kinds) if self.kinds else "[loop] kinds lists those there are: none"
                yield Problem("kind", f"{kind!r} is no kind of failure", hint)
        wrong = label.value is not None and not is_right(label.value, mark)
        needed = self.comment == "always" or (self.comment == "wrong" and wrong)
        if needed and not label.comment and not label.skipped:
            when = "every label" if self.comment == "always" else "what is wrong"
            yield Problem("comment", "is missing", f"[loop] comment asks for one with {when}")


def name_of(given: str) -> str:
    """A reviewer's name as it is kept.

    Raises:
        ValueError: it is more than a line, or too long, or nothing.
    """
    name = given.strip()
    if not name or len(name) > MOST_NAME or not name.isprintable():
        raise ValueError(f"must be a name of one line, of {MOST_NAME} letters at most")
    return name


def item_named(store: "Store", name: str) -> Item:
    """An item by its name.

    Raises:
        InputError: there is none.
    """
    number = number_in(name, "I") or (int(name) if name.isdecimal() and name.isascii() and len(name) < 19 else 0)
    found = store.item(number) if number else None
    if found is None:
        what = "there is no such item" if number else "is no name of an item, such as I7"
        raise InputError(Problem(name, what, "`gatewatch label status` says what waits"))
    return found


# Keeping it


def keep(store: "Store", label: Label, now: float, *, account: str) -> Item:
    """Keep a label, with a note of it in the audit, and give the item as it is then.

    Args:
        store: where it is kept.
        label: the label.
        now: in seconds since the epoch.
        account: who is noted: an account or a token, of which the reviewer may be another.

    Raises:
        InputError: the item is gone: somebody was erased.
    """
    kept = store.label(label, now)
    if kept is None:
        raise InputError(Problem(item_name(label.item), "is there no more: it was erased"))
    done = "settle" if label.settles else "skip" if label.skipped else "label"
    store.note(now, account, done, item_name(label.item) + ("" if label.by == account else f" by {label.by}"))
    return kept


def settling(
    store: "Store",
    item: Item,
    by: str,
    value: float,
    now: float,
    *,
    expected: str | Expected | None = None,
    comment: str = "",
    kinds: tuple[str, ...] = (),
) -> Label:
    """A label that settles an item, with what its reviewer had said before."""
    before = next((each for each in store.labels([item.id]) if each.by == by and not each.skipped), None)
    first = None if before is None else before.first if before.settles else before.value
    return Label(
        item=item.id,
        by=by,
        at=now,
        value=value,
        expected=expected,
        comment=comment,
        kinds=kinds,
        settles=True,
        first=first,
    )


# What is shown then


def explanation(store: "Store", item: Item) -> str:
    """Why the judge said what it did of an item, where that is still there."""
    if item.judged is None:
        return ""
    found = [each.score for each in store.scores(item.seq) if each.score.value == item.judged] if item.seq else []
    mine = [each for each in found if each.name == item.scorer] or [each for each in found if each.source == "judge"]
    return mine[-1].explanation if mine else ""


def hidden(store: "Store", item: Item, by: str, now: float, *, account: str) -> tuple[list[Label], str]:
    """What is hidden from a reviewer until their label is there, with a note of it in the audit: what others said, and
    why the judge said what it did."""
    store.note(now, account, "reveal", item_name(item.id))
    return [each for each in store.labels([item.id]) if each.by != by], explanation(store, item)


class Worked(Struct, frozen=True):
    """How much a reviewer did: labelled, skipped, and the median seconds that an item took; None where nobody knows."""

    by: str
    labelled: int
    skipped: int
    median_s: float | None


def worked(labels: Iterable[Label]) -> list[Worked]:
    """How much each reviewer did, by name."""
    by: dict[str, list[Label]] = {}
    for label in labels:
        by.setdefault(label.by, []).append(label)
    return [_worked(name, by[name]) for name in sorted(by)]


def _worked(name: str, labels: list[Label]) -> Worked:
    took = [label.seconds for label in labels if label.seconds is not None and not label.skipped]
    skipped = sum(label.skipped for label in labels)
    return Worked(name, len(labels) - skipped, skipped, median(took) if took else None)
