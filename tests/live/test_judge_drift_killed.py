"""Workers that are killed while they score canaries."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gatewatch.checks.provider import FakeProvider
from gatewatch.online.canary import freeze
from gatewatch.online.monitor import DAY_S
from gatewatch.store.open import open_store
from live.judged import Judged, answers, outputs

WORKER = 'import sys\nfrom gatewatch.cli.main import main\nsys.argv = ["gatewatch", "work"]\nmain()\n'


@pytest.mark.slow
def test_workers_killed_in_the_middle_of_a_check_leave_nothing_half_kept(tmp_path: Path) -> None:
    def stored() -> bool:
        found = store.canary_set(stream.id)
        return found is not None and found.settled

    with FakeProvider(answers([10], [False]), latency=0.05) as provider:
        store = open_store(tmp_path / ".gatewatch" / "gatewatch.db")
        judged = Judged(tmp_path, store, provider.base_url)
        judged.now = time.time()
        judged.arrive(*outputs(0, 100))
        judged.work()
        stream = judged.stream()
        assert freeze(store, stream, judged.now) == 60
        for _ in range(3):
            before = provider.accepted
            process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
            while provider.accepted < before + 20:
                assert process.poll() is None
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not stored()
        process = subprocess.Popen([sys.executable, "-c", WORKER], cwd=tmp_path)
        try:
            while not stored():
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.terminate()
            process.wait()
        lease = store.lease_canaries([stream.id], "me", time.time() + 2 * DAY_S, time.time() + 3 * DAY_S)
        assert lease is not None and len(lease.canaries) == 60
        assert {each.value for each in lease.canaries} == {0.0, 1.0}, "the mean of twice the same, whoever died"
        store.close()
