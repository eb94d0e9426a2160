"""Runs that are pushed: cut off, taken up again, replaced by a longer version, let go of."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from gatewatch.checks.runs import journal_of, pushed, read_back, upload_of
from gatewatch.core import codec
from gatewatch.store.base import Store
from gatewatch.store.uploads import PART, AnotherJournal, NotBegun, Upload
from store.making import a_store, backend

__all__ = ["backend"]
NOW = 1_790_000_000.0
WEEK_S = 7 * 86_400.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = a_store(tmp_path)
    yield made
    made.close()


def test_a_run_that_went_on_takes_the_place_of_what_was_pushed_before(store: Store) -> None:
    whole = journal_of("r", PART + 5000)
    cut = whole[: whole.find(b"\n", PART // 2) + 1]
    assert pushed(store, "r", cut).state == "partial"
    assert pushed(store, "r", whole).state == "complete"
    assert read_back(store, "r") == whole
    with pytest.raises(AnotherJournal, match="its header is the same, its rows are not"):
        pushed(store, "r", cut)


def test_what_only_says_that_it_goes_on_does_not_take_its_place(store: Store) -> None:
    first = journal_of("r", 5000, ended=False)
    pushed(store, "r", first)
    other = first.replace(b'"case":"0"', b'"case":"1"') + codec.frame("row", b"{}")
    with pytest.raises(AnotherJournal):
        pushed(store, "r", other)
    assert read_back(store, "r") == first


def test_what_is_another_journal_than_was_announced_is_let_go_of(store: Store) -> None:
    journal = journal_of("r", 5000)
    upload = upload_of("r", journal)
    lied = Upload("r", "main", sha256(b"else").hexdigest(), len(journal), upload.header)
    store.begin_upload(lied, NOW)
    store.put_part("r", lied.digest, 0, journal)
    with pytest.raises(NotBegun, match="another journal than was announced: its SHA-256 differs"):
        store.finish_upload("r", lied.digest, NOW)
    with pytest.raises(NotBegun, match="nobody began"):
        store.put_part("r", lied.digest, 0, journal)


@pytest.mark.parametrize("end", [b"{}", b'{"state": 7}', b"[" * 5000])
def test_an_end_that_cannot_be_read_is_none(store: Store, end: bytes) -> None:
    journal = journal_of("r", 1000, ended=False) + codec.frame("end", end)
    assert pushed(store, "r", journal).state == "partial"


def test_what_was_begun_long_ago_is_let_go_of_when_another_is_begun(store: Store) -> None:
    old, new = journal_of("old", 1000), journal_of("new", 1000)
    upload = upload_of("old", old)
    store.begin_upload(upload, NOW)
    store.put_part("old", upload.digest, 0, old)
    pushed(store, "new", new, now=NOW + WEEK_S - 1)
    assert store.begin_upload(upload, NOW + WEEK_S - 1).missing == ()  # which makes it young again
    pushed(store, "newer", journal_of("newer", 1000), now=NOW + 3 * WEEK_S)
    with pytest.raises(NotBegun):
        store.finish_upload("old", upload.digest, NOW)
    assert store.run_names() == ["new", "newer"]


def test_a_run_is_let_go_of_with_what_is_being_pushed_under_its_id(store: Store) -> None:
    whole = journal_of("r", 9000)
    pushed(store, "r", whole[: whole.find(b"\n", 4000) + 1])
    pushed(store, "other", journal_of("other", 1000))
    store.begin_upload(upload_of("r", whole), NOW)
    kept = store.run("r")
    assert store.forget_run("r") and not store.forget_run("r")
    assert (store.run("r"), store.run_names()) == (None, ["other"])
    with pytest.raises(NotBegun):
        store.finish_upload("r", upload_of("r", whole).digest, NOW)
    assert kept is not None
    with pytest.raises(NotBegun, match="not there any more"):
        store.run_part(kept, 0)
