"""Calibrations of a project: which labels meet which verdicts, what is kept, when it is void, what follows of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from config.building import model, one, opened, problems, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.calibrations import (
    Kept,
    calibrate_scorer,
    calibration_path,
    on_human_scale,
    read_calibration,
    require_calibrated,
    standing,
    write_calibration,
)
from gatewatch.core.errors import NoVerdict
from gatewatch.core.run import ScorerRef
from gatewatch.offline.result import Prepared, RunResult, execute
from gatewatch.scorers.calibrate import calibrate
from gatewatch.scorers.labels import Label

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


def nothing_asked(ready: Prepared) -> RunResult:
    raise AssertionError(f"{ready.header.run} was made")


def labelled(folder: Path, *lines: dict[str, Any]) -> Path:
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


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
    assert [(each.header.purpose, each.header.of) for each in made] == [("rescore", run.id)]
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


# What is kept, and when it is void


def a_calibration(word: str = "USABLE", **more: Any) -> Kept:
    good, bad = (45, 5) if word == "USABLE" else (26, 24)
    labels = [
        Label(id=str(n), people=(n < 50,), verdict=(n % 50 < good) == (n < 50) if n < 50 else n % 50 < bad)
        for n in range(100)
    ]
    found = calibrate(labels)
    assert found.word == word
    return Kept(scorer="helpful", fingerprint="f1", parts={"rubric": "r1", "model": "m"}, found=found, **more)


REF = ScorerRef("f1", "judge", {"rubric": "r1", "model": "m"})


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    kept = a_calibration(models={"": "judge-1"}, judged="run-1")
    path = write_calibration(tmp_path, kept)
    assert read_calibration(tmp_path, "helpful") == kept
    assert [each.name for each in path.parent.iterdir()] == ["helpful.json"]
    assert path.read_text() == json.dumps(json.loads(path.read_text()), indent=2, ensure_ascii=False) + "\n"
    half = replace(kept, scorer="half", judged="run-\ud800")
    write_calibration(tmp_path, half)
    assert read_calibration(tmp_path, "half") == half
    assert read_calibration(tmp_path, "another") is None
    assert calibration_path(tmp_path, "../up").parent == tmp_path / "calibrations"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no calibration: "),
        ("[]", "is no calibration: "),
        ('{"kind": "gatewatch.run", "version": 1}', "is no calibration"),
        ('{"kind": "gatewatch.calibration", "version": 9}', "is of version 9, and this Gatewatch reads up to 1"),
    ],
)
def test_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "calibrations").mkdir()
    (tmp_path / "calibrations" / "helpful.json").write_text(text)
    (told,) = problems(lambda: read_calibration(tmp_path, "helpful"))
    assert f"helpful.json: {said}" in told


def test_standing(tmp_path: Path) -> None:
    assert standing(tmp_path, "helpful", REF)[1] == "there is no calibration"
    write_calibration(tmp_path, a_calibration(models={"": "judge-1"}))
    assert standing(tmp_path, "helpful", REF)[1] == ""
    assert standing(tmp_path, "helpful", REF, ["judge-1"])[1] == ""
    assert standing(tmp_path, "helpful", REF, ["judge-2"])[1] == (
        "its calibration is void: judged by judge-1 then, by judge-2 now"
    )
    changed = ScorerRef("f2", "judge", {"rubric": "r2", "model": "m"})
    assert standing(tmp_path, "helpful", changed)[1] == "its calibration is void: rubric changed"
    write_calibration(tmp_path, a_calibration("NOT USABLE"))
    assert standing(tmp_path, "helpful", REF)[1].startswith("its calibration says NOT USABLE: J is 0.04 ")


def test_a_gate_names_every_judge_that_is_not_calibrated(tmp_path: Path) -> None:
    write_calibration(tmp_path, a_calibration())
    require_calibrated(tmp_path, {"helpful": REF, "exact": ScorerRef("e")}, {})
    with pytest.raises(NoVerdict) as error:
        require_calibrated(tmp_path, {"kind": REF, "helpful": ScorerRef("f2", "judge"), "exact": ScorerRef("e")}, {})
    said = str(error.value)
    assert "kind: there is no calibration (`gatewatch calibrate kind --labels FILE`)" in said
    assert "helpful: its calibration is void: model, rubric changed" in said
    assert "exact" not in said


# What people would say of a run

JUDGED = suite(scorers='["good"]', head='[scorers.good]\nrubric = "good.md"\n')
CRASHING = """
def answer(question):
    if int(question) % 10 >= 7:
        raise RuntimeError("down")
    return "yes" if int(question) % 2 else "no"
"""


def _passes_yes(request: dict[str, Any]) -> str:
    verdict = "pass" if "\nyes\n" in request["messages"][1]["content"] else "fail"
    return json.dumps({"explanation": "because", "verdict": verdict})


@pytest.fixture
def judged(tmp_path: Path) -> Iterator[tuple[Path, RunResult]]:
    with FakeProvider(_passes_yes) as provider:
        toml = model("judge", provider.base_url) + JUDGED
        rubric = '---\nscale = "binary"\n---\nIs it good?\n'
        folder = write(tmp_path, toml, app_py=CRASHING, cases_jsonl=CASES, good_md=rubric)
        yield folder, one(folder)


def test_a_crash_does_not_raise_what_people_would_say(judged: tuple[Path, RunResult]) -> None:
    folder, run = judged
    labels = labelled(folder, *({"case": f"c{n}", "value": n % 2 == 1} for n in range(COUNT)))
    kept = calibrate_scorer(opened(folder), "good", labels, make=nothing_asked)
    assert (kept.found.labels, kept.found.agreed, kept.elsewhere) == (70, 70, 30)
    write_calibration(folder, kept)
    mean = run.summary.scorers["good"].figure.mean
    assert mean == pytest.approx(0.3)  # thirty of a hundred, of which thirty crashed
    assert on_human_scale(folder, run.summary)["good"].value == pytest.approx(0.3)
    # as another run's, by the errors on the labels: there are none
    write_calibration(folder, replace(kept, judged="another"))
    carried = on_human_scale(folder, run.summary)["good"]
    assert carried.value == pytest.approx(0.3)
    assert 0.15 < carried.low < carried.value < carried.high < 0.45


def test_a_choice_has_no_rate_on_peoples_scale(judged: tuple[Path, RunResult]) -> None:
    folder, run = judged
    ref = run.summary.header.scorers["good"]
    kept = replace(a_calibration(judged=run.id), scorer="good", fingerprint=ref.fingerprint)
    write_calibration(folder, replace(kept, good="right"))
    assert on_human_scale(folder, run.summary) == {}
    write_calibration(folder, kept)
    assert list(on_human_scale(folder, run.summary)) == ["good"]
