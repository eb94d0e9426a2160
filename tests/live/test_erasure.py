"""Erasing while others live: killed at any step and called again; beside a process that captures all the while."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cli.erasing import PLANTED, a_project, bytes_found
from gatewatch.checks.traffic import FLOW, NOW, request, take, thumb, trends_agree_with_rows
from gatewatch.core import codec
from gatewatch.core.erasure import Subject, mark_of
from gatewatch.online.blot import blot
from gatewatch.online.segments import read, segments
from gatewatch.store.open import open_store

MINE, OTHERS = 6000, 1500
PAYLOAD = codec.encode({"input": PLANTED, "output": "yes"})


def erasing(here: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "gatewatch", "erase", "--user", "mia", "--yes", "--json"]
    return subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_one_that_is_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    a_project(tmp_path)
    store = open_store(tmp_path / ".gatewatch" / "gatewatch.db", busy_s=60)
    for start in range(0, MINE, 500):
        mine = [request(f"m{n}", user="mia", session=f"s{n // 5}", payload=PAYLOAD) for n in range(start, start + 500)]
        take(store, *mine, said=[thumb(f"f{n}", f"m{n}", author="mia") for n in range(start, start + 500, 50)])
    take(store, *(request(f"x{n}", user="bob", session=f"s{n}") for n in range(OTHERS)))
    names = set()
    for least in (0, 1000, 3000, MINE):
        with erasing(tmp_path) as child:
            while child.poll() is None:
                open_ones = [each for each in store.erasures() if each.receipt is None]
                if open_ones and store.tally(open_ones[0].id)[0].get("requests", 0) >= least:
                    child.kill()
            names |= {each.id for each in store.erasures()}
        assert store.buried([mark_of("user", "mia")])
    with erasing(tmp_path) as child:
        out, err = child.communicate()
    assert child.returncode == 0, err
    receipt = json.loads(out)
    last = {each.id for each in store.erasures()}
    assert receipt["id"] in last
    total = sum(day.requests for day in store.erased(0, NOW * 2))
    assert total == MINE
    if len(last) == 1:  # none was so quick that it ended before it was killed
        assert receipt["counts"]["requests"] == MINE and receipt["counts"]["feedback"] == MINE // 50
    assert store.counts().traces == store.counts().payloads == OTHERS
    trends_agree_with_rows(store)
    store.close()
    assert bytes_found(tmp_path, PLANTED) == {}


CAPTURING = """
import gatewatch
from gatewatch import capture
gatewatch.configure(spool="spool", segment_bytes=100_000, user_key="k")
for n in range(6000):
    with capture(flow="support", input=f"q{n} " + "x" * 200, user="mia" if n % 2 else "bob") as it:
        it.output = "mine" if n % 2 else "his"
    if n % 50 == 0:
        gatewatch.flush()
print("done", flush=True)
gatewatch.flush()
"""


def test_a_process_that_captures_meanwhile_loses_nothing(tmp_path: Path) -> None:
    from gatewatch.core.people import hashed

    mark = mark_of("user", hashed("mia", b"k"))

    def all_blotted() -> int:
        return sum(blot(path, lambda asked: set(asked) & {mark}, lambda _: False) for path in segments(spool))

    spool, number = tmp_path / "spool", 0
    with subprocess.Popen([sys.executable, "-c", CAPTURING], cwd=tmp_path, stdout=subprocess.PIPE) as child:
        while child.poll() is None:
            number += all_blotted()
    number += all_blotted()
    found = [read(path, whole=True) for path in segments(spool)]
    kinds = [kind for each in found for kind, _ in each.records]
    assert (child.returncode, number, kinds.count("trace"), kinds.count("erased")) == (0, 3000, 3000, 3000)
    assert sum(each.damaged for each in found) == 0
    assert b"mine" not in b"".join(path.read_bytes() for path in segments(spool))


WRITING = """
import sys
from gatewatch.checks.traffic import *
from gatewatch.core.errors import StoreBusy
from gatewatch.store.open import open_store

store = open_store("x.db", busy_s=60)
for n in range(100_000):
    take(store, request(f"w{n}", user="mia" if n % 2 else "bob"))
    print(n, flush=True)
"""


def test_others_write_meanwhile(tmp_path: Path) -> None:
    store = open_store(tmp_path / "x.db", busy_s=60)
    take(store, *(request(f"m{n}", user="mia", payload=PAYLOAD) for n in range(1000)))
    with subprocess.Popen([sys.executable, "-c", WRITING], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for _ in range(3):
            child.stdout.readline()
        subject = Subject("user", ("mia",))
        name = store.begin_erasure("e", subject, "ana", NOW)
        while store.erase(name, subject, NOW, 400):
            pass
        assert store.scrub()
        written = int(child.stdout.readline())
        for line in child.stdout:  # it goes on afterwards
            if int(line) > written + 50:
                break
        child.kill()
    assert {row.user for row in store.latest(FLOW, most=1_000_000)} == {"bob"}
    assert store.counts().losses["erased"] > 10
    trends_agree_with_rows(store)
