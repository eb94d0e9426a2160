"""`make bench-peers`: pydantic-evals beside us in the same run, from the registry, in an environment of its own.

Both do 10,000 cases of an instant async task with exact match, and 1,000 cases of 50 ms, 100 at once. The peer keeps
its rows in memory only.
"""

import json
import subprocess
import sys
import time
import venv
from pathlib import Path

from benchmarks.runner import cpu_per_case, wall_beside_bare

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / ".venv-peers"

PEER = """
import asyncio, json, sys, time
from importlib.metadata import version
from pydantic_evals import Case, Dataset
from pydantic_evals.evaluators import EqualsExpected

async def instant(question: str) -> str:
    return "answer " + question.rpartition(" ")[2]

async def waiting(question: str) -> str:
    await asyncio.sleep(0.05)
    return "answer " + question.rpartition(" ")[2]

def dataset(n):
    cases = [Case(name=f"case-{i:06d}", inputs=f"question number {i}", expected_output=f"answer {i}") for i in range(n)]
    return Dataset(name="peer", cases=cases, evaluators=[EqualsExpected()])

dataset(100).evaluate_sync(instant, max_concurrency=100, progress=False)
began = time.process_time()
report = dataset(10_000).evaluate_sync(instant, max_concurrency=100, progress=False)
report.averages()
cpu = (time.process_time() - began) / 10_000
cases = dataset(1000)
began = time.perf_counter()
cases.evaluate_sync(waiting, max_concurrency=100, progress=False)
print(json.dumps({"version": version("pydantic-evals"), "cpu": cpu * 1e6, "wall": time.perf_counter() - began}))
"""


def main() -> None:
    """Set the peer up if need be, measure both, and print them side by side."""
    python = FOLDER / "bin" / "python"
    if not python.exists():
        print(f"setting up {FOLDER.name} ...", flush=True)
        venv.create(FOLDER, with_pip=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "pydantic-evals"], check=True
    )
    found = json.loads(subprocess.run([python, "-c", PEER], check=True, capture_output=True, text=True).stdout)
    ours, bare = cpu_per_case(10_000)
    wall, bare_wall = wall_beside_bare()
    print(f"measured {time.strftime('%Y-%m-%d')}, pydantic-evals {found['version']}, Python {sys.version.split()[0]}\n")
    print(f"{'':44}{'bare asyncio':>14}{'gatewatch':>14}{'pydantic-evals':>16}")
    print(f"{'CPU per case, instant task (microseconds)':44}{bare:14.1f}{ours:14.1f}{found['cpu']:16.1f}")
    print(f"{'1,000 cases of 50 ms, 100 at once (s)':44}{bare_wall:14.3f}{wall:14.3f}{found['wall']:16.3f}")
    print(f"{'keeps':44}{'nothing':>14}{'every row':>14}{'memory':>16}")
    print(f"\npydantic-evals takes {found['cpu'] / ours:.1f} x our CPU and {found['wall'] / wall:.2f} x our wall time")


if __name__ == "__main__":
    main()
