"""`python -m benchmarks.kill_matrix [--times N]`: what is lost when an application ends, in every way it may end.

Real processes, each with a spool of its own. A process tells, by a pipe, the id of each request it captured and how
many are committed; how many of those are in the segments is then counted. `exit` is the time from its last word to its
end. Where a server is named, `gatewatch ship` runs beside the process and sends what it writes there.
"""

import argparse
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.online.segments import finished, read, segments

REQUESTS = 300

CHILD = """
import os, resource, shutil, signal, sys, threading, time
from pathlib import Path
import gatewatch
from gatewatch.online.process import stats

scenario, folder, requests = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
told = os.dup(1)
gatewatch.configure(spool=folder, durability="sync" if scenario.endswith("sync") else "group")
TEXT = "The refund window is thirty days from delivery. " * 20


def request():
    before = stats().accepted
    with gatewatch.capture(flow="kill", input=TEXT) as made:
        made.output = TEXT
    done = stats()
    if done.accepted > before:
        os.write(told, f"{made.trace_id} {done.watermark}\\n".encode())

def several(number, pause=0.0):
    for _ in range(number):
        request()
        time.sleep(pause)

def leaving():
    os.write(told, f"leaving {time.monotonic()}\\n".encode())

def stall(seconds):
    write, over = os.write, threading.Event()
    def stalling(descriptor, data):
        if descriptor != told:
            over.wait()
        return write(descriptor, data)
    os.write = stalling
    if seconds:
        threading.Timer(seconds, over.set).start()

def children(number, work, first=lambda: None):
    first()
    pids = []
    for _ in range(number):
        pid = os.fork()
        if not pid:
            work()
            sys.exit(0)
        pids.append(pid)
    assert all(os.waitpid(pid, 0)[1] == 0 for pid in pids)

def by_multiprocessing(method):
    import multiprocessing
    context = multiprocessing.get_context(method)
    made = [context.Process(target=several, args=(requests,)) for _ in range(2)]
    [each.start() for each in made]
    [each.join() for each in made]
    assert all(each.exitcode == 0 for each in made)

if scenario == "kill9" or scenario == "kill9 sync":
    while True:
        several(1, 0.0005)
if scenario == "disk full":
    limit, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    several(requests)
    gatewatch.flush(0.3)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
elif scenario == "disk full for good":
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    several(requests)
elif scenario == "folder deleted":
    several(10)
    gatewatch.flush(30)
    shutil.rmtree(folder)
    os.write(told, b"forget\\n")
    several(requests)
elif scenario == "folder is a file":
    folder.parent.mkdir(exist_ok=True, parents=True)
    folder.write_text("")
    several(requests)
elif scenario == "disk stalls 200 ms":
    several(10)
    gatewatch.flush(30)
    stall(0.2)
    several(requests)
elif scenario == "disk stalls for good":
    several(10)
    gatewatch.flush(30)
    stall(None)
    several(requests)
elif scenario == "fork after import":
    children(2, lambda: several(requests))
elif scenario == "fork after capture":
    children(2, lambda: several(requests), lambda: several(10))
elif scenario == "fork while capturing":
    stop = threading.Event()
    def go_on():
        while not stop.is_set():
            request()
            time.sleep(0.0005)
    threads = [threading.Thread(target=go_on) for _ in range(3)]
    [each.start() for each in threads]
    with gatewatch.capture(flow="around") as around:
        children(8, lambda: several(50))
    os.write(told, f"{around.trace_id} 0\\n".encode())
    stop.set()
    [each.join() for each in threads]
elif scenario == "8 preloaded workers":
    children(8, lambda: several(1250), lambda: several(1))
elif scenario == "multiprocessing fork":
    several(1)
    by_multiprocessing("fork")
else:
    several(requests, 0.0005 if scenario in ("SIGTERM", "os._exit") else 0.0)

leaving()
if scenario == "exception":
    raise LookupError("as planned")
if scenario == "sys.exit":
    sys.exit(0)
if scenario == "SIGINT":
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(10)
if scenario == "SIGTERM":
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(10)
if scenario.startswith("os._exit"):
    os._exit(0)
"""

LOSE_NOTHING = (
    "normal exit",
    "exception",
    "sys.exit",
    "SIGINT",
    "os._exit sync",
    "kill9 sync",
    "disk full",
    "folder deleted",
    "disk stalls 200 ms",
    "fork after import",
    "fork after capture",
    "fork while capturing",
    "8 preloaded workers",
    "multiprocessing fork",
    "server down",
    "server never answers",
)
LOSE_THE_LAST = ("SIGTERM", "os._exit", "kill9")
LOSE_AND_SAY = ("disk full for good", "folder is a file", "disk stalls for good")
SCENARIOS = (*LOSE_NOTHING, *LOSE_THE_LAST, *LOSE_AND_SAY)


class Outcome(Struct, frozen=True, kw_only=True):
    """What became of one process.

    `accepted` are ids of captured requests, in the order in which they were told; of a single process the first
    `committed` of them are promised to be found. `found` counts each id in the segments; `damaged` what could not be
    read; `exit_s` how long the end took, in seconds, and `said` what it said on standard error.
    """

    accepted: list[str]
    committed: int
    found: Counter[str]
    damaged: int
    exit_s: float
    said: str
    code: int

    @property
    def lost(self) -> int:
        """How many accepted requests are not in the segments."""
        return sum(name not in self.found for name in self.accepted)

    @property
    def promises_broken(self) -> int:
        """How many were committed, and are not there or there twice; or are there and were never captured."""
        missing = sum(name not in self.found for name in self.accepted[: self.committed])
        return missing + sum(number > 1 for number in self.found.values())


def run(scenario: str, folder: Path, *, requests: int = REQUESTS, kill_after: int = 0, enabled: bool = True) -> Outcome:
    """Let a process end in some way, and look at what it left in a folder.

    Args:
        scenario: one of `SCENARIOS`.
        folder: a new folder.
        requests: how many requests it captures.
        kill_after: for "kill9": after how many it is killed.
        enabled: whether anything is captured, for comparison.
    """
    spool = folder / "spool"
    environment = {**os.environ, "GATEWATCH_ENABLED": "1" if enabled else "0"}
    told = b""
    left = 0.0
    with _shipping(scenario, spool):
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, scenario, str(spool), str(requests)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=folder,
        )
        assert process.stdout is not None and process.stderr is not None
        if kill_after:
            while told.count(b"\n") < kill_after:
                told += os.read(process.stdout.fileno(), 4096)
            left = time.monotonic()
            process.send_signal(signal.SIGKILL)
        rest, said = process.communicate()
        ended = time.monotonic()
    lines = [line.split() for line in (told + rest).decode().splitlines()]
    accepted: list[str] = []
    committed = forgotten = 0
    for words in lines:
        if words[0] == "forget":
            forgotten += len(accepted)
            accepted.clear()
        elif words[0] == "leaving":
            left = float(words[1])
        elif len(words) == 2:
            accepted.append(words[0])
            committed = int(words[1])
    committed = min(max(0, committed - forgotten), len(accepted))
    if "fork" in scenario or "worker" in scenario:
        committed = 0  # the numbers of several processes
    found, damaged = in_segments(spool)
    return Outcome(
        accepted=accepted,
        committed=committed,
        found=found,
        damaged=damaged,
        exit_s=ended - left,
        said=said.decode(),
        code=process.returncode,
    )


@contextmanager
def _shipping(scenario: str, spool: Path) -> Iterator[None]:
    """Where a server is named, have what is written sent there meanwhile: it listens and says nothing, or is gone."""
    if not scenario.startswith("server"):
        yield
        return
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        if scenario == "server down":
            listening.close()
        command = [sys.executable, "-m", "gatewatch", "ship", "--to", url, "--spool", str(spool)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as ship:
            assert ship.stderr is not None and ship.stderr.readline()
            yield
            assert ship.poll() is None
            ship.kill()


def in_segments(spool: Path) -> tuple[Counter[str], int]:
    """How often each request's id is in the segments of processes that are gone, and how much cannot be read."""
    found: Counter[str] = Counter()
    damaged = 0
    for path in segments(spool) if spool.is_dir() else []:
        assert finished(path)
        got = read(path, most_bytes=1 << 30, whole=True)
        damaged += got.damaged
        found.update(codec.decode(payload, dict[str, Any])["id"] for kind, payload in got.records if kind == "trace")
    return found, damaged


def main() -> None:
    """Print the matrix."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="how often a process is killed with kill -9")
    times = parser.parse_args().times
    rng = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        place = iter(root / str(number) for number in range(10_000))

        def once(scenario: str, **options: Any) -> Outcome:
            folder = next(place)
            folder.mkdir()
            return run(scenario, folder, **options)

        bare = once("normal exit", enabled=False)
        print(f"the same process without capture: exit {1000 * bare.exit_s:.0f} ms\n")
        print(f"{'scenario':28}{'accepted':>10}{'committed':>11}{'found':>8}{'lost':>7}{'broken':>8}{'exit ms':>9}")
        failed = 0
        for scenario in SCENARIOS:
            kills = scenario.startswith("kill9")
            outcomes = [
                once(scenario, kill_after=rng.randint(1, 400) if kills else 0) for _ in range(times if kills else 1)
            ]
            lost = sum(each.lost for each in outcomes)
            broken = sum(each.promises_broken for each in outcomes)
            slowest = max(each.exit_s for each in outcomes)
            failed += bool(broken or (scenario in LOSE_NOTHING and lost) or slowest > bare.exit_s + 0.5)
            failed += scenario in LOSE_AND_SAY and not all("were not written" in each.said for each in outcomes)
            several = f" x {len(outcomes)}" if len(outcomes) > 1 else ""
            print(
                f"{scenario + several:28}{sum(len(each.accepted) for each in outcomes):10}"
                f"{sum(each.committed for each in outcomes):11}{sum(len(each.found) for each in outcomes):8}"
                f"{lost:7}{broken:8}{1000 * slowest:9.0f}",
                flush=True,
            )
    print("\nlost: captured, and in no segment. broken: committed and not there, or there twice.")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
