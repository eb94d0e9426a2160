"""The datasets of a project, and their cases by what is asked of them."""

from pathlib import Path

import pytest

from gatewatch.config.dataset_books import Book, Books, Chosen
from gatewatch.config.project import Project
from gatewatch.core.errors import ConfigError, DatasetError

TOML = """
[project]
name = "bot"
[suites.support]
dataset = "datasets/support.jsonl"
task = "replay:replies.jsonl"
scorers = ["exact"]
[suites.more]
dataset = "other/support.jsonl"
task = "replay:replies.jsonl"
scorers = ["exact"]
"""
LINES = """\
{"id": "a", "input": "Fünf Äpfel?", "expected": "ja", "slice": "fruit", "must_pass": true}
{"id": "b", "input": {"q": "pears"}, "tier": "nightly", "provenance": {"trace": "t1", "at": "2026-05-01T10:00:00Z"}}
{"id": "c", "input": "gone", "retired": "old", "slice": "fruit", "provenance": {"from": "a list"}}
{"id": "d", "input": "not yet", "open": {"until": "2026-12-01"}}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    (tmp_path / "gatewatch.toml").write_text(TOML)
    for folder in ("datasets", "other"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "support.jsonl").write_text(LINES)
    (tmp_path / "datasets" / "alone.jsonl").write_text('{"input": "x"}\n')
    (tmp_path / "datasets" / "notes.txt").write_text("no dataset")
    return Books(Project.open(tmp_path))


def ids(book: Book, **by: str) -> str:
    return "".join(each.id for each in book.matching(Chosen(**by)))


def test_those_of_suites_come_first_and_each_has_a_name_of_its_own(books: Books) -> None:
    known = books.known()
    assert [(each.name, each.suites) for each in known] == [
        ("datasets.support.jsonl", ("support",)),
        ("other.support.jsonl", ("more",)),
        ("alone", ()),
    ]
    with pytest.raises(ConfigError, match="alone"):
        books.named("alon")


def test_cases_are_chosen_by_what_they_are_and_by_words_anywhere_in_them(books: Books) -> None:
    book = books.of(books.known()[0])
    assert ids(book) == "abcd"
    assert ids(book, text="äpfel FÜNF") == "a"
    assert ids(book, text="pears") == "b"
    assert ids(book, slice="fruit") == "ac"
    assert ids(book, state="must_pass") == "a"
    assert ids(book, state="open") == "d"
    assert ids(book, state="retired", text="list") == "c"
    assert ids(book, tier="nightly") == "b"
    assert [ids(book, origin=each) for each in ("promoted", "imported", "written")] == ["b", "c", "ad"]
    assert (book.retired, book.promoted) == (1, "2026-05-01T10:00:00Z")
    assert book.slices == {"fruit": 1, "": 2}


def test_a_file_is_read_again_when_it_has_changed(books: Books) -> None:
    known = books.known()[0]
    first = books.of(known)
    assert books.of(known) is first
    path = books.project.root / known.path
    beside = path.with_suffix(".new")
    beside.write_text('{"id": "z", "input": "x"}\n')
    beside.replace(path)
    assert ids(books.of(known)) == "z"


def test_what_cannot_be_read_says_so_and_others_are_there(books: Books) -> None:
    known = books.known()[0]
    (books.project.root / known.path).write_text("{}\n")
    with pytest.raises(DatasetError, match="input"):
        books.of(known)
    assert [each.known.name for each in books.readable()] == ["other.support.jsonl", "alone"]
