"""Which database a project has, and what is said when it has none."""

from pathlib import Path

import pytest

from gatewatch.checks.traffic import NOW, request, take
from gatewatch.core.errors import StoreError
from gatewatch.store import access, schema
from gatewatch.store.open import _schema, open_database, open_store


def register(path: Path, *names: str) -> None:
    base = open_database(path)
    schema.ready(base)
    for name in names:
        access.register(base, name, NOW)
    base.close()


def test_while_no_project_is_registered_all_have_the_base(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/x.db"
    take(open_store(address), request("a"))
    assert open_store(address, project="any").find("a") is not None


def test_the_first_project_has_the_base_and_others_have_files_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    take(open_store(path), request("old"))
    register(path, "first", "second", "first")
    take(open_store(path, project="second"), request("new"))
    found = [[row.id for row in open_store(path, project=name).latest()] for name in ("first", "second")]
    assert found == [["old"], ["new"]]
    assert sorted(each.name for each in tmp_path.glob("*.db")) == ["x.db", "x.second.db"]
    assert open_database(path).name == open_database(path, project="first").name == str(path)
    assert open_database(path, project="second").name == str(tmp_path / "x.second.db")


@pytest.mark.parametrize(
    ("project", "message"), [("third", "has no project 'third': there are a, b"), ("", "is shared by projects")]
)
def test_a_project_that_is_not_registered_is_told_which_there_are(tmp_path: Path, project: str, message: str) -> None:
    register(tmp_path / "x.db", *"ba")
    with pytest.raises(StoreError, match=message):
        open_store(tmp_path / "x.db", project=project)
    assert [each.name for each in tmp_path.glob("*third*")] == []


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", "-a", "a" * 64, "ä"])
def test_a_name_that_could_be_anything_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="is no name for a project"):
        register(tmp_path / "x.db", name)


def test_no_project_can_be_called_as_the_schema_of_another() -> None:
    for name in ("a" * 53, "a" * 54, "a" * 63):
        there = _schema(name)
        assert len(there) <= 63
        assert (access.NAME.fullmatch(there.removeprefix("gatewatch_")) is None) == (len(name) > 53)
