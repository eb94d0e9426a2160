"""What an audit costs: 10,000 cases beside a pinned baseline, stored runs, live traffic, prompts; imports included."""

import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Report

CASES = 10_000
REQUESTS = 8_000
PLANTED = 200

TOML = """
[project]
name = "bench"

[tasks.app]
call = "app:answer"

[suites.main]
dataset = "cases.jsonl"
task = "app"
scorers = ["exact", "contains"]
concurrency = 64

[monitors.main]
flow = "support"
scorers = [{ use = "pii" }]
baseline = "main"
"""
APP = '''"""{prompt}"""
import random

async def answer(question: str) -> str:
    return "yes" if random.random() < 0.9 else "no"
'''
LIVE = """
import json, sys
from gatewatch.checks.traffic import request, take
from gatewatch.core.clock import wall
from gatewatch.store.open import open_store
texts, now = json.load(sys.stdin), wall()
store = open_store(sys.argv[1])
every = [
    request(
        f"r{number}", at=now - 31 * 86_400 * (1 - number / len(texts)), payload=json.dumps({"input": text}).encode(),
        slice=f"s{number % 7}", session=f"c{number // 3}",
    )
    for number, text in enumerate(texts)
]
for start in range(0, len(every), 2000):
    take(store, *every[start : start + 2000], now=now)
"""
AUDIT = """
import resource, sys
from gatewatch.cli.main import status
code = status(["audit", "main", "--json"])
used = resource.getrusage(resource.RUSAGE_SELF)
print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=sys.stderr)
"""


def texts(chance: random.Random, number: int) -> list[str]:
    """Texts of 6 to 40 words of some 15,000, the first ones far more often than the last, as words are.

    (4,600 recorded queries, of halueval_general and other sets, have 8,400 different words.)"""
    words = ["".join(chance.choices("abcdefghiklmnoprstuvw", k=chance.randint(3, 9))) for _ in range(15_000)]
    weights = [1 / (place + 5) for place in range(len(words))]
    return [" ".join(chance.choices(words, weights, k=chance.randint(6, 40))) for _ in range(number)]


def project(folder: Path, chance: random.Random, *, frame: str) -> None:
    """A project of 10,000 cases, each a text in a frame that all share; 200 of them are near copies of others."""
    some = [frame.format(text) for text in texts(chance, CASES)]
    for place in range(PLANTED):
        some[-1 - place] = f"please {some[place]}"
    lines = [{"id": f"c{place}", "input": text, "expected": "yes"} for place, text in enumerate(some)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "gatewatch.toml").write_text(TOML)
    (folder / "app.py").write_text(APP.format(prompt="\n".join(texts(chance, 500) + some[500:520])))
    for trials in ("3", "1"):
        _gatewatch(folder, "run", "main", "--trials", trials, "--plain")
    _gatewatch(folder, "baseline", "pin", "main", "--plain")
    asked = json.dumps([chance.choice(some) for _ in range(REQUESTS)])
    store = str(folder / ".gatewatch" / "gatewatch.db")
    subprocess.run([sys.executable, "-c", LIVE, store], input=asked, text=True, check=True)


def _gatewatch(folder: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "gatewatch", *words], cwd=folder, check=True, capture_output=True)


def main() -> None:
    """Measure and print."""
    report = Report()
    framed = "Translate what follows into French, briefly: {}"
    for name, frame in (("", "{}"), (", each in one and the same frame", framed)):
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            project(folder, random.Random(8), frame=frame)
            done = subprocess.run([sys.executable, "-c", AUDIT], cwd=folder, check=True, capture_output=True, text=True)
            counts = json.loads(done.stdout)["counts"]
            code, cpu, peak = done.stderr.split()
            assert code == "0", done.stderr
            found = ", ".join(f"{each['findings']:,} {check}" for check, each in counts.items() if each["findings"])
            report.line(f"CPU, audit of {CASES:,} cases{name}", float(cpu), "s", limit=20.0, note=found)
            report.line("peak memory of it", float(peak), "MB")
            missing = PLANTED - counts["near_duplicate"]["findings"]
            report.line(f"of {PLANTED} planted near copies not found", missing, "", limit=0.02 * PLANTED)
    report.exit()


if __name__ == "__main__":
    main()
