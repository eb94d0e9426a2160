"""What a server has at hand: stores of projects, as they are when they are opened."""

import logging
from pathlib import Path

import pytest

from gatewatch.checks.traffic import NOW, request, take
from gatewatch.config.monitors import graves_of, store_of
from gatewatch.config.project import Project
from gatewatch.core.erasure import Tombstone, mark_of
from gatewatch.core.people import hashed
from web.serving import TOML, a_trace, frames, served, stretch


def test_what_was_erased_before_is_gone_from_a_store_that_was_put_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "gatewatch.toml").write_text(TOML)
    project = Project.open(tmp_path)
    store = store_of(project)
    take(store, request("a", user="mia"), request("b", user="bob"))
    store.close()
    graves_of(project).add([Tombstone(mark_of("user", "mia"), "user", NOW)])
    with served(tmp_path) as server, server.client(server.token("read")) as client:
        found = client.get("/v1/traces").json()["traces"]
        assert [each["id"] for each in found] == ["b"]
    assert "1 requests were erased again" in caplog.text


def test_a_list_that_cannot_be_read_is_told_of_and_the_server_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / ".gatewatch").mkdir()
    (tmp_path / ".gatewatch" / "erased.jsonl").write_text('{"kind":"gatewatch.erased","version":2}\n')
    with served(tmp_path) as server, server.client(server.token("read")) as client:
        assert client.get("/v1/traces").status_code == 200
    assert "cannot be looked up" in caplog.text


def test_reading_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    with served(tmp_path) as server, server.client(server.token("read")) as client:
        assert client.get("/v1/traces").status_code == 200
        (opened,) = server.host.open_now()
        with opened._written._db.transaction():  # type: ignore[attr-defined]
            assert client.get("/v1/traces").status_code == 200


def test_users_that_came_under_another_key_are_told_when_a_project_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gatewatch")
    monkeypatch.setenv("GATEWATCH_USER_KEY", "ours")
    data = frames(a_trace("a", user=hashed("mia", b"ours")), a_trace("b", user=hashed("mia", b"a machine's own")))
    with served(tmp_path) as found, found.client(found.token()) as client:
        assert stretch(client, data).status_code == 200
    assert "another key" not in caplog.text
    with served(tmp_path) as found, found.client(found.token()) as client:
        assert stretch(client, frames(a_trace("c")), segment="web-1/1-b-0.seg").status_code == 200
    assert "project bot: ids of users in this store were hashed with another key" in caplog.text
    assert "set GATEWATCH_USER_KEY" in caplog.text
