"""What is kept of erasures: sums by part and day, until the receipt closes them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewatch.checks.erasing import erase
from gatewatch.checks.traffic import FLOW, NOW, request, take
from gatewatch.core.erasure import Day, Subject
from gatewatch.store.base import Store
from store.making import a_store, backend

__all__ = ["backend"]
DAY_S = 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = a_store(tmp_path)
    yield made
    made.close()


def test_parts_add_up_and_nothing_is_no_part(store: Store) -> None:
    name = store.begin_erasure("e", Subject("user", ("mia",)), "ana", NOW)
    store.count_erased(name, {"labels": 2, "exports": 0})
    store.count_erased(name, {"labels": 1})
    assert store.tally(name) == ({"labels": 3}, [])
    assert store.tally("none") == ({}, [])


def test_a_window_is_of_the_days_that_it_touches(store: Store) -> None:
    start = NOW // DAY_S * DAY_S
    take(store, *(request(f"{n}", user="mia", at=start + n * DAY_S) for n in range(3)))
    take(store, request("bob's", user="bob", at=start))
    erase(store)
    erase(store, Subject("user", ("bob",)))
    days = [Day(FLOW, start + n * DAY_S, requests, 0) for n, requests in enumerate((2, 1, 1))]
    assert store.erased(start, start + 3 * DAY_S) == days
    assert store.erased(start + 1, start + DAY_S) == days[:1]
    assert store.erased(start + DAY_S, start + DAY_S + 1) == days[1:2]
    assert store.erased(start - DAY_S, start) == []


def test_the_newest_erasure_comes_first_and_one_is_open_until_its_receipt(store: Store) -> None:
    for n, name in enumerate(("mia", "bob")):
        store.begin_erasure(f"e{n}", Subject("user", (name,)), "ana", NOW + n)
    store.close_erasure("e0", b'{"counts":{}}')
    assert [(each.id, each.receipt) for each in store.erasures()] == [("e1", None), ("e0", {"counts": {}})]
