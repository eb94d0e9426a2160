"""Scoring stored outputs again: nothing is called, and the new run stands where the old one stood."""

from pathlib import Path

from config.building import one, opened, problems, rows, suite, write
from gatewatch.config.baselines import pin
from gatewatch.config.rescore import prepare_rescore
from gatewatch.offline.result import RunResult, execute

HEAD = "from gatewatch import scorer\n\n@scorer\n"
EVALS = HEAD + "def right(output: str, expected: str):\n    return output == expected\n"
PROJECT = '[project]\nscorers = "evals.py"\n'
ONCE = """
from pathlib import Path
LOG = Path(__file__).parent / "asked.txt"

def answer(question):
    with LOG.open("a") as log:
        log.write("x")
    return question.upper()
"""


def rescored(folder: Path, reference: str, **options: str) -> tuple[RunResult, int]:
    ready, left_out = prepare_rescore(opened(folder), reference, **options)
    return execute(ready), left_out


def test_the_outputs_are_scored_anew_and_the_application_is_not_called(tmp_path: Path) -> None:
    folder = write(tmp_path, suite("trials = 2", scorers='["right"]', head=PROJECT), app_py=ONCE, evals_py=EVALS)
    first = one(folder)
    (folder / "evals.py").write_text(EVALS.replace("output ==", "output.lower() =="))
    again, left_out = rescored(folder, first.id)
    assert (left_out, (folder / "asked.txt").read_text()) == (0, "xxxx")
    before, after = rows(first), rows(again)
    assert {key: row.trace and row.trace.output for key, row in before.items()} == {
        key: row.trace and row.trace.output for key, row in after.items()
    }
    assert {key: row.scores["right"].value for key, row in after.items()} == {
        ("a", 0): 0.0, ("a", 1): 0.0, ("b", 0): 1.0, ("b", 1): 1.0,
    }  # fmt: skip
    head = again.summary.header
    assert (head.purpose, head.of, head.task) == ("rescore", first.id, first.summary.header.task)
    assert head.components == first.summary.header.components
    assert after["a", 0].trace.latency_s == before["a", 0].trace.latency_s  # type: ignore[union-attr]


def test_a_baseline_goes_on_under_the_new_ruler(tmp_path: Path) -> None:
    from gatewatch.config.gates import gate_suite

    folder = write(tmp_path, suite(scorers='["right"]', head=PROJECT), evals_py=EVALS)
    pin(opened(folder), one(folder).id)
    (folder / "evals.py").write_text(EVALS.replace("output ==", "output.strip() =="))
    assert gate_suite(opened(folder), "main").verdict.verdict == "NOT_COMPARABLE"
    again, _ = rescored(folder, "baseline", suite="main")
    pin(opened(folder), again.id)
    found = gate_suite(opened(folder), "main").verdict
    assert (found.verdict, found.identical) == ("PASS", True)


def test_cases_that_changed_are_left_out(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(scorers='["right"]', head=PROJECT), evals_py=EVALS)
    first = one(folder)
    cases = (folder / "cases.jsonl").read_text()
    (folder / "cases.jsonl").write_text(cases.replace("ONE", "Eins"))
    again, left_out = rescored(folder, first.id, label="anew")
    assert (left_out, list(rows(again))) == (1, [("b", 0)])
    (folder / "cases.jsonl").write_text('{"id": "z", "input": "z", "expected": "Z"}\n')
    assert problems(lambda: rescored(folder, first.id)) == [
        f"{first.id}: has no case of cases.jsonl as it is now (make a new run)"
    ]


def test_where_there_is_nothing_to_score(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    assert problems(lambda: rescored(folder, "baseline")) == ["baseline: whose? (name the suite with --suite)"]
    (said,) = problems(lambda: rescored(folder, "baseline", suite="main"))
    assert "no such baseline" in said
    pin(opened(folder), one(folder).id)
    for journal in (folder / ".gatewatch" / "runs").iterdir():
        journal.unlink()
    (said,) = problems(lambda: rescored(folder, "baseline", suite="main"))
    assert "the journal of the baseline's run is not on this machine" in said


def test_a_task_that_was_dear_is_not_paid_for_again(tmp_path: Path) -> None:
    app = "from gatewatch import note\n\ndef answer(question):\n    note(cost=0.4)\n    return question\n"
    folder = write(tmp_path, suite('budget = "1.00 USD"'), app_py=app)
    first = one(folder)
    write(folder, suite('budget = "0.01 USD"'), app_py=app)
    again, _ = rescored(folder, first.id)
    assert again.summary.state == "complete"
    assert again.summary.task_cost.amount == 0.8
