"""Making a calibration: which labels meet which verdicts, which run is meant, what is refused before it is paid for."""

from pathlib import Path
from typing import Any

import pytest

from config.building import labelled, model, nothing_asked, one, opened, problems, suite, write
from gatewatch.config.calibrate import calibrate_scorer
from gatewatch.config.calibrations import Kept
from gatewatch.offline.result import Prepared, RunResult, execute

COUNT = 100
CASES = "".join(f'{{"id": "c{n}", "input": "{n}", "expected": "yes"}}\n' for n in range(COUNT))
EVALS = "from gatewatch import scorer\n\n@scorer\ndef says_yes(output: str) -> bool:\n    return output == 'yes'\n"
RULE = suite("trials = 2", scorers='["says_yes"]', head='[project]\nscorers = "evals.py"\n')
APP = """
asked = {}

def answer(question):
    asked[question] = asked.get(question, 0) + 1
    return "yes" if (int(question) % 2 == 0) == (asked[question] == 1) else "no"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write(tmp_path, RULE, app_py=APP, evals_py=EVALS, cases_jsonl=CASES)


def test_a_label_meets_the_verdict_on_its_own_trial(project: Path) -> None:
    run = one(project)
    # The first answer to even questions is yes, the second to odd ones.
    labels = [
        {"case": f"c{n}", "trial": trial, "value": (n % 2 == 0) == (trial == 0)} for n in range(40) for trial in (0, 1)
    ]
    labels += [{"case": "c0", "trial": 7, "value": True}, {"case": "gone", "value": True}]
    kept = calibrate_scorer(opened(project), "says_yes", labelled(project, *labels), make=nothing_asked)
    found = kept.found
    assert (found.word, found.labels, found.agreed, kept.elsewhere) == ("USABLE", 80, 80, 2)
    assert (found.population, found.rate, kept.judged) == (2 * COUNT, 0.5, run.id)
    assert 35 < found.effective < 45  # two trials of a case that agree are not two labels


def test_of_a_person_who_spoke_twice_the_later_word_counts(project: Path) -> None:
    one(project)
    labels = [{"case": "c0", "value": value, "by": "ana"} for value in (False, True)]
    labels += [{"case": "c2", "value": True}, {"case": "c2", "value": "fail"}, {"case": "c4", "value": "pass"}]
    found = calibrate_scorer(opened(project), "says_yes", labelled(project, *labels), make=nothing_asked).found
    assert (found.labels, found.agreed, found.split) == (3, 2, 1)


def test_every_bad_value_is_told_with_its_line(project: Path) -> None:
    one(project)
    path = labelled(project, {"case": "c0", "value": 2}, {"case": "c1", "value": True}, {"case": "gone", "value": -1})
    assert problems(lambda: calibrate_scorer(opened(project), "says_yes", path, make=nothing_asked), project) == [
        "DIR/labels.jsonl:1: value: must be in 0..1, got 2",
        "DIR/labels.jsonl:3: value: must be in 0..1, got -1",
    ]
    path = labelled(project, {"case": "c0", "value": True, "source": "mined"})
    assert problems(lambda: calibrate_scorer(opened(project), "says_yes", path, make=nothing_asked), project) == [
        "DIR/labels.jsonl: has no label for 'says_yes' that can be used "
        "(those that were mined count only where their pi is recorded)"
    ]


def test_a_run_by_another_ruler_is_scored_anew(project: Path) -> None:
    run = one(project)
    (project / "evals.py").write_text(EVALS.replace("output ==", "output.strip() =="))
    made: list[Prepared] = []

    def make(ready: Prepared) -> RunResult:
        made.append(ready)
        return execute(ready)

    labels = labelled(project, *({"case": f"c{n}", "value": n % 2 == 0} for n in range(60)))
    kept = calibrate_scorer(opened(project), "says_yes", labels, make=make)
    assert (kept.found.agreed, kept.found.population) == (60, 60)
    assert [(each.header.purpose, each.header.of) for each in made] == [("calibrate", run.id)]
    whole = calibrate_scorer(opened(project), "says_yes", labels, run=run.id, everything=True, make=make)
    assert (whole.found.agreed, whole.found.population) == (60, COUNT)


def test_recorded_verdicts_are_read_on_the_rubrics_scale(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), good_md='---\nscale = "1-5"\n---\nIs it good?\n')
    (folder / "verdicts.jsonl").write_text('{"case": "a", "value": 5}\n{"case": "b", "value": 2}\n')
    (folder / "gatewatch.toml").write_text(model("judge", "http://127.0.0.1:9") + suite())
    labels = labelled(folder, {"case": "a", "value": 4}, {"case": "b", "value": 1})

    def calibrated() -> Kept:
        where = folder / "verdicts.jsonl"
        return calibrate_scorer(
            opened(folder), str(folder / "good.md"), labels, verdicts=where, pass_at=0.75, make=nothing_asked
        )

    found = calibrated().found
    assert (found.agreed, found.confusion) == (2, {"good": {"good": 1}, "bad": {"bad": 1}})
    (folder / "verdicts.jsonl").write_text('{"case": "a", "value": 6}\n')
    assert problems(calibrated, folder) == ["DIR/verdicts.jsonl:1: value: must be a whole number in 1..5"]


JUDGED = suite(scorers='["good"]', head='[scorers.good]\nrubric = "good.md"\nvotes = 3\n')


@pytest.mark.parametrize(
    ("scale", "lines", "said"),
    [
        (
            "pairwise",
            [{"case": f"c{n}", "value": "pass"} for n in range(240)],
            'DIR/labels.jsonl: 240 lines, first 1: value: must be "win", "loss" or "tie", got \'pass\'',
        ),
        (
            "1-5",
            [{"case": "c0", "value": 4}, {"case": "c1", "value": 2}],
            "DIR/labels.jsonl: people give grades, so that it has to be said from which on one is a pass: "
            "give pass_at (--pass-at)",
        ),
    ],
)
def test_labels_that_cannot_be_used_are_refused_before_anything_is_paid_for(
    tmp_path: Path, scale: str, lines: list[dict[str, Any]], said: str
) -> None:
    rubric = f'---\nscale = "{scale}"\n---\nIs it good?\n'
    folder = write(tmp_path, model("judge", "http://127.0.0.1:9") + JUDGED, good_md=rubric, cases_jsonl=CASES)
    path = labelled(folder, *lines)
    assert problems(lambda: calibrate_scorer(opened(folder), "good", path, make=nothing_asked), folder) == [said]


def test_a_rubric_is_not_taken_for_the_scorer_of_that_name(tmp_path: Path) -> None:
    rubric = '---\nscale = "binary"\n---\nIs it good?\n'
    folder = write(tmp_path, model("judge", "http://127.0.0.1:9") + JUDGED, good_md=rubric, cases_jsonl=CASES)
    path = labelled(folder, {"case": "c0", "value": True})
    where = str(folder / "good.md")
    assert problems(lambda: calibrate_scorer(opened(folder), where, path, make=nothing_asked), folder) == [
        "DIR/good.md: the project's scorer 'good' is configured otherwise (votes), and has the same name "
        "(calibrate that one: gatewatch calibrate good)"
    ]


def test_the_pass_mark_is_that_of_the_suites_where_they_agree(tmp_path: Path) -> None:
    evals = "from gatewatch import scorer\n\n@scorer\ndef share(output: str) -> float:\n    return int(output) / 100\n"
    first = suite("pass_at = { share = 0.75 }", scorers='["share"]', head='[project]\nscorers = "evals.py"\n')
    app = "def answer(question):\n    return question\n"
    folder = write(tmp_path, first, app_py=app, evals_py=evals, cases_jsonl=CASES)
    one(folder)
    path = labelled(folder, *({"case": f"c{n}", "value": n >= 70} for n in range(COUNT)))
    kept = calibrate_scorer(opened(folder), "share", path, make=nothing_asked)
    assert (kept.pass_at, kept.marked_by, kept.found.agreed) == (0.75, ("main",), 95)
    kept = calibrate_scorer(opened(folder), "share", path, pass_at=0.5, make=nothing_asked)
    assert (kept.pass_at, kept.marked_by) == (0.5, ())
    more = '[suites.more]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["share"]\n'
    (folder / "gatewatch.toml").write_text(first + more)
    kept = calibrate_scorer(opened(folder), "share", path, make=nothing_asked)
    assert (kept.pass_at, kept.marked_by, kept.found.auc is None) == (None, (), False)
