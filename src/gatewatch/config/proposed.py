"""What a dataset has, and what waits for it in the outbox: against both each new case is held."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gatewatch.config.load import FILE, shortest
from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.change import Change, ChangeState
from gatewatch.core.errors import InputError, Problem
from gatewatch.loop.same import There
from gatewatch.offline.dataset_edit import lines_of

if TYPE_CHECKING:
    from gatewatch.store.base import Store

_EVERY = 1000
_PROPOSED: tuple[ChangeState, ...] = ("pending", "pulled", "merged")


def there_in(store: "Store", path: Path, dataset: str, *, every: bool) -> list[There]:
    """The cases of a dataset, and those that wait for it, or with `every` all that were ever proposed.

    Raises:
        InputError: there is no such file, or it cannot be read, or is no JSON lines.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        hint = "make it with a first case, or give another --suite"
        raise InputError(Problem(str(shortest(path)), "no such file", hint)) from None
    except OSError as error:
        raise InputError(Problem(str(shortest(path)), f"cannot be read: {error.strerror}")) from None
    if path.suffix.lower() == ".csv":
        hint = f"write it as JSON lines, {path.stem}.jsonl, and name that in {FILE}"
        raise InputError(Problem(str(shortest(path)), "is a CSV file: cases are promoted into JSON lines", hint))
    found = [There(line.case, line.number) for line in lines_of(data, str(path)) if line.case is not None]
    known = {each.case.id for each in found}
    for change in proposed(store, dataset, every=every):
        case = case_in(change)
        if case is not None and case.id not in known and not change.body.get("into"):
            found.append(There(case, change=change.id))
    return found


def proposed(store: "Store", dataset: str, *, every: bool) -> Iterator[Change]:
    """The cases that wait for a dataset, or with `every` also those that some checkout has."""
    after, states = 0, _PROPOSED if every else _PROPOSED[:1]
    while some := store.changes(states, kind="case", after=after, most=_EVERY):
        yield from (each for each in some if each.path == dataset)
        after = some[-1].id


def case_in(change: Change) -> Case | None:
    """The case that a change brings; None where it says none."""
    with suppress(ValueError):
        return codec.decode(codec.encode(change.body["case"]), Case)
    return None
