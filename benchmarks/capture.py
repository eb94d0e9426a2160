"""What capturing a request costs the application, beside the OpenTelemetry SDK in the same run.

The SDK is installed into an environment of its own, `.venv-otel`; both are measured there. A tight loop flatters: its
caches are warm. So both are also measured at 400 requests a second in an asyncio application that has work of its own.
"Text" is a question and an answer and nothing else; "as in an application" a conversation of four messages and an
answer, with session, user, variant, tags, versions and tokens. At a pace the limits are held against text: what else an
application tells costs us and the SDK alike, and there we are not at a third of it.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
import venv
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.capture_load import ANSWER, QUESTION
from benchmarks.measure import Report
from gatewatch.core import codec
from gatewatch.core.trace import Trace
from gatewatch.online.framing import Framing
from gatewatch.online.settings import Settings
from gatewatch.online.spool import Spool

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-otel"
ROUNDS, SECONDS = 3, 8.0
STRUCTURED = {
    "order": 123456,
    "items": [{"sku": f"AB-{n}", "qty": n, "price": 12.5, "at": "2026-11-26T10:00:00Z"} for n in range(40)],
    "note": "see https://shop.example.org/orders/123?ref=mail for details",
}


def python() -> str:
    """The interpreter that has the SDK, set up if need be."""
    found = FOLDER / "bin" / "python"
    if not found.exists():
        print(f"setting up {FOLDER.name} ...", flush=True)
        venv.create(FOLDER, with_pip=True)
    wanted = ["opentelemetry-sdk", "msgspec"]
    subprocess.run([found, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted], check=True)
    return str(found)


def measured(interpreter: str, mode: str, kind: str, *more: str) -> dict[str, float]:
    """What a fresh process measures."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [interpreter, "-m", "benchmarks.capture_load", mode, kind, folder, *more],
            check=True,
            capture_output=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def middle(rounds: list[dict[str, float]], name: str) -> float:
    """The median over rounds."""
    return median(each[name] for each in rounds)


def loops(report: Report, interpreter: str) -> None:
    """A tight loop."""
    us: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for kind in ("gatewatch text", "otel text", "gatewatch chat", "otel chat", "gatewatch signals"):
            us.setdefault(kind, []).append(measured(interpreter, "tight", kind)["us"])
    for what, kind in (("4 KB of text", "text"), ("4 KB, as in an application", "chat")):
        ours, theirs = median(us[f"gatewatch {kind}"]), median(us[f"otel {kind}"])
        report.line(f"capture, {what}, tight loop", ours, "us CPU", limit=10)
        report.line("  OpenTelemetry SDK", theirs, "us CPU")
        report.line("  ours by theirs", ours / theirs, "x", limit=0.25)
    report.line("capture, signals only", median(us["gatewatch signals"]), "us CPU", limit=4)


def at_a_pace(report: Report, interpreter: str) -> None:
    """An application at 400 requests a second."""
    rounds: dict[str, list[dict[str, float]]] = {}
    for _ in range(ROUNDS):
        for kind in ("none", "gatewatch text", "otel text", "gatewatch chat", "otel chat"):
            rounds.setdefault(kind, []).append(measured(interpreter, "paced", kind, str(SECONDS)))
    bare = middle(rounds["none"], "cpu")
    report.line("CPU of an application at 400 requests/s", bare, "%")
    for what, kind, p50, p99 in (("text", "text", 1 / 3, 0.4), ("as in an application", "chat", None, None)):
        ours, theirs = rounds[f"gatewatch {kind}"], rounds[f"otel {kind}"]
        for name, limit in (("p50", p50), ("p99", p99)):
            report.line(f"capture in it, 4 KB {what}: {name}", middle(ours, name), "us")
            report.line("  OpenTelemetry SDK", middle(theirs, name), "us")
            report.line("  ours by theirs", middle(ours, name) / middle(theirs, name), "x", limit=limit)
        report.line("  more CPU with capture", middle(ours, "cpu") - bare, "points", limit=3 if p50 else None)
        report.line("  more CPU with the OpenTelemetry SDK", middle(theirs, "cpu") - bare, "points")


def burst(report: Report) -> None:
    """A burst up to the bound while the disk hangs, and beyond it."""
    payload = codec.encode(Trace(id="0" * 32, input=QUESTION, output=ANSWER))
    gate, write = threading.Event(), os.write

    def hanging(descriptor: int, data: Any) -> int:
        gate.wait()
        return write(descriptor, data)

    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Settings(spool=folder))
        os.write = hanging
        try:
            bound = spool.settings.queue_records
            for _ in range(bound):
                spool.put("trace", payload)
            within = sum(spool.stats().dropped.values())
            for _ in range(2 * bound):
                spool.put("trace", payload)
        finally:
            os.write = write
            gate.set()
        spool.flush(60)
        done = spool.stats()
        spool.close()
    report.line(f"dropped of a burst of {bound}, the disk hanging", within, "records", limit=0)
    unknown = 3 * bound - done.written - sum(done.dropped.values())
    report.line(f"of {3 * bound}, neither written nor counted as dropped", unknown, "records", limit=0)


def redaction(report: Report) -> None:
    """What redaction costs the thread that writes, decoding and encoding included, on what holds nothing."""
    framing = Framing(Settings(redact="pii"), None)
    for what, trace in (
        ("prose", Trace(id="0" * 32, input=QUESTION, output=ANSWER)),
        ("an object of 120 small values", Trace(id="0" * 32, input=QUESTION[:500], output=STRUCTURED)),
    ):
        payload = codec.encode(trace)
        best = float("inf")
        for _ in range(7):
            began = time.thread_time()
            for _ in range(200):
                framing.payload("trace", payload)
            best = min(best, time.thread_time() - began)
        cost = best / 200 * 1e6 / (len(payload) / 1024)
        report.line(f"redaction of {what}, per KB", cost, "us CPU", limit=30 if what == "prose" else None)


def main() -> None:
    """Measure all of it."""
    report = Report()
    interpreter = python()
    loops(report, interpreter)
    at_a_pace(report, interpreter)
    burst(report)
    redaction(report)
    report.exit()


if __name__ == "__main__":
    main()
