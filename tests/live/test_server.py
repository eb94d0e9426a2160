"""The server in real processes: killed at any moment, several on one store, ended while it is busy."""

import random
from contextlib import ExitStack
from pathlib import Path

import pytest

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.online.ingest import Ways
from gatewatch.online.settle import settle
from gatewatch.store.open import open_store
from live.sending import Sender, sending, until
from live.serving import Process, process, token


def everything(folder: Path) -> dict[str, int]:
    """Every request there is once all spans are settled, by its id: how many spans it has (0: it was captured)."""
    store = open_store(folder / ".gatewatch" / "gatewatch.db", project="bot")
    try:
        while settle(store, Ways(), clock=lambda: wall() + 1000).more:
            pass
        found = {}
        for row in store.latest(most=1_000_000):
            payload = store.payload(row.seq)
            steps = codec.parse(payload).get("spans", []) if payload and row.flow != "captured" else []
            found[row.id] = len(steps)
        return found
    finally:
        store.close()


def agrees(folder: Path, senders: list[Sender]) -> int:
    """Whether all that was acknowledged is there, whole; how much that was."""
    found = everything(folder)
    otlp = {name for sender in senders for name in sender.acknowledged["otlp"]}
    captured = {name for sender in senders for name in sender.acknowledged["captured"]}
    assert captured <= found.keys() and otlp <= found.keys()
    assert {found[name] for name in otlp} == {2}  # whole
    assert all(len(name) == 32 for name in found)  # none is there twice, under a longer name
    return len(otlp) + len(captured)


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_what_was_acknowledged_is_there_once_however_often_the_server_is_killed(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    with process(tmp_path) as server:
        secret = token(tmp_path)
        with sending(4, [server.url], secret) as senders:
            for _ in range(kills):
                until(senders, chance.randint(1, 200))
                server.kill()
                server.start()
            until(senders, 100)
        assert server.end() == 143
    assert agrees(tmp_path, senders) > 100 * kills


def test_two_servers_on_one_store_keep_all_of_it_once(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers: list[Process] = [stack.enter_context(process(tmp_path)) for _ in range(2)]
        secret = token(tmp_path)
        with sending(4, [each.url for each in servers], secret) as senders:
            until(senders, 1000)
        assert [each.end() for each in servers] == [143, 143]
    assert agrees(tmp_path, senders) >= 1000


def test_a_server_that_is_told_to_end_keeps_what_it_received(tmp_path: Path) -> None:
    with process(tmp_path) as server:
        secret = token(tmp_path)
        with sending(4, [server.url], secret) as senders:
            until(senders, 200)
            assert server.end() == 143
    assert agrees(tmp_path, senders) >= 200
