"""Which run people labelled, and whether a label is of the output that a run has."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.building import labelled, nothing_asked, one, opened, problems, suite, write
from gatewatch.config.calibrate import calibrate_scorer
from gatewatch.config.calibrations import Kept, write_calibration
from gatewatch.config.labelled import answers_of
from gatewatch.config.rescore import prepare_rescore
from gatewatch.core.errors import RunBroken
from gatewatch.core.run import trace_id
from gatewatch.offline.result import Prepared, RunResult, execute, find_run

COUNT = 60
CASES = "".join(f'{{"id": "c{n}", "input": "{n}"}}\n' for n in range(COUNT))
EVALS = """from gatewatch import scorer

@scorer
def says_yes(output: str) -> bool:
    return output == "yes"
"""
CONFIG = suite(task="replay:outputs.jsonl", scorers='["says_yes"]', head='[project]\nscorers = "evals.py"\n')
OTHER = '\n[suites.other]\ndataset = "cases.jsonl"\ntask = "replay:outputs.jsonl"\nscorers = ["valid_json"]\n'


def answered(folder: Path, says: Callable[[int], str]) -> None:
    lines = ({"id": f"c{n}", "output": says(n)} for n in range(COUNT))
    (folder / "outputs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def even(n: int) -> str:
    return "no" if n % 2 else "yes"


def odd(n: int) -> str:
    return "yes" if n % 2 else "no"


def by_case(count: int = COUNT, **more: Any) -> list[dict[str, Any]]:
    """Labels that are right of outputs that say yes to even cases."""
    return [{"case": f"c{n}", "value": n % 2 == 0, **more} for n in range(count)]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = write(tmp_path, CONFIG + OTHER, evals_py=EVALS, cases_jsonl=CASES)
    answered(folder, even)
    return folder


def calibrated(folder: Path, *, make: Callable[[Prepared], RunResult] = nothing_asked, **options: Any) -> Kept:
    return calibrate_scorer(opened(folder), "says_yes", folder / "labels.jsonl", make=make, **options)


def test_labels_by_trace_are_of_the_outputs_of_that_run(project: Path) -> None:
    first = one(project)
    answered(project, odd)
    one(project)
    lines = ({"trace": trace_id(first.id, f"c{n}", 0), "value": n % 2 == 0} for n in range(COUNT))
    labelled(project, *lines, {"trace": "0" * 32, "value": True})
    kept = calibrated(project)
    assert (kept.run, kept.found.agreed, kept.elsewhere) == (first.id, COUNT, 1)
    told = problems(lambda: calibrated(project, run="latest"), project)
    assert told[0].startswith(f"DIR/labels.jsonl: none of its {COUNT + 1} labels is of an output of ")


def test_what_was_scored_again_keeps_its_trace_ids(project: Path) -> None:
    first = one(project)
    again = execute(prepare_rescore(opened(project), first.id)[0])
    twice = execute(prepare_rescore(opened(project), again.id)[0])
    for run in (first, again, twice):
        assert answers_of(twice.path).traces[trace_id(run.id, "c3", 0)] == "c3"


def test_a_label_of_another_output_is_of_nothing_here(project: Path) -> None:
    first = one(project)
    outputs = answers_of(first.path).outputs
    answered(project, lambda n: even(n) if n < 50 else "perhaps")
    one(project)
    labelled(project, *({**line, "output": outputs[line["case"]]} for line in by_case()))
    assert calibrated(project).run == first.id  # which has all of them
    kept = calibrated(project, run="latest")
    assert (kept.found.labels, kept.found.agreed, kept.elsewhere) == (50, 50, 10)


def test_labels_that_were_used_for_other_outputs_are_refused(project: Path) -> None:
    first = one(project)
    labelled(project, *by_case())
    write_calibration(project, calibrated(project))
    answered(project, odd)
    second = one(project)
    assert problems(lambda: calibrated(project), project) == [
        f"DIR/labels.jsonl: 60 of 60 labelled outputs are not those of {second.id} (c0, c1, c10, ...): these labels "
        f"were used for other outputs, in run {first.id} (give --run {first.id}, or --anew if people labelled the "
        f"outputs of {second.id})"
    ]
    assert calibrated(project, run=first.id).found.word == "USABLE"
    assert calibrated(project, anew=True).found.word == "NOT USABLE"
    answered(project, even)  # what is answered as it was needs no new label
    assert calibrated(project, run=one(project).id).found.word == "USABLE"


def test_the_run_with_the_most_labelled_cases_is_meant(project: Path) -> None:
    first = one(project)
    one(project, limit=10)
    labelled(project, *by_case())
    assert calibrated(project).run == first.id
    labelled(project, *by_case(10))
    assert calibrated(project).run != first.id


def test_of_runs_with_the_same_outputs_one_that_has_the_verdicts_is_taken(project: Path) -> None:
    first = one(project)
    other = one(project, "other")
    labelled(project, *by_case())
    assert calibrated(project).run == first.id
    answered(project, odd)
    other = one(project, "other")
    made: list[Prepared] = []

    def make(ready: Prepared) -> RunResult:
        made.append(ready)
        return execute(ready)

    kept = calibrated(project, make=make)  # the newest is meant, where they differ: it has to be asked
    assert (kept.run, kept.found.word) == (other.id, "NOT USABLE")
    assert [ready.header.purpose for ready in made] == ["calibrate"]
    # What is made for a calibration is no run of one's own.
    assert find_run(project / ".gatewatch" / "runs", "latest") == other.path
    assert find_run(project / ".gatewatch" / "runs", "other") == other.path


FAILING = """from pathlib import Path
from gatewatch import scorer

@scorer(version="1")
def says_yes(output: str, case) -> bool:
    if case.id in Path("down").read_text().split():
        raise OSError("status 500")
    return output == "yes"
"""


def test_what_the_scorer_failed_on_is_asked_again(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    (project / "evals.py").write_text(FAILING)
    (project / "down").write_text(" ".join(f"c{n}" for n in range(20)))
    run = one(project)
    labelled(project, *by_case())
    kept = calibrated(project, make=execute)
    assert (kept.found.missing, kept.found.agreed, kept.judged) == (20, 40, run.id)
    ((why, count),) = kept.failures.items()
    assert (why[:19], count) == ("OSError: status 500", 20)
    (project / "down").write_text("c3")
    made: list[Prepared] = []

    def make(ready: Prepared) -> RunResult:
        made.append(ready)
        return execute(ready)

    kept = calibrated(project, make=make)
    assert (kept.found.missing, kept.found.agreed, kept.found.population) == (1, 59, 60)
    assert [ready.header.dataset.cases for ready in made] == [20]
    (project / "down").write_text(" ".join(f"c{n}" for n in range(COUNT)))
    one(project)
    with pytest.raises(RunBroken, match=r"says_yes failed on 60 of 60 labelled outputs: OSError: status 500"):
        calibrated(project, run="latest", make=execute)
