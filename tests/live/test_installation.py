"""A server and two workers on PostgreSQL, which goes away while they are busy: all is kept, and scored once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from benchmarks.postgres_server import Server

from gatewatch.checks.traffic import trends_agree_with_rows
from gatewatch.store.open import open_store
from live.sending import sending, until
from live.serving import TOML, process, token
from store.postgres import binaries

MONITORS = """
[monitors.captured]
flow = "captured"
scorers = [{ use = "asked", sample = 1.0 }]

[monitors.request]
flow = "request"
scorers = [{ use = "asked", sample = 1.0 }]
"""
EVALS = """
from gatewatch import scorer

@scorer
def asked(input: str) -> bool:
    return "?" in input
"""
PATIENCE_S = 180.0


@contextmanager
def working(folder: Path, number: int) -> Iterator[None]:
    """So many workers of the project in a folder, which have to live until this is left."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "gatewatch", "work"]
    with ExitStack() as stack, (folder / "work.log").open("wb") as log:
        workers = [
            stack.enter_context(subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log))
            for _ in range(number)
        ]
        try:
            yield
            assert [each.poll() for each in workers] == [None] * number, (folder / "work.log").read_text()
        finally:
            for each in workers:
                each.kill()


def all_is_scored_once(address: str, acknowledged: set[str]) -> None:
    """Wait until no work is left on what was acknowledged, and look at what there is."""
    deadline = time.monotonic() + PATIENCE_S
    with closing(open_store(address, project="bot", busy_s=60)) as store:
        while True:
            rows = {row.id: row for row in store.latest(most=1_000_000)}
            missing = acknowledged - rows.keys()
            undone = missing or {name for name in acknowledged if not store.scores(rows[name].seq)}
            if not undone:
                break
            flows = {rows[name].flow for name in undone & rows.keys()}
            what = f"{len(missing)} are not there, {len(undone)} have no score; of flows {flows}"
            assert time.monotonic() < deadline, what
            time.sleep(0.1)  # the workers have the processor meanwhile
        assert all(len(name) == 32 for name in rows)  # none is there twice, under a longer name
        for row in rows.values():
            assert [kept.score.name for kept in store.scores(row.seq)] in (["asked"], [])
        assert store.counts().losses == {}


def served_and_scored(folder: Path, address: str, outages: Iterator[None]) -> None:
    """Have a server and two workers busy while outages come, one at each step of these; and look at what is kept."""
    (folder / "evals.py").write_text(EVALS)
    toml = TOML.replace('name = "bot"', f'name = "bot"\nscorers = "evals.py"\nstore = "{address}"') + MONITORS
    with process(folder, toml=toml) as server, working(folder, 2):
        secret = token(folder)
        with sending(2, [server.url], secret) as senders:
            until(senders, 100)
            for _ in outages:
                until(senders, 100)
        acknowledged = {name for each in senders for names in each.acknowledged.values() for name in names}
        all_is_scored_once(address, acknowledged)
        assert server.end() == 143
    with closing(open_store(address, project="bot", busy_s=60)) as store:
        for flow in ("captured", "request"):
            trends_agree_with_rows(store, flow)


@pytest.mark.slow
def test_a_database_that_is_restarted_again_and_again(tmp_path: Path) -> None:
    database = Server(binaries()).start()

    def outages() -> Iterator[None]:
        for _ in range(4):
            database.restart("immediate")
            yield

    served_and_scored(tmp_path, database.address(), outages())
    database.remove()


@pytest.mark.slow
def test_a_database_that_fails_over_to_a_synchronous_standby(tmp_path: Path) -> None:
    primary = Server(binaries(), {"synchronous_commit": "on"}).start()
    standby = Server(binaries(), {"synchronous_standby_names": "", "hot_standby": "on"}, copy_of=primary).start()
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.execute("SELECT pg_reload_conf()")

    def outages() -> Iterator[None]:
        assert primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)]
        primary.stop("immediate")
        standby.promote()
        yield

    address = primary.address("postgres", standby, more="&target_session_attrs=read-write")
    served_and_scored(tmp_path, address, outages())
    standby.remove()
    primary.remove()
