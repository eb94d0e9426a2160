"""How long an honest client waits while a server is attacked, beside how long it waits when nobody does.

The client posts a batch of 20 spans at a time. Each attack goes on for as long as the client measures; server, client
and attackers share the machine, so that what the attackers' own processor time costs the client is in the figures.

    python -m benchmarks.attack
"""

import multiprocessing
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.attacks import Slow, Target, bombs, deep, honest, huge, memory, strangers, swollen
from benchmarks.measure import Report, child_output
from benchmarks.server import SETTLE_S, TOML, started

if TYPE_CHECKING:
    from multiprocessing.synchronize import Event

BATCHES = 400
CREATING = """
import os, sys
from gatewatch.cli.main import status
os.chdir(sys.argv[1])
status(["token", "create"])
"""
MOST_MORE_MB = 100
ATTACKS: dict[str, Callable[[Target], object]] = {
    "bombs": lambda target: bombs(target, 2),
    "swollen": lambda target: swollen(target, 2),
    "huge": lambda target: huge(target, 2),
    "deep": lambda target: deep(target, 2),
    "strangers": lambda target: strangers(target, 2),
}


def attacking(name: str, port: int, secret: str, stop: "Event") -> None:
    """Attack until told to stop."""
    target = Target(port, secret)
    if name == "slow":
        with Slow(target, 200):
            stop.wait()
        return
    while not stop.is_set():
        ATTACKS[name](target)


def waits(target: Target) -> tuple[float, float]:
    """The median and the 99th percentile of what an honest client waits, in milliseconds."""
    took = sorted(honest(target, threading.Event(), most=BATCHES))
    return took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3


def main() -> None:
    """Print the figures."""
    report = Report()
    for name in ("slow", *ATTACKS):
        with tempfile.TemporaryDirectory() as folder:
            told = TOML.format(store="sqlite:///.gatewatch/gatewatch.db", redact="off", settle=SETTLE_S)
            (Path(folder) / "gatewatch.toml").write_text(told)
            secret = child_output(CREATING, folder)
            server, url = started(Path(folder))
            target = Target(int(url.rpartition(":")[2]), secret)
            honest(target, threading.Event(), most=50)
            median, late = waits(target)
            before, stop = memory(server.pid, "VmRSS"), multiprocessing.Event()
            attack = multiprocessing.Process(target=attacking, args=(name, target.port, target.token, stop))
            attack.start()
            met_median, met_late = waits(target)
            stop.set()
            attack.join()
            grown = (memory(server.pid) - before) / 1e6
            server.terminate()
            server.wait()
        print(f"{name}: p50 {median:.1f} -> {met_median:.1f} ms, p99 {late:.1f} -> {met_late:.1f} ms")
        report.line(f"{name}: p99 under attack beside p99 at peace", met_late / late, "times", limit=2)
        report.line(f"{name}: memory", grown, "MB", limit=MOST_MORE_MB)
    report.exit()


if __name__ == "__main__":
    main()
