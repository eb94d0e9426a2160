"""A person by every name that they may be stored under."""

from pathlib import Path

import pytest

from config.building import write
from gatewatch.config.erasing import person
from gatewatch.config.project import Project
from gatewatch.core.people import hashed


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.delenv("GATEWATCH_USER_KEY", raising=False)
    return Project.open(write(tmp_path, "[project]\nname = 'x'\n"))


def keep(project: Project, key: bytes) -> None:
    folder = project.root / project.settings.online.spool
    folder.mkdir(parents=True)
    (folder / "user.key").write_bytes(key)


def test_without_a_key_only_the_id_as_it_stands(project: Project) -> None:
    found = person(project, "mia")
    assert (found.subject.names, found.keyed) == (("mia",), False)
    assert not (project.root / project.settings.online.spool).exists()  # none is made


def test_by_each_key_there_is(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(project, b"of the spool\n")
    monkeypatch.setenv("GATEWATCH_USER_KEY", "stated")
    found = person(project, "mia")
    assert found.keyed
    assert set(found.subject.names) == {"mia", hashed("mia", b"of the spool"), hashed("mia", b"stated")}


@pytest.mark.parametrize("user", ["m" * 1000, "\U0001f600" * 300])
def test_a_long_id_as_it_is_cut_before_it_is_hashed(
    project: Project, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    from gatewatch.core.lengths import cut

    monkeypatch.setenv("GATEWATCH_USER_KEY", "k")
    names = person(project, user).subject.names
    assert {user, cut(user), hashed(user[:400], b"k"), hashed(cut(user), b"k")} == set(names)
