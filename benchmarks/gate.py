"""What a gate costs: the row diff and the full gate of two runs of 100,000 cases, and of two small ones."""

import os
import random
import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Report
from benchmarks.runner import dataset

CASES = 100_000
CHANGED = 0.1

MAKE = """
import random, sys
from pathlib import Path
from gatewatch import run
seed, share, cases = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
async def answer(question: str) -> str:
    number = question.rpartition(" ")[2]
    return ("answer " if random.Random(f"{seed} {number}").random() >= share else "none ") + number
assert run(answer, on=Path(cases), scorers=["exact"], concurrency=100, name=f"seed-{seed}").summary.rows
"""

JUDGE = """
import resource, sys
from pathlib import Path
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.rule import Rule
before, after = (read_run(Path(path)) for path in sys.argv[1:3])
verdict = decide(Comparison(before, after), Rule())
used = resource.getrusage(resource.RUSAGE_SELF)
print(verdict.verdict, len(verdict.rows), used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
"""


def judged(cases: int, changed: float) -> tuple[str, int, float, float]:
    """The verdict on two runs, the rows that moved, and the CPU seconds and megabytes that the judging process took."""
    path = dataset(cases)
    for seed in (1, 2):
        subprocess.run([sys.executable, "-c", MAKE, str(seed), str(changed / 2), str(path)], check=True)
    runs = sorted(Path(".gatewatch/runs").glob("seed-*.jsonl"))
    found = subprocess.run(
        [sys.executable, "-c", JUDGE, *map(str, runs)], check=True, capture_output=True, text=True
    ).stdout.split()
    return found[0], int(found[1]), float(found[2]), float(found[3])


def main() -> None:
    """Measure and print."""
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    random.seed(0)
    report = Report()
    _, _, least, _ = judged(100, CHANGED)
    report.line("CPU, gate of two runs of 100 cases, imports included", least, "s")
    verdict, moved, cpu, peak = judged(CASES, CHANGED)
    note = f"{verdict}, {moved:,} rows moved"
    report.line(f"CPU, row diff and gate of two runs of {CASES:,} cases", cpu, "s", limit=2.0, note=note)
    report.line("peak memory of it", peak, "MB", limit=500)
    report.exit()


if __name__ == "__main__":
    main()
