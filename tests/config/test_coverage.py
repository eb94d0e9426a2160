"""Slices on both sides: one function names those of cases and of live requests."""

from pathlib import Path

import pytest

from gatewatch.config.coverage import coverage
from gatewatch.config.monitors import online, store_of
from gatewatch.config.project import Project
from gatewatch.core.errors import ConfigError
from gatewatch.core.trace import Trace
from gatewatch.online.ingest import arrival_of
from gatewatch.store.rows import Arrivals

CONFIG = """
[project]
slice = "evals:slice_of"

[suites.main]
dataset = "cases.jsonl"
task = "replay:outputs.jsonl"
scorers = ["exact"]

[monitors.m]
flow = "f"
scorers = [ { use = "pii" } ]
"""
NOW = 1_790_000_000.0


def project(folder: Path) -> Project:
    (folder / "gatewatch.toml").write_text(CONFIG)
    (folder / "evals.py").write_text("def slice_of(asked):\n    return asked.split()[0]\n")
    cases = [f'{{"input": "refund {n}"}}\n' for n in range(6)]
    cases += ['{"input": "order 1"}\n', '{"input": "x", "slice": "own"}\n', '{"input": "order 2", "retired": "old"}\n']
    (folder / "cases.jsonl").write_text("".join(cases))
    return Project.open(folder)


def test_each_slice_has_its_traffic_and_its_cases(tmp_path: Path) -> None:
    found = project(tmp_path)
    store, ways = store_of(found), online(found).ways
    asked = ["refund a"] * 5 + ["order b"] * 3 + ["parcel c"] * 2
    traces = [Trace(id=f"{n:032x}", flow="f", input=each, started=NOW) for n, each in enumerate(asked)]
    store.take_in(Arrivals(tuple(arrival_of(each, ways, now=NOW) for each in traces)), NOW)
    told = coverage(found, store, "f", since=NOW - 60, until=NOW + 60)
    store.close()
    assert [(each.slice, each.requests, each.share, each.cases["main"], each.gap) for each in told] == [
        ("refund", 5, 0.5, 6, False),
        ("order", 3, 0.3, 1, True),
        ("parcel", 2, 0.2, 0, True),
        ("own", 0, 0.0, 1, False),
    ]


def test_a_slice_function_that_is_not_there_is_told(tmp_path: Path) -> None:
    found = project(tmp_path)
    (tmp_path / "evals.py").write_text("")
    with pytest.raises(ConfigError, match=r"project\.slice"):
        online(found)
