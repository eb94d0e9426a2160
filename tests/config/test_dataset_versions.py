"""Versions of a dataset: those of git, what differs between them, and no git at all."""

import os
import subprocess
from pathlib import Path

import pytest

from gatewatch.config.dataset_books import Book, Books
from gatewatch.config.dataset_versions import NOW, Versions, differ
from gatewatch.config.project import Project
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.core.case import Case
from gatewatch.core.errors import InputError

ONE, TWO = '{"id": "a", "input": "1", "expected": "x"}\n', '{"id": "b", "input": "2"}\n'


def git(folder: Path, *words: str) -> None:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True, env=env)


def book(folder: Path) -> Book:
    books = Books(Project.open(folder))
    return books.of(books.named("d"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "gatewatch.toml").write_text('[project]\nname = "bot"\n')
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "d.jsonl").write_text(ONE)
    return tmp_path


def versions(folder: Path) -> Versions:
    return Versions(folder, StoredRuns(Project.open(folder)))


def test_commits_are_versions_with_what_each_changed(folder: Path) -> None:
    file = folder / "datasets" / "d.jsonl"
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    file.write_text(ONE + TWO)
    git(folder, "commit", "-qam", "two")
    file.write_text(ONE.replace('"x"', '"y"') + TWO)
    found = versions(folder).listed(book(folder))
    assert [(each.said, each.cases, each.added, each.removed, each.edited) for each in found] == [
        ("", 2, 0, 0, 1),
        ("two", 2, 1, 0, 0),
        ("one", 1, None, None, None),
    ]
    assert found[0].version == book(folder).dataset.version
    changes = versions(folder).changes(book(folder), found[2].key, NOW)
    assert [(each.id, each.kind) for each in changes] == [("a", "edited"), ("b", "added")]
    texts = versions(folder).texts("datasets/d.jsonl")
    assert [text for _, text in texts] == [ONE.replace('"x"', '"y"') + TWO, ONE + TWO, ONE]


def test_where_there_is_no_git_the_file_is_all(folder: Path) -> None:
    (found,) = versions(folder).listed(book(folder))
    assert (found.key, found.cases) == (NOW, 1)


@pytest.mark.parametrize("key", ["git:--help", "git:0123456789ab", "run:../x", "else"])
def test_a_version_that_is_none_is_refused(folder: Path, key: str) -> None:
    with pytest.raises(InputError):
        versions(folder).changes(book(folder), key, NOW)


def test_of_a_run_only_what_scores_depend_on_is_compared() -> None:
    before, after = Case(id="a", input="1", slice="x"), Case(id="a", input="1", tags=("t",))
    assert differ({"a": before}, {"a": after}, {"a": after.hash}) == []
    assert [each.kind for each in differ({"a": before}, {"a": after}, {"a": "other"})] == ["edited"]
    assert [each.kind for each in differ({"a": before}, {"a": after})] == ["edited"]
    assert [each.kind for each in differ({"a": before}, {})] == ["removed"]
