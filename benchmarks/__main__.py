"""`make bench`: what the runner costs, each figure beside what it is held against.

Every benchmark runs in a fresh process, so that one does not warm or burden the next. Trust ratios and CPU seconds;
wall times move with what else the machine is doing.
"""

import subprocess
import sys

BENCHMARKS = {
    "startup": "what importing and `--help` cost",
    "runner": "CPU and memory per case, and the wall time beside bare asyncio",
    "gate": "the row diff and the full gate of two runs of 100,000 cases",
    "audit": "an audit of 10,000 cases beside runs, live traffic and prompts",
    "scorers": "microseconds a kilobyte of every deterministic scorer, its worst case, and what the heuristics catch",
    "capture": "a live request's cost to its caller, in a tight loop and paced, beside the OpenTelemetry SDK",
    "store": "a million stored requests: taking in, trends, the latest, the next work",
    "store --postgres": "the same on a PostgreSQL",
    "workers": "two workers on one store beside one, with a judge that takes its time",
    "online": "from a segment to where it can be asked for, and to a score",
    "otlp": "OTLP from the bytes of a request to where a trace can be asked for",
    "drift": "microseconds a value of a drift detector",
    "watch": "a monitor's step for each score, behind a million of them, and a back-test of these",
    "mine": "mining 100,000 scored requests of a week, and once more when all failures are known",
    "server": "spans a second that a server accepts over HTTP and makes queryable",
    "server --postgres": "the same on a PostgreSQL",
    "pages": "what the pages cost a reader: bytes, and the browser's main thread, at 5,000 and 100,000 cases",
    "pages_overview": "what Overview and Costs cost the server over a million stored scores",
    "attack": "how long an honest client waits while a server is attacked",
    "storm": "400 calls through a provider that refuses most of them",
}


def main() -> int:
    """Run all benchmarks, or those named on the command line."""
    names = sys.argv[1:] or list(BENCHMARKS)
    failed = []
    for name in names:
        if name not in BENCHMARKS:
            print(f"no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}")
            return 2
        print(f"\n== {name}: {BENCHMARKS[name]}", flush=True)
        if subprocess.run([sys.executable, "-m", *f"benchmarks.{name}".split()], check=False).returncode:
            failed.append(name)
    print(
        f"\n{len(names) - len(failed)} of {len(names)} within their limits"
        + (f"; not: {', '.join(failed)}" if failed else "")
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
