"""What the runner costs: CPU and memory per case with the journal on, and wall time beside bare asyncio."""

import asyncio
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Report, child_output


async def instant(question: str) -> str:
    """Answer at once."""
    return "answer " + question.rpartition(" ")[2]


async def waiting(question: str) -> str:
    """Answer after 50 ms, as a provider would."""
    await asyncio.sleep(0.05)
    return "answer " + question.rpartition(" ")[2]


def dataset(cases: int) -> Path:
    """A dataset of small cases, in a folder that becomes the current one."""
    folder = Path(tempfile.mkdtemp(prefix="gatewatch-bench-"))
    os.chdir(folder)
    with Path("cases.jsonl").open("w") as file:
        for number in range(cases):
            case = {"id": f"case-{number:06d}", "input": f"question number {number}"}
            file.write(json.dumps(case | {"expected": f"answer {number}"}) + "\n")
    return Path("cases.jsonl")


async def bare(task: object, cases: int, concurrency: int) -> None:
    """The same calls from a pool of plain asyncio workers: nothing scored, nothing kept."""
    numbers = iter(range(cases))

    async def worker() -> None:
        for number in numbers:
            await task(f"question number {number}")  # type: ignore[operator]

    await asyncio.gather(*(worker() for _ in range(concurrency)))


def cpu_per_case(cases: int) -> tuple[float, float]:
    """Microseconds of CPU per case of an instant task with exact match, all included; the same for bare asyncio."""
    from gatewatch import run

    path = dataset(100)
    run(instant, on=path, scorers=["exact"], concurrency=100)  # imports and first use are not per case
    path = dataset(cases)
    began = time.process_time()
    result = run(instant, on=path, scorers=["exact"], concurrency=100)
    mean = result.summary.scorers["exact"].figure.mean
    ours = time.process_time() - began
    assert mean == 1.0, mean
    began = time.process_time()
    asyncio.run(bare(instant, cases, 100))
    return ours / cases * 1e6, (time.process_time() - began) / cases * 1e6


def wall_beside_bare(cases: int = 1000, concurrency: int = 100, rounds: int = 5) -> tuple[float, float]:
    """Wall seconds of 50 ms calls through the runner, journal and summary included, and of the same calls bare."""
    from gatewatch import run

    path = dataset(cases)
    run(instant, on=path, scorers=["exact"], concurrency=concurrency)
    ours, plain = [], []
    for _ in range(rounds):
        began = time.perf_counter()
        assert run(waiting, on=path, scorers=["exact"], concurrency=concurrency).summary.rows == cases
        ours.append(time.perf_counter() - began)
        began = time.perf_counter()
        asyncio.run(bare(waiting, cases, concurrency))
        plain.append(time.perf_counter() - began)
    return statistics.median(ours), statistics.median(plain)


PEAK = """
import resource, sys
from benchmarks.runner import dataset, instant
from gatewatch import run
path = dataset(int(sys.argv[1]))
assert run(instant, on=path, scorers=["exact"], concurrency=100).summary.rows == int(sys.argv[1])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def main() -> None:
    """Measure and print."""
    report = Report()
    ours, plain = cpu_per_case(10_000)
    note = f"bare asyncio {plain:.1f}; {ours / plain:.1f} x"
    report.line("CPU per case, instant task, exact match, 10,000 cases", ours / 1000, "ms", limit=0.05, note=note)
    wall, bare_wall = wall_beside_bare()
    report.line("wall, 1,000 cases of 50 ms, 100 at once", wall, "s", note=f"bare asyncio {bare_wall:.3f} s")
    report.line("  beside bare asyncio in the same run", wall / bare_wall, "x", limit=1.05)
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[1])
    small, large = (int(child_output(PEAK, str(cases))) for cases in (10_000, 100_000))
    report.line("peak memory, 10,000 cases", small / 1024, "MB")
    report.line("peak memory, 100,000 cases", large / 1024, "MB")
    report.line("  growth per case", (large - small) * 1024 / 90_000, "bytes", limit=1024)
    report.exit()


if __name__ == "__main__":
    main()
