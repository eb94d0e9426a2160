"""A person by every name that they may be stored under."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.building import write
from gatewatch.config.erasing import person
from gatewatch.config.project import Project
from gatewatch.core.people import hashed
from gatewatch.store.base import Store
from store.making import on_sqlite


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("GATEWATCH_USER_KEY", raising=False)
    return Project.open(write(tmp_path, "[project]\nname = 'x'\n"))


@pytest.fixture
def store(project: Project) -> Iterator[Store]:
    opened = on_sqlite(project.root)
    yield opened
    opened.close()


def keep(project: Project, key: bytes) -> None:
    folder = project.root / project.settings.online.spool
    folder.mkdir(parents=True)
    (folder / "user.key").write_bytes(key)


def test_without_a_key_only_the_id_as_it_stands(project: Project, store: Store) -> None:
    found = person(project, store, "mia")
    assert found.subject.names == ("mia",)
    assert found.missed.startswith("no key of users lies in")
    assert not (project.root / project.settings.online.spool).exists()  # none is made


def test_by_each_key_there_is(project: Project, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(project, b"of the spool\n")
    monkeypatch.setenv("GATEWATCH_USER_KEY", "stated")
    found = person(project, store, "mia")
    assert not found.missed
    assert set(found.subject.names) == {"mia", hashed("mia", b"of the spool"), hashed("mia", b"stated")}


@pytest.mark.parametrize("user", ["m" * 1000, "\U0001f600" * 300])
def test_a_long_id_as_it_is_cut_before_it_is_hashed(
    project: Project, store: Store, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    from gatewatch.core.lengths import cut

    monkeypatch.setenv("GATEWATCH_USER_KEY", "k")
    names = person(project, store, user).subject.names
    assert {user, cut(user), hashed(user[:400], b"k"), hashed(cut(user), b"k")} == set(names)
