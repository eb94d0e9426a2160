"""Calibrations of a project: which labels meet which verdicts, what is kept, when it is void, what follows of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from config.building import labelled, model, nothing_asked, one, opened, problems, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.calibrate import calibrate_scorer
from gatewatch.config.calibrations import (
    Kept,
    better_kept,
    calibration_path,
    on_human_scale,
    read_calibration,
    require_calibrated,
    standing,
    unreliable,
    write_calibration,
)
from gatewatch.core.errors import NoVerdict
from gatewatch.core.run import ScorerRef
from gatewatch.offline.result import RunResult
from gatewatch.scorers.calibrate import calibrate
from gatewatch.scorers.labels import Label

COUNT = 100
CASES = "".join(f'{{"id": "c{n}", "input": "{n}", "expected": "yes"}}\n' for n in range(COUNT))


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


def test_a_calibration_that_says_more_of_the_same_ruler_is_better(tmp_path: Path) -> None:
    kept = a_calibration(models={"": "judge-1"})
    few = replace(kept, found=calibrate([Label(id=str(n), people=(n < 5,), verdict=n < 5) for n in range(10)]))
    assert better_kept(tmp_path, few) is None  # there is none
    write_calibration(tmp_path, kept)
    assert better_kept(tmp_path, few) == kept
    assert better_kept(tmp_path, kept) is None
    for otherwise in ({"pass_at": 0.5}, {"good": "a"}, {"fingerprint": "f2"}, {"models": {"": "judge-2"}}):
        assert better_kept(tmp_path, replace(few, **otherwise)) is None
    lost = [Label(id=str(n), people=(True,), verdict=None) for n in range(900)]
    wide = replace(kept, found=calibrate([*lost, Label(id="x", people=(False,), verdict=True)]))
    assert better_kept(tmp_path, wide) == kept  # what is missing says nothing
    write_calibration(tmp_path, few)
    assert better_kept(tmp_path, kept) is None


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


def test_a_run_says_which_of_its_judges_no_calibration_bears_out(judged: tuple[Path, RunResult]) -> None:
    folder, run = judged
    assert unreliable(folder, run.summary) == {
        "good": "not held against people's labels yet (gatewatch calibrate good --labels FILE)"
    }
    ref = run.summary.header.scorers["good"]
    write_calibration(folder, replace(a_calibration("NOT USABLE"), scorer="good", fingerprint=ref.fingerprint))
    told = unreliable(folder, run.summary)["good"]
    assert told.startswith("its calibration says NOT USABLE: J is 0.04 ")
    assert told.endswith("calibrations/good.json)")
    write_calibration(folder, replace(a_calibration(), scorer="good", fingerprint="another"))
    assert "its calibration is void: " in unreliable(folder, run.summary)["good"]
    write_calibration(folder, replace(a_calibration(), scorer="good", fingerprint=ref.fingerprint))
    assert unreliable(folder, run.summary) == {}
    (folder / "calibrations" / "good.json").write_text("{")
    assert "is no calibration" in unreliable(folder, run.summary)["good"]


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
