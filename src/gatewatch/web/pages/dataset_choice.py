"""Which cases of a dataset are wanted, as an address says it; and what comes before and after a case among them."""

from typing import Any

from gatewatch.config.dataset_books import ORIGINS, STATES, Book, Chosen, Entry
from gatewatch.core.errors import DatasetError
from gatewatch.web.pages.asked import Asked


def chosen(asked: Asked) -> Chosen:
    """Which cases are wanted."""
    return Chosen(
        asked.get("q"),
        asked.get("slice"),
        asked.get("tier", among=("pr", "nightly")),
        asked.get("state", among=STATES),
        asked.get("origin", among=ORIGINS),
    )


def as_query(by: Chosen) -> dict[str, Any]:
    """A choice of cases as parameters of an address."""
    return {"q": by.text, "slice": by.slice, "tier": by.tier, "state": by.state, "origin": by.origin}


def beside(book: Book, entry: Entry, by: Chosen) -> tuple[str, str]:
    """The ids of the cases before and after one, among those that are wanted; "" for none."""
    try:
        found = book.matching(by)
    except DatasetError:  # it is being written to: there is no order to go by
        return "", ""
    place = next((at for at, each in enumerate(found) if each.place == entry.place), None)
    if place is None:
        return "", ""
    before = found[place - 1].id if place else ""
    return before, found[place + 1].id if place + 1 < len(found) else ""
