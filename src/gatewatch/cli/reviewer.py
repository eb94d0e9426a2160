"""What commands of reviewing share: who reviews, which item is meant, and keeping what is said of it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import who

if TYPE_CHECKING:
    from gatewatch.core.case import Expected
    from gatewatch.core.review import Item, Label
    from gatewatch.store.base import Store


_MOST_BYTES = 1_000_000


def expected_given(text: str) -> "str | Expected | None":
    """What is given as --expected: text, JSON, or what stands in a file behind an @.

    Raises:
        InputError: the file cannot be read, is of more than a megabyte, or says something that is wrong.
    """
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.loop.label import expected_of

    if not text.startswith("@"):
        return expected_of(text, "--expected")
    path = text[1:]
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(Problem(path, f"cannot be read: {getattr(error, 'strerror', error)}")) from None
    if len(data) > _MOST_BYTES:
        raise InputError(Problem(path, f"is longer than {_MOST_BYTES:,} bytes", "give the answer alone"))
    try:
        return expected_of(data.decode(), path)
    except UnicodeDecodeError as error:
        raise InputError(Problem(path, f"not UTF-8 at byte {error.start}", "save it as UTF-8")) from None


def settling(
    store: "Store", item: "Item", by: str, value: float | None, expected: "str | Expected | None", comment: str
) -> "Label":
    """A label that settles an item, with what its reviewer had said before."""
    from gatewatch.core.clock import wall
    from gatewatch.core.review import Label

    if value is None:
        raise click.BadParameter("that it cannot be judged settles nothing", param_hint="--value")
    before = next((each for each in store.labels([item.id]) if each.by == by and not each.skipped), None)
    first = None if before is None else before.first if before.settles else before.value
    return Label(
        item=item.id,
        by=by,
        at=wall(),
        value=value,
        expected=expected,
        comment=comment,
        settles=True,
        first=first,
    )


def keep(store: "Store", label: "Label", now: float) -> "Item":
    """Keep a label, with a note of it in the audit, and give the item as it is then.

    Raises:
        InputError: the item is gone: somebody was erased.
    """
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.loop.label import item_name

    kept = store.label(label, now)
    if kept is None:
        raise InputError(Problem(item_name(label.item), "is there no more: it was erased"))
    done = "settle" if label.settles else "skip" if label.skipped else "label"
    store.note(now, who(), done, item_name(label.item) + ("" if label.by == who() else f" by {label.by}"))
    return kept


def explanation(store: "Store", item: "Item") -> str:
    """Why the judge said what it did of an item, where that is still there."""
    if item.judged is None:
        return ""
    found = [each.score for each in store.scores(item.seq) if each.score.value == item.judged] if item.seq else []
    mine = [each for each in found if each.name == item.scorer] or [each for each in found if each.source == "judge"]
    return mine[-1].explanation if mine else ""


def hidden(store: "Store", item: "Item", by: str) -> "tuple[list[Label], str]":
    """What is hidden from a reviewer until their label is there, with a note of it in the audit: what others said, and
    why the judge said what it did."""
    from gatewatch.core.clock import wall
    from gatewatch.loop.label import item_name

    store.note(wall(), who(), "reveal", item_name(item.id))
    return [each for each in store.labels([item.id]) if each.by != by], explanation(store, item)


def item_named(store: "Store", name: str) -> "Item":
    """An item by its name.

    Raises:
        InputError: there is none.
    """
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.core.failure import number_in

    number = number_in(name, "I") or (int(name) if name.isdecimal() and name.isascii() and len(name) < 19 else 0)
    found = store.item(number) if number else None
    if found is None:
        what = "there is no such item" if number else "is no name of an item, such as I7"
        raise InputError(Problem(name, what, "`gatewatch label status` says what waits"))
    return found


def named(by: str) -> str:
    """Who labels: who is named, or the account.

    Raises:
        BadParameter: a name of more than a line, or of more than 100 letters.
    """
    name = by.strip() or who()
    if len(name) > 100 or not name.isprintable():
        raise click.BadParameter("must be a name of one line, of 100 letters at most", param_hint="--by")
    return name
