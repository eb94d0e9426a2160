"""Which baseline is shown beside live scores: of the suite that is named, or the one that uses the scorer."""

from pathlib import Path

import pytest

from config.building import opened, write
from gatewatch.config.baselines import pin
from gatewatch.config.beside import besides
from gatewatch.config.monitors import store_of, worker_of
from gatewatch.config.runs import prepare_suite
from gatewatch.core.trace import Trace
from gatewatch.offline.baseline import baseline_path
from gatewatch.offline.result import execute
from gatewatch.online.beside import Beside
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.online.trends import trend
from gatewatch.store.rows import Arrivals

NOW = 1_790_000_000.0
TOML = """
[project]
scorers = "evals.py"
slice = "evals:slice_of"

[suites.main]
dataset = "cases.jsonl"
task = "app:answer"
scorers = ["loud"]

[monitors.m]
flow = "f"
scorers = [{ use = "loud" }, { use = "pii" }]
"""
EVALS = """
from gatewatch import scorer

@scorer(name="loud", version="1")
def loud(output: str) -> bool:
    return output.isupper()

def slice_of(asked):
    return asked.split()[0]
"""
OTHER = TOML.replace(
    "[monitors.m]", '[suites.other]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["loud"]\n\n[monitors.m]'
)


def pinned(folder: Path, toml: str, *suites: str) -> None:
    """A project whose suites have a baseline: ten cases of one slice, two of another."""
    cases = "".join(f'{{"input": "{"refund" if n < 10 else "order"} {n}"}}\n' for n in range(12))
    write(folder, toml, evals_py=EVALS, cases_jsonl=cases)
    for name in suites:
        (ready,) = prepare_suite(opened(folder), name)
        pin(opened(folder), execute(ready).id)


def shown(folder: Path) -> dict[str, Beside]:
    """What is shown beside live scores of 40 requests, a quarter of the second slice, half of all loud."""
    import asyncio

    project = opened(folder)
    store = store_of(project)
    ways = Ways(slice_of=lambda asked: asked.split()[0])
    traces = [
        Trace(
            id=f"{n:032x}",
            flow="f",
            input=f"{'order' if n % 4 == 0 else 'refund'} {n}",
            output="YES" if n % 2 else "no",
            started=NOW,
        )
        for n in range(40)
    ]
    store.take_in(Arrivals(tuple(arrival_of(each, ways, now=NOW) for each in traces)), NOW)
    asyncio.run(worker_of(project, store, owner="w", clock=lambda: NOW).run(asyncio.Event(), once=True))
    found = trend(store, "f", since=NOW - 60, until=NOW + 60, by=("slice",))
    told = besides(project, found)
    store.close()
    return {scorer: each for (scorer, _), each in told.items()}


def test_the_one_suite_that_uses_a_scorer_is_beside_it(tmp_path: Path) -> None:
    pinned(tmp_path, TOML, "main")
    found = shown(tmp_path)
    assert set(found) == {"loud"}
    told = found["loud"]
    assert (told.suite, told.why, told.golden.n) == ("main", "", 10)
    assert told.difference == pytest.approx(20 / 30 - 1.0)  # of the slice that has cases enough
    assert [(each.slice, each.cases, each.scores) for each in told.thin] == [("order", 2, 10)]
    assert told.left_out == 0.25


def test_of_several_the_one_that_the_monitor_names(tmp_path: Path) -> None:
    pinned(tmp_path, OTHER, "main", "other")
    assert shown(tmp_path) == {}
    (tmp_path / "gatewatch.toml").write_text(OTHER + 'baseline = "other"\n')
    assert shown(tmp_path)["loud"].suite == "other"


def test_a_suite_without_a_baseline_is_none(tmp_path: Path) -> None:
    pinned(tmp_path, OTHER, "other")
    assert shown(tmp_path)["loud"].suite == "other"


def test_a_baseline_by_another_version_of_the_scorer_is_no_number(tmp_path: Path) -> None:
    pinned(tmp_path, TOML, "main")
    (tmp_path / "evals.py").write_text(EVALS.replace('version="1"', 'version="2"'))
    told = shown(tmp_path)["loud"]
    assert (told.difference, told.why) == (None, "not comparable: another version of the scorer")


def test_a_baseline_that_cannot_be_read_says_so_and_trends_are_shown(tmp_path: Path) -> None:
    pinned(tmp_path, TOML, "main")
    path = baseline_path(tmp_path, "main")
    path.write_text("<<<<<<< ours\n")
    told = shown(tmp_path)["loud"]
    assert told.why.startswith("its baseline cannot be read: ") and "merge conflict" in told.why


def test_a_baseline_without_the_scorer_says_so(tmp_path: Path) -> None:
    pinned(tmp_path, TOML.replace('scorers = ["loud"]', 'scorers = ["pii"]'), "main")
    (tmp_path / "gatewatch.toml").write_text(TOML)
    assert shown(tmp_path)["loud"].why == "its baseline does not have the scorer: pin it anew"
