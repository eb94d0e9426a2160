"""PostgreSQL under load when it goes: nothing that was acknowledged is lost, nothing is scored or paid twice."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from benchmarks.postgres_server import Server

from gatewatch.checks.traffic import NOW, lease, trends_agree_with_rows
from gatewatch.store.open import open_store
from store.postgres import binaries

WORKING = """
import sys, time
from gatewatch.checks.traffic import *
from gatewatch.core.errors import StoreBusy
from gatewatch.store.open import open_store
from gatewatch.store.rows import Plan, Settled

def sure(call, *arguments, **more):
    while True:
        try:
            return call(*arguments, **more)
        except StoreBusy as error:
            print("busy", str(error)[:300].replace(chr(10), " "), flush=True)
            time.sleep(0.05)

me = sys.argv[2]
store = sure(open_store, sys.argv[1], project="p", busy_s=5)
sure(store.work, FLOW, "helpful", "f" * 12, "judge")
for turn in range(100_000):
    names = [f"{me}-{turn}-{n}" for n in range(10)]
    sure(take, store, *(request(name, session=names[0], payload=b"p" * 900) for name in names))
    print("took", *names, flush=True)
    (work,) = sure(store.works)
    found = sure(store.unplanned, work, 50)
    sure(store.plan, work.id, Plan(tuple((row.seq, NOW, 1.0) for row in found.new), through=found.through))
    leased = sure(lease, store, work, me, most=20)
    for each in leased:
        sure(store.reserve, "day", 1e9, 0.02, each.task)
    sure(store.settle, [Settled(each.task, each.attempt, judged(0.5)) for each in leased], NOW)
    print("settled", *(each.row.id for each in leased), flush=True)
"""


class Load:
    """Processes that take in, plan and score, and what they were told is kept."""

    def __init__(self, address: str) -> None:
        self.took: set[str] = set()
        self.settled: list[str] = []
        self.busy = 0
        self._moved = threading.Condition()
        self._lines = 0
        command = [sys.executable, "-c", WORKING, address]
        self.processes = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "abc"]
        self._threads = [threading.Thread(target=self._read, args=(each,)) for each in self.processes]
        for thread in self._threads:
            thread.start()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            what, *names = line.split()
            with self._moved:
                if what == "took":
                    self.took.update(names)
                elif what == "settled":
                    self.settled += names
                self.busy += what == "busy"
                self._lines += what != "busy"
                self._moved.notify_all()

    def goes_on(self, lines: int) -> None:
        """Wait until so many more acknowledgements came."""
        with self._moved:
            until = self._lines + lines
            assert self._moved.wait_for(lambda: self._lines >= until or self._dead(), 120), "nothing moves any more"
            assert not self._dead(), "a process died"

    def _dead(self) -> bool:
        return any(each.poll() is not None for each in self.processes)

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for thread, process in zip(self._threads, self.processes, strict=True):
            thread.join()
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def loaded(address: str) -> Iterator[Load]:
    load = Load(address)
    try:
        yield load
    finally:
        load.end()


def nothing_is_lost_or_doubled(address: str, load: Load) -> None:
    with closing(open_store(address, project="p", busy_s=60)) as store:
        rows = {row.id: row for row in store.latest(most=1_000_000)}
        assert load.took <= rows.keys()
        assert len(rows) % 10 == 0  # batches are whole
        assert len(load.settled) == len(set(load.settled))
        scored = {name for name, row in rows.items() if len(store.scores(row.seq)) == 1}
        assert set(load.settled) <= scored
        assert all(not store.tasks(rows[name].seq) for name in scored)
        assert sum(len(store.scores(row.seq)) for row in rows.values()) == len(scored)
        trends_agree_with_rows(store)
        lease(store, store.works()[0], now=NOW + 10_000, most=1_000_000)  # what is still set aside is let go
        spent, reserved = store.spent("day")
        # Leases that nobody knew to be theirs ran out: they are booked at what a try costs on the mean.
        assert 0.01 * len(scored) - 1e-6 <= spent <= 0.012 * len(scored) and reserved == 0.0
        assert round(sum(cell.cost for cell in store.spend(0, NOW * 2)), 6) == round(0.01 * len(scored), 6)


@pytest.mark.slow
def test_a_server_that_is_restarted_under_load_loses_and_doubles_nothing() -> None:
    server = Server(binaries()).start()
    with loaded(server.address()) as load:
        for _ in range(5):
            load.goes_on(20)
            server.restart("immediate")
        load.goes_on(20)
    assert load.busy > 0
    nothing_is_lost_or_doubled(server.address(), load)
    server.remove()


@pytest.mark.slow
def test_a_server_that_fails_over_to_a_synchronous_standby_loses_and_doubles_nothing() -> None:
    primary = Server(binaries(), {"synchronous_commit": "on"}).start()
    standby = Server(binaries(), {"synchronous_standby_names": "", "hot_standby": "on"}, copy_of=primary).start()
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.execute("SELECT pg_reload_conf()")
    address = primary.address("postgres", standby, more="&target_session_attrs=read-write")
    with loaded(address) as load:
        load.goes_on(40)
        assert primary.execute("SELECT sync_state FROM pg_stat_replication") == [("sync",)]
        primary.stop("immediate")
        standby.promote()
        load.goes_on(40)
    assert load.busy > 0
    nothing_is_lost_or_doubled(address, load)
    standby.remove()
    primary.remove()
