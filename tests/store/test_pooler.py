"""A store behind PgBouncer, which gives each transaction another session of the server."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from typing import Any

import pytest

from gatewatch.checks.store import check_store
from gatewatch.checks.traffic import request, take, trends_agree_with_rows
from gatewatch.core.errors import StoreBusy
from gatewatch.store.open import open_store
from gatewatch.store.postgres import PostgresDatabase
from gatewatch.store.sql import SQLStore
from shared import required
from store.postgres import new_name, server

CONFIG = """
[databases]
* = host={server} user=postgres
[pgbouncer]
pool_mode = transaction
default_pool_size = 2
listen_addr =
unix_socket_dir = {folder}
auth_type = trust
auth_file = {folder}/users
logfile = {folder}/pooler.log
"""


@pytest.fixture(scope="module")
def pooler() -> Iterator[str]:
    """What stands for the host in an address."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
    if program is None:
        message = "there is no pgbouncer: install it to try a store behind a pooler"
        if required("pgbouncer"):
            pytest.fail(message)
        pytest.skip(message)
    folder = server().folder / new_name()
    folder.mkdir()
    (folder / "pooler.ini").write_text(CONFIG.format(server=server().folder, folder=folder))
    (folder / "users").write_text('"postgres" ""\n')
    more: dict[str, Any] = {"user": server().user} if server().user else {}
    for each in (folder, *folder.iterdir()):
        shutil.chown(each, server().user or os.getuid())
    running = subprocess.Popen([program, "-q", folder / "pooler.ini"], stderr=subprocess.PIPE, **more)
    try:
        for _ in range(100):
            if (folder / ".s.PGSQL.6432").exists():
                break
            try:
                running.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            assert running.stderr is not None
            pytest.fail(running.stderr.read().decode())
        yield f"{folder}&port=6432"
    finally:
        running.kill()
        running.communicate()


def test_a_store_behind_a_pooler_holds_to_the_kit(pooler: str) -> None:
    check_store(lambda: SQLStore(PostgresDatabase(f"postgresql://postgres@/postgres?host={pooler}", new_name())))


def test_projects_that_share_sessions_do_not_see_each_other(pooler: str) -> None:
    database = server().new_database().partition("?")[0].rpartition("/")[2]
    address = f"postgresql://postgres@/{database}?host={pooler}"

    def work(n: int) -> list[str]:
        with closing(open_store(address, project=f"p{n % 3}", busy_s=60)) as store:
            for turn in range(10):
                take(store, request(f"{n}-{turn}"))
                assert all(int(row.id.partition("-")[0]) % 3 == n % 3 for row in store.latest(most=100))
            return [row.id for row in store.latest(most=100)]

    with ThreadPoolExecutor(9) as threads:
        list(threads.map(work, range(9)))
    for n in range(3):
        with closing(open_store(address, project=f"p{n}")) as store:
            assert len(store.latest(most=100)) == 30
            trends_agree_with_rows(store)


def test_a_pooler_whose_server_went_away_is_told_and_works_again(pooler: str) -> None:
    with closing(SQLStore(PostgresDatabase(f"postgresql://postgres@/postgres?host={pooler}", new_name()))) as store:
        take(store, request("a"))
        server().execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'gatewatch' AND pid <> pg_backend_pid()"
        )
        for _ in range(3):  # the pooler may find out by our asking
            with suppress(StoreBusy):
                take(store, request("b"))
        assert [row.id for row in store.latest()] == ["b", "a"]
