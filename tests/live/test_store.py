"""The store under real processes: killed at any moment, on a full disk, and several at once."""

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from gatewatch.checks.traffic import FLOW, NOW, lease, planned, request, take, trends_agree_with_rows
from gatewatch.store.open import open_store

WORKING = """
import sys
from gatewatch.checks.traffic import *
from gatewatch.store.rows import Plan, Settled
from gatewatch.store.open import open_store

store = open_store(sys.argv[1], busy_s=60)
work = store.work(FLOW, "helpful", "f" * 12, "judge")
for turn in range(10_000):
    names = [f"{sys.argv[2]}-{turn}-{n}" for n in range(20)]
    take(store, *(request(name, session=names[0], payload=b"p" * 900) for name in names))
    print("took", *names, flush=True)
    work = store.works()[0]
    found = store.unplanned(work, 100)
    store.plan(work.id, Plan(tuple((row.seq, NOW, 1.0) for row in found.new), through=found.through))
    leased = lease(store, work, sys.argv[2])
    for each in leased:
        store.reserve("day", 1e9, 0.02, each.task)
    store.settle([Settled(each.task, each.attempt, judged(0.5)) for each in leased], NOW)
    print("settled", *(each.row.id for each in leased), flush=True)
"""


@pytest.mark.slow
def test_what_was_acknowledged_is_there_after_any_kill(tmp_path: Path) -> None:
    path, chance = tmp_path / "x.db", random.Random(1)
    took: set[str] = set()
    settled: set[str] = set()
    for turn in range(50):
        command = [sys.executable, "-c", WORKING, str(path), f"{turn}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            wanted = chance.randint(1, 12)
            for number, line in enumerate(child.stdout):
                what, *names = line.split()
                (took if what == "took" else settled).update(names)
                if number >= wanted:
                    break
            for _ in range(chance.randint(0, 20_000)):  # somewhere within its next transaction
                pass
            child.kill()
            for line in child.stdout:  # what it said before it died
                what, *names = line.split()
                (took if what == "took" else settled).update(names)
    store = open_store(path)
    rows = {row.id: row for row in store.latest(most=1_000_000)}
    assert took <= rows.keys()
    assert len(rows) % 20 == 0  # batches are whole
    scored = {name for name, row in rows.items() if len(store.scores(row.seq)) == 1}
    assert settled <= scored
    assert all(len(store.tasks(rows[name].seq)) == 0 for name in scored)
    trends_agree_with_rows(store)
    work = store.works()[0]
    lease(store, work, now=NOW + 10_000, most=100_000)  # what the dead ones had set aside is free again
    spent, reserved = store.spent("day")
    # Leases of the dead are booked at what a try costs on the mean.
    assert 0.01 * len(scored) - 1e-6 <= spent <= 0.015 * len(scored) and reserved == 0.0
    assert len(settled) > 200


FILLING = """
import resource, sys
from pathlib import Path
from gatewatch.checks.traffic import *
from gatewatch.core.errors import StoreFull
from gatewatch.store.open import open_store

store = open_store(sys.argv[1])
take(store, request("first"))
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
noise = __import__("random").Random(1)
taken = 0
try:
    for n in range(10_000):
        take(store, *(request(f"{n}-{k}", payload=noise.randbytes(3000)) for k in range(10)))
        taken += 10
except StoreFull as error:
    assert "disk" in str(error), error
else:
    raise AssertionError("the disk was never full")
assert len(store.latest(most=1_000_000)) == taken + 1
assert store.find("first") is not None
trends_agree_with_rows(store)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
take(store, request("last"))
assert store.counts().traces == taken + 2
print(taken)
"""


def test_a_full_disk_is_told_reading_goes_on_and_so_does_all_when_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FILLING, str(tmp_path / "x.db")], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) > 0
    assert open_store(tmp_path / "x.db").find("last") is not None


SPENDING = """
import sys
from gatewatch.checks.traffic import *
from gatewatch.store.rows import Settled
from gatewatch.store.open import open_store

store = open_store(sys.argv[1], busy_s=60)
while leased := lease(store, store.works()[0], sys.argv[2], most=7, now=NOW + 1000):
    for each in leased:
        if store.reserve("day", 1.0, 0.01, each.task):
            assert store.settle([Settled(each.task, each.attempt, judged(cost=0.01))], NOW) == 1
            print(each.row.id)
        else:
            store.settle([Settled(each.task, each.attempt, state="over_budget")], NOW)
"""


def test_several_workers_score_each_request_once_and_keep_to_the_budget(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    store = open_store(path)
    names = [f"{n}" for n in range(300)]
    planned(store, *names)
    lines = []
    command = [sys.executable, "-c", SPENDING, str(path)]
    workers = [subprocess.Popen([*command, name], stdout=subprocess.PIPE, text=True) for name in "abcd"]
    for worker in workers:
        lines += worker.communicate()[0].split()
        assert worker.returncode == 0
    assert len(lines) == len(set(lines)) == 100
    assert store.spent("day") == (1.0, 0.0)
    states = Counter(task.state for row in store.latest(most=1000) for task in store.tasks(row.seq))
    assert states == {"over_budget": 200}
    assert sum(cell.n for cell in store.cells(FLOW, "day", 0, NOW * 2)) == 100
    assert round(sum(cell.cost for cell in store.spend(0, NOW * 2)), 9) == 1.0


def test_two_processes_that_ship_the_same_segment_keep_it_once(tmp_path: Path) -> None:
    code = """
import sys
from gatewatch.checks.traffic import *
from gatewatch.store.rows import Arrivals
from gatewatch.store.open import open_store
store = open_store(sys.argv[1], busy_s=60)
for n in range(30):
    store.take_in(Arrivals((request(f"{n}"),), (thumb(f"t{n}", f"{n}"),), {"full": 1}, "s", n + 1), NOW)
"""
    path = tmp_path / "x.db"
    children = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    store = open_store(path)
    counts = store.counts()
    assert (counts.traces, counts.scores, counts.losses) == (30, 30, {"full": 30})
    take(store, request("more"))
    trends_agree_with_rows(store)
