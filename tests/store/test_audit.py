"""Who looked at what: lines that are only added, and that name nobody who was erased."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.erasing import erase
from gatewatch.checks.traffic import NOW, request, take
from gatewatch.core.erasure import Subject
from gatewatch.store.base import Store
from store.making import a_store, backend

__all__ = ["backend"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = a_store(tmp_path)
    yield made
    made.close()


def test_the_newest_lines_come_first_and_no_more_than_are_asked_for(store: Store) -> None:
    for n in range(5):
        store.note(NOW + n // 2, "ana", "read", f"r{n}")
    assert [line.what for line in store.audit(0.0, 3)] == ["r4", "r3", "r2"]
    assert [line.what for line in store.audit(NOW + 1, 9)] == ["r4", "r3", "r2"]
    assert store.audit(NOW + 9, 9) == []
    line = store.audit(NOW + 2, 9)[0]
    assert (line.at, line.who, line.action) == (NOW + 2, "ana", "read")


def test_lines_come_by_pages_without_those_that_say_what_was_read(store: Store) -> None:
    for n in range(7):
        store.note(NOW, "ana", "label" if n % 2 else "read", f"r{n}")
    first = store.audited(most=2)
    assert [line.what for line in first] == ["r5", "r3"]
    assert [line.what for line in store.audited(before=first[-1].id)] == ["r1"]
    assert [line.what for line in store.audited(before=first[0].id, most=3, reads=True)] == ["r4", "r3", "r2"]


@pytest.mark.parametrize("kind", ["user", "session"])
def test_an_id_with_the_name_of_somebody_erased_is_told_no_more(store: Store, kind: str) -> None:
    named: dict[str, Any] = {"user": "mia"} if kind == "user" else {"session": "mia"}
    take(store, *(request(name, **named) for name in ("by-mia", "plain")), request("of-mia", user="bob"))
    for what in ("by-mia", "plain", "of-mia", "run mia"):
        store.note(NOW, "mia", "read", what)
    store.note(NOW, "ana", "erase", "by-mia")
    erase(store, Subject(kind, ("mia",)))  # type: ignore[arg-type]
    told = [(line.action, line.what) for line in store.audit(0.0, 9)][::-1]
    assert told == [
        *(("read", what) for what in ("(erased)", "plain", "of-mia", "run mia")),
        ("erase", "by-mia"),
    ]
