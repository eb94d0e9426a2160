"""Spans a second that a server accepts over OTLP/HTTP and makes queryable, client and server on the same two cores.

The bodies are those of `benchmarks.otlp`: 512 spans of 256 requests each, in protobuf, packed. Accepted is until the
last reply; queryable until the last request can be listed, less the second for which a trace has to be still.

    python -m benchmarks.server [--bodies 80] [--postgres]

With `--postgres` the store is on a server that is started for it, with its settings as they come.
"""

import argparse
import gzip
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from random import Random

from benchmarks.measure import Report
from benchmarks.otlp import BODY, body

SETTLE_S = 1.0
LEAST = 5000
SENDERS = 4
LONGEST_S = 120.0
TOML = """
[project]
name = "bench-{redact}"
store = "{store}"

[online]
redact = "{redact}"

[ingest]
settle = "{settle:g}s"
"""


def started(folder: Path, *options: str) -> tuple[subprocess.Popen[str], str]:
    """A server over a folder, and its address."""
    command = [sys.executable, "-m", "gatewatch", "serve", "--port", "0", *options]
    server = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    for line in server.stderr:
        if line.startswith("serving "):
            threading.Thread(target=server.stderr.read, daemon=True).start()
            return server, line.split()[1]
    raise SystemExit("the server did not start")


def send(url: str, bodies: list[bytes], replies: "multiprocessing.Queue[float]") -> None:
    """Post bodies from a few threads, as clients do, and tell how long each took."""
    import httpx

    left = list(bodies)

    def work() -> None:
        headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            while left:
                try:
                    data = left.pop()
                except IndexError:
                    return
                began = time.perf_counter()
                while client.post("/v1/traces", content=data).status_code != 200:
                    time.sleep(0.05)
                replies.put(time.perf_counter() - began)

    threads = [threading.Thread(target=work) for _ in range(SENDERS)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def cpu(pid: int) -> float:
    """The CPU seconds of a process and of those that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def settled(url: str) -> int:
    """How many requests the server has made."""
    import httpx

    lines = httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("gatewatch_settled_total{"))


def measured(bodies: list[bytes], redact: str, store: str) -> tuple[float, float, float, float]:
    """Spans a second until accepted and until queryable, the slowest reply of a hundred in seconds, and the CPU seconds
    of the server a span."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "gatewatch.toml").write_text(TOML.format(store=store, redact=redact, settle=SETTLE_S))
        server, url = started(folder, "--no-auth")
        idle = cpu(server.pid)
        try:
            replies: multiprocessing.Queue[float] = multiprocessing.Queue()
            client = multiprocessing.Process(target=send, args=(url, bodies, replies))
            began = time.perf_counter()
            client.start()
            took = sorted(replies.get() for _ in bodies)
            accepted = time.perf_counter() - began
            client.join()
            last = time.perf_counter() + LONGEST_S
            while settled(url) < len(bodies) * BODY:
                if time.perf_counter() > last:
                    raise SystemExit(
                        f"of {len(bodies) * BODY:,} requests {settled(url):,} can be asked for, and no more"
                    )
                time.sleep(0.05)
            queryable = time.perf_counter() - began - SETTLE_S
            busy = cpu(server.pid) - idle
        finally:
            server.terminate()
            server.wait()
    spans = len(bodies) * BODY * 2
    return spans / accepted, spans / queryable, took[int(len(took) * 0.99)], busy / spans


def main() -> None:
    """Print the figures."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--bodies", type=int, default=80)
    asked.add_argument("--postgres", action="store_true", help="on a PostgreSQL that is started for it")
    options = asked.parse_args()
    report = Report()
    random = Random(1)
    bodies = [gzip.compress(body(random, BODY), 6) for _ in range(options.bodies)]
    store = "sqlite:///.gatewatch/gatewatch.db"
    if options.postgres:
        from benchmarks.postgres_server import started as postgres

        store = postgres().new_database()
    print(f"{len(bodies) * BODY * 2:,} spans, {sum(map(len, bodies)) / 1e6:.1f} MB packed, {os.cpu_count()} cores")
    for redact in ("off", "pii"):
        accepted, queryable, slow, busy = measured(bodies, redact, store)
        print(
            f"redact {redact}: accepted {accepted:,.0f} spans/s, queryable {queryable:,.0f}; p99 {slow * 1e3:,.0f} ms,"
            f" server's CPU {busy * 1e6:,.0f} us a span"
        )
        if redact == "off" and not options.postgres:
            report.line("us a span, from bytes to queryable", 1e6 / queryable, "us", limit=1e6 / LEAST)
    report.exit()


if __name__ == "__main__":
    main()
