"""Requests that somebody sends to be reviewed, or as a failure of their own."""

from pathlib import Path

import pytest

from gatewatch.checks.traffic import NOW, request, take
from gatewatch.config.project import Project
from gatewatch.config.sending import send
from gatewatch.config.settings import LoopSettings, Settings
from gatewatch.core.errors import InputError
from gatewatch.store.base import Store
from store.making import a_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = a_store(tmp_path)
    take(found, *(request(f"{n}", slice="de", at=NOW + n) for n in range(4)), request("bare", payload=b""))
    take(found, request("far", flow="search"))
    return found


def test_they_wait_for_as_many_reviewers_as_the_project_wants(store: Store, tmp_path: Path) -> None:
    project = Project(tmp_path, Settings(loop=LoopSettings(reviewers=2)))
    sent = send(store, project, ["1", "2", "1", "bare", "none"], by="mia", now=NOW, scorer="helpful")
    assert (sent.name, sent.left, len(sent.items)) == ("", ("bare",), 2)
    assert {(item.trace, item.needed, item.queue, item.signs) for item in store.items()} == {
        (name, 2, "failures", ("score:helpful", "sent by mia")) for name in ("1", "2")
    }
    assert store.claim("ann", NOW, NOW + 60) is not None
    send(store, None, ["1"], by="mia", now=NOW)
    assert len(store.items()) == 2  # it is there


def test_they_make_a_failure(store: Store) -> None:
    sent = send(store, None, ["0", "3"], by="mia", now=NOW, sign="alert:helpful", failure="wrong window")
    (failure,) = store.failures()
    assert sent.name == f"F{failure.id}"
    assert (failure.name, failure.sign, failure.n, failure.flow) == ("wrong window", "alert:helpful", 2, "support")
    assert (failure.first, failure.last, failure.slices) == (NOW, NOW + 3, {"de": 2})
    assert [item.failure for item in store.items()] == [failure.id] * 2


@pytest.mark.parametrize("names", [["bare"], ["none"], [], ["0", "far"]])
def test_what_cannot_be_is_refused(store: Store, names: list[str]) -> None:
    with pytest.raises(InputError):
        send(store, None, names, by="mia", now=NOW, failure="x")
    assert store.failures() == [] and store.items() == []
