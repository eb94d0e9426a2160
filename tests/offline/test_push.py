"""Pushing a run: sent once, taken up where it stopped, and errors that say what is wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatewatch.checks.runs import journal_of, read_back
from gatewatch.core.errors import InputError
from gatewatch.offline.journal import Journal
from gatewatch.offline.push import TRIES, NotReached, Pushed, PushRefused, push
from gatewatch.store.uploads import PART
from web.pushing import Serving, serving

RUN = "main-20261126-101010-abcd"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "server") as found:
        yield found


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / f"{RUN}.jsonl"
    path.write_bytes(journal_of(RUN, 3 * PART + 1000))
    return path


class Client:
    """Pushes, with what it waited."""

    def __init__(self, url: str, token: str) -> None:
        self.http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30)
        self.waited: list[float] = []

    def push(self, path: Path, wait: Callable[[float], object] | None = None) -> Pushed:
        with self.http:
            return push(path, self.http, wait=wait or self.waited.append)


def parts(server: Serving) -> list[str]:
    """Which parts were sent, in order."""
    return [at.rsplit("/", 1)[1] for method, at in server.asked if method == "PUT"]


def test_a_run_is_sent_once(server: Serving, journal: Path) -> None:
    size = journal.stat().st_size
    assert Client(server.url, server.sends).push(journal) == Pushed(RUN, "main", "complete", size, 4, 4, False)
    assert read_back(server.store, RUN) == journal.read_bytes()
    assert Client(server.url, server.sends).push(journal) == Pushed(RUN, "main", "complete", size, 4, 0, True)
    assert parts(server) == ["0", "1", "2", "3"]


@pytest.mark.parametrize("trouble", [429, 500, 502, 503, "drop", "cut"])
def test_every_request_is_tried_again_and_nothing_is_kept_twice(server: Serving, journal: Path, trouble: Any) -> None:
    server.troubles = [trouble, None] * 6  # before each request one that goes wrong
    client = Client(server.url, server.sends)
    found = client.push(journal)
    assert (found.state, found.sent) == ("complete", 4)
    assert read_back(server.store, RUN) == journal.read_bytes()
    assert len(client.waited) == 6
    assert set(client.waited) == ({7.0} if isinstance(trouble, int) else {0.5})  # as long as it asks for


def test_a_push_that_is_cut_is_taken_up_where_it_stopped(server: Serving, journal: Path) -> None:
    server.troubles = [None, None, None, *[503] * TRIES]
    client = Client(server.url, server.sends)
    with pytest.raises(NotReached, match=f"did not take it in {TRIES} tries: status 503 not now; push it again"):
        client.push(journal)
    assert len(client.waited) == TRIES - 1
    assert server.store.runs() == []
    server.asked.clear()
    assert Client(server.url, server.sends).push(journal).sent == 2
    assert parts(server) == ["2", "3"]
    assert read_back(server.store, RUN) == journal.read_bytes()


def test_where_there_is_no_server_it_is_given_up_after_some_tries(journal: Path) -> None:
    client = Client("http://127.0.0.1:9", "any")
    with pytest.raises(NotReached, match=f"did not take it in {TRIES} tries: ConnectError"):
        client.push(journal)
    assert client.waited == [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0]


@pytest.mark.parametrize(
    ("token", "trouble", "says"),
    [
        ("wrong", None, r"status 401 the token is not known \(it takes a token of role ingest or review"),
        ("looks", None, "status 403 a token of role read may not do this"),
        ("sends", 413, r"status 413 not now \(the server takes no bodies of this length; see its max_body"),
        ("sends", 404, r"takes no runs: status 404 not now \(is a Gatewatch server at this address"),
        ("sends", 301, "status 301"),
    ],
)
def test_what_another_try_will_not_change_is_told_at_once(
    server: Serving, journal: Path, token: str, trouble: Any, says: str
) -> None:
    server.troubles = [trouble]
    client = Client(server.url, {"sends": server.sends, "looks": server.looks}.get(token, token))
    with pytest.raises(PushRefused, match=says):
        client.push(journal)
    assert client.waited == [] and len(server.asked) == 1


def test_a_server_of_another_kind_is_told(server: Serving, journal: Path) -> None:
    server.troubles = [200]
    with pytest.raises(PushRefused, match="answers as no Gatewatch server does"):
        Client(server.url, server.sends).push(journal)


def test_another_journal_under_its_id_is_refused_with_what_differs(server: Serving, journal: Path) -> None:
    Client(server.url, server.sends).push(journal)
    journal.write_bytes(journal_of(RUN, 500, seed=7))
    with pytest.raises(PushRefused, match="another journal is kept under this id: it differs in seed"):
        Client(server.url, server.sends).push(journal)


def test_a_run_that_was_cut_off_is_partial_until_it_was_resumed(server: Serving, journal: Path) -> None:
    whole = journal.read_bytes()
    cut = whole[: PART + 500]
    journal.write_bytes(cut)  # within a line, which is torn
    found = Client(server.url, server.sends).push(journal)
    assert (found.state, found.size) == ("partial", cut.rfind(b"\n") + 1)
    journal.write_bytes(whole)
    assert Client(server.url, server.sends).push(journal).state == "complete"
    assert read_back(server.store, RUN) == whole
    assert len(server.store.runs()) == 1


def test_a_journal_that_changes_while_it_is_sent_is_sent_as_it_became(server: Serving, journal: Path) -> None:
    changed = journal_of(RUN, 2 * PART + 7000)
    server.troubles = [None, 503]  # it is rewritten before its first part is sent again
    found = Client(server.url, server.sends).push(journal, wait=lambda _: journal.write_bytes(changed))
    assert found.size == len(changed)
    assert read_back(server.store, RUN) == changed


def test_a_run_that_is_going_on_or_has_a_name_that_no_server_keeps_is_not_sent(server: Serving, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(journal_of("A-Run", 100))
    with pytest.raises(InputError, match=r"A-Run: no server keeps a run of this id \(lower-case letters"):
        Client(server.url, server.sends).push(path)
    path.write_bytes(journal_of(RUN, 100, ended=False))
    going_on = Journal.resume(path)
    with pytest.raises(InputError, match="a process is working on this run"):
        Client(server.url, server.sends).push(path)
    going_on.close()
    path.write_text("nothing")
    with pytest.raises(InputError, match="not a run's journal"):
        Client(server.url, server.sends).push(path)
    assert server.asked == []
