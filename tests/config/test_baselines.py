"""Pinning: what may be a baseline, what it carries, and the trials that are bought for it."""

from pathlib import Path

import pytest

from config.building import APP, CASES, one, opened, problems, suite, write
from gatewatch.config.baselines import Pinned, pin
from gatewatch.config.runs import prepare_suite
from gatewatch.core.baseline import BaselineLine
from gatewatch.offline.baseline import baseline_path, read_baseline
from gatewatch.offline.result import Prepared, execute

COUNTING = """
from pathlib import Path

def answer(question):
    with (Path(__file__).parent / "asked.txt").open("a") as log:
        log.write(question + "\\n")
    return question.upper()
"""


def pinned(folder: Path, reference: str = "main", **options: object) -> Pinned:
    return pin(opened(folder), reference, **options)  # type: ignore[arg-type]


def line(found: Pinned, case: str) -> BaselineLine:
    (mine,) = [each for each in found.lines if each.case == case]
    return mine


def test_a_run_is_pinned_under_its_suites_name(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    result = one(folder)
    found = pinned(folder, result.id, reason="first")
    path = baseline_path(folder, "main")
    assert found.path.resolve() == path.resolve()
    assert (found.header.run, found.header.suite, found.header.reason) == (result.id, "main", "first")
    assert found.header.runs == (result.id,)
    assert [(each.case, each.scorer, each.values, each.outcomes) for each in found.lines] == [
        ("a", "exact", (1.0,), (1.0,)),
        ("b", "exact", (0.0,), (0.0,)),
    ]
    text = path.read_text()
    assert text.count("\n") == 3
    read = read_baseline(path)
    assert (read.run, read.cases["a"].value("exact"), read.cases["b"].value("exact")) == (result.id, 1.0, 0.0)


def test_trials_are_bought_with_a_forecast_and_without_the_cache(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), app_py=COUNTING)
    one(folder)
    seen: list[Prepared] = []
    found = pinned(folder, trials=4, forecast=seen.append)
    assert [(ready.plan.cells, ready.header.purpose, ready.header.fresh) for ready in seen] == [(6, "trials", True)]
    assert (folder / "asked.txt").read_text().split().count("two") == 4
    assert (line(found, "a").values, line(found, "b").outcomes) == ((1.0,) * 4, (0.0,) * 4)
    assert found.header.trials == 4


def test_outcomes_of_earlier_runs_of_the_version_count_and_none_counts_twice(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    for _ in range(3):
        one(folder)
    found = pinned(folder)
    assert (len(line(found, "a").values), len(line(found, "a").outcomes)) == (1, 3)
    again = pinned(folder)
    assert len(line(again, "a").outcomes) == 3
    one(folder)
    more = pinned(folder, trials=2)
    assert (len(line(more, "a").values), len(line(more, "a").outcomes)) == (2, 5)
    for _ in range(3):
        one(folder)
        last = pinned(folder, trials=3)
    assert len(line(last, "a").outcomes) == 10


def test_another_version_starts_with_the_outcomes_of_the_accepted_one(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    one(folder)
    pinned(folder)
    (folder / "app.py").write_text("def answer(question):\n    return 'two'\n")
    one(folder)  # this one is not accepted
    (folder / "app.py").write_text(APP + "\n\ndef more():\n    return 1\n")
    one(folder)
    assert (line(pinned(folder), "a").outcomes, line(pinned(folder), "b").outcomes) == ((1.0, 1.0), (0.0, 0.0))


def test_what_changed_begins_anew(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    one(folder)
    pinned(folder)
    (folder / "cases.jsonl").write_text(CASES.replace("ONE", "one"))
    one(folder)
    found = pinned(folder)
    assert (line(found, "a").outcomes, line(found, "b").outcomes) == ((0.0,), (0.0, 0.0))
    write(folder, suite(head="[scorers.same]\nuse = 'contains'\n", scorers='["exact", "same"]'))
    one(folder)
    (same,) = {len(each.outcomes) for each in pinned(folder).lines if each.scorer == "same"}
    assert same == 1


@pytest.mark.parametrize("what", ["partial", "errors", "flips"])
def test_what_cannot_be_a_baseline(tmp_path: Path, what: str) -> None:
    more = 'budget = "0.10 USD"\nconcurrency = 1\n' if what == "partial" else ""
    app = "from gatewatch import note\n\ndef answer(question):\n    note(cost=0.1)\n    return question.upper()\n"
    if what == "errors":
        app = "def answer(question):\n    raise ValueError(question)\n"
    folder = write(tmp_path, suite(more), app_py=app)
    result = one(folder)
    reference = result.id
    if what == "flips":
        pinned(folder, trials=2)
        reference = next((folder / ".gatewatch" / "runs").glob("*trials*.jsonl")).stem
    (said,) = problems(lambda: pinned(folder, reference), folder)
    assert {
        "partial": "is not complete: 1 of 2 rows (a run that was cut off or stopped early cannot be a baseline",
        "errors": "has nothing but errors to show (a baseline says how good the application is)",
        "flips": "is a part of another run (name that one)",
    }[what] in said
    assert baseline_path(folder, "main").exists() is (what == "flips")


def test_more_trials_of_what_has_changed_are_refused(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    result = one(folder)
    (folder / "app.py").write_text("def answer(question):\n    return question\n")
    assert problems(lambda: pinned(folder, trials=5)) == [
        f"{result.id}: cannot be given more trials: the application changed since, or cannot be told to be the same "
        "(make a new run with `gatewatch run main` and pin that)"
    ]
    assert problems(lambda: pinned(folder, trials=11)) == ["--trials: at most 10 are kept of a case, got 11"]


def test_more_trials_of_an_application_that_keeps_what_it_answered(tmp_path: Path) -> None:
    app = "memo = {}\n\ndef answer(question):\n    return memo.setdefault(question, question.upper())\n"
    project = opened(write(tmp_path, suite(), app_py=app))
    (ready,) = prepare_suite(project, "main")
    execute(ready)
    assert pin(project, "main", trials=3).header.trials == 3


def test_a_baseline_that_cannot_be_read_is_written_over_and_told(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    one(folder)
    path = pinned(folder).path
    path.write_text("<<<<<<< mine\n" + path.read_text())
    found = pinned(folder)
    assert len(found.notes) == 1
    assert "a merge conflict is not resolved" in found.notes[0]
    assert read_baseline(path).cases.keys() == {"a", "b"}
