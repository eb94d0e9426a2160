"""An application, its spool, `ship`, a network that poisons connections, and a server: all arrives once, later."""

import random
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from benchmarks.kill_matrix import run

from gatewatch.online import ship as shipping
from gatewatch.online.segments import segments
from gatewatch.store.open import open_store
from live.serving import environment, process, token
from live.toxic import POISONS, poisoned

APPLICATION = """
import sys
import gatewatch
gatewatch.configure(spool=sys.argv[1], segment_bytes=40_000)
for number in range(int(sys.argv[2])):
    with gatewatch.capture(flow="support", input=f"q{number} " + "x" * 300) as request:
        request.output = "a"
    print(request.trace_id, flush=number % 50 == 0)
"""


def application(spool: Path, number: int) -> list[str]:
    """An application's ids, once it has ended."""
    command = [sys.executable, "-c", APPLICATION, str(spool), str(number)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment(), timeout=60)
    assert done.stderr == ""
    return done.stdout.split()


def stored(folder: Path) -> list[str]:
    store = open_store(folder / ".gatewatch" / "gatewatch.db", project="bot")
    try:
        assert store.counts().losses == {}
        return [row.id for row in store.latest(most=100_000)]
    finally:
        store.close()


def shipped(spool: Path, url: str, secret: str, *, timeout: float = 0.5) -> None:
    """Send all of a spool, with the tries of a long time and none of its waiting."""
    headers = {"authorization": f"Bearer {secret}"}
    anew = httpx.Limits(max_keepalive_connections=0)  # each request meets a poison of its own
    with httpx.Client(base_url=url, headers=headers, timeout=timeout, limits=anew) as client:
        while segments(spool):
            shipping.ship(spool, client, source="web-1", wait=lambda seconds: None)


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=[pytest.mark.slow] if seed else []) for seed in range(5)])
def test_all_arrives_once_through_whatever_a_network_does(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_MOST_BYTES", 20_000)
    chance, spool = random.Random(seed), tmp_path / "spool"
    with process(tmp_path) as server:
        secret = token(tmp_path)
        ids = application(spool, 400)
        assert len(segments(spool)) > 3
        poisons = [*POISONS, *chance.choices((*POISONS, ""), k=30)]
        with poisoned(server.port, lambda: poisons.pop(0) if poisons else "") as proxy:
            shipped(spool, proxy.url, secret)
            assert set(POISONS) <= set(proxy.seen)
        found = stored(tmp_path)
        assert sorted(found) == sorted(ids) and len(ids) == 400
        assert server.end() == 143


@pytest.mark.parametrize("scenario", ["server down", "server never answers"])
def test_without_a_server_the_spool_stays_within_its_quota_and_what_is_in_it_arrives_later(
    tmp_path: Path, scenario: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    quota, here = 150_000, tmp_path / "app"
    here.mkdir()
    monkeypatch.setenv("GATEWATCH_QUOTA_BYTES", str(quota))
    monkeypatch.setenv("GATEWATCH_SEGMENT_BYTES", "40000")
    outcome = run(scenario, here, requests=500)  # its exit is held against others' in tests/live/test_capture.py
    (left_out,) = re.findall(r"^(\d+) captured records were not written", outcome.said, re.MULTILINE)
    size = sum(path.stat().st_size for path in segments(here / "spool"))
    assert quota / 2 < size <= quota
    kept = sorted(outcome.found)
    assert 0 < len(kept) == len(outcome.accepted) - int(left_out)
    with process(tmp_path) as server:
        shipped(here / "spool", server.url, token(tmp_path), timeout=10)
        store = open_store(tmp_path / ".gatewatch" / "gatewatch.db", project="bot")
        assert sorted(row.id for row in store.latest(most=100_000)) == kept
        store.close()


def test_a_server_that_is_down_for_long_and_killed_on_the_way_gets_all_of_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "_MOST_BYTES", 10_000)
    spool, tries = tmp_path / "spool", 0
    with process(tmp_path) as server:
        secret = token(tmp_path)
        server.kill()
        ids = application(spool, 300)  # it neither knows nor waits

        def waited(_: float) -> None:
            nonlocal tries
            tries += 1
            if tries == 60:  # some twenty minutes of trying, by the waits that were asked for
                server.start()

        def restarted() -> None:
            server.kill()
            server.start()

        killers: list[threading.Thread] = []
        sent = 0

        def sending(_: httpx.Request) -> None:
            """Kill the server while it is being sent something that it might take, three times."""
            nonlocal sent
            sent += tries >= 60
            if sent % 2 == 0 and len(killers) < 3 and sent > 0 and not any(each.is_alive() for each in killers):
                killers.append(threading.Thread(target=restarted))
                killers[-1].start()

        headers = {"authorization": f"Bearer {secret}"}
        hooks = {"request": [sending]}
        with httpx.Client(base_url=server.url, headers=headers, timeout=5, event_hooks=hooks) as client:
            stop = threading.Event()
            shipping.ship(spool, client, source="web-1", wait=waited, stopped=lambda: tries >= 60)
            assert tries == 60 and len(segments(spool)) > 3
            while segments(spool):
                shipping.ship(spool, client, source="web-1", wait=lambda seconds: stop.wait(0.01))
            assert killers
            for each in killers:
                each.join()
        assert sorted(stored(tmp_path)) == sorted(ids)
