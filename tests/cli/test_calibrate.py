import json
from pathlib import Path
from typing import Any

import pytest

from cli.building import JUDGE, run
from gatewatch.checks.provider import FakeProvider, Reply

CONFIG = (
    JUDGE
    + """
[scorers.good]
rubric = "good.md"

[suites.main]
dataset = "cases.jsonl"
task = "replay:outputs.jsonl"
scorers = ["valid_json"]

[suites.judged]
dataset = "cases.jsonl"
task = "replay:outputs.jsonl"
scorers = ["good"]
gate = {{ require_calibrated = true }}
"""
)
COUNT = 80


def judged(request: dict[str, Any]) -> str:
    """Passes what says yes."""
    verdict = "pass" if "\nyes\n" in request["messages"][1]["content"] else "fail"
    return json.dumps({"explanation": "because", "verdict": verdict})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.md").write_text('---\nscale = "binary"\n---\nIs it good?\n')
    cases = [{"id": f"c{n}", "input": f"question {n}"} for n in range(COUNT)]
    outputs = [{"id": f"c{n}", "output": "yes" if n % 2 else "no"} for n in range(COUNT)]
    labels = [{"case": f"c{n}", "value": bool(n % 2) != (n % 20 == 0), "by": "ana"} for n in range(COUNT)]
    for name, lines in (("cases", cases), ("outputs", outputs), ("labels", labels)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_stored_outputs_are_judged_and_held_against_labels(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider(judged) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        assert run(capsys, "run", "main")[0] == 0
        code, out, err = run(capsys, "calibrate", "good", "--labels", "labels.jsonl", "--plain")
        assert code == 0, err
        assert out.startswith("good: USABLE\n  J is 0.91 ")
        assert "agreement     0.950" in out
        assert "kept in calibrations/good.json" in out
        assert provider.accepted == COUNT
        kept = json.loads((project / "calibrations" / "good.json").read_text())
        assert (kept["kind"], kept["version"], kept["found"]["word"]) == ("gatewatch.calibration", 1, "USABLE")
        assert kept["models"] == {"": "judge-1"}

        code, out, _ = run(capsys, "calibrate", "good.md", "--labels", "labels.jsonl", "--json")
        assert (code, json.loads(out)["found"]["agreed"]) == (0, 76)
        assert provider.accepted == COUNT  # from the reply cache


def test_a_calibration_that_says_less_is_not_kept_unless_told(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    few = (project / "labels.jsonl").read_text().splitlines(keepends=True)[:20]
    (project / "few.jsonl").write_text("".join(few))

    def kept() -> str:
        return str(json.loads((project / "calibrations" / "good.json").read_text())["found"]["word"])

    with FakeProvider(judged) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        assert run(capsys, "run", "judged")[0] == 0
        assert run(capsys, "calibrate", "good", "--labels", "labels.jsonl")[0] == 0
        code, out, err = run(capsys, "calibrate", "good", "--labels", "few.jsonl")
        assert (code, kept()) == (3, "USABLE")
        assert "kept in" not in out
        assert err == (
            "! not kept: calibrations/good.json says USABLE, on 80 labelled outputs, by the same ruler "
            "(--replace keeps this one in its place)\n"
        )
        assert run(capsys, "calibrate", "good", "--labels", "few.jsonl", "--replace")[0] == 3
        assert kept() == "TOO FEW LABELS"
        assert run(capsys, "calibrate", "good", "--labels", "labels.jsonl")[0] == 0
        assert kept() == "USABLE"


def test_every_figure_says_of_how_many(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in (project / "labels.jsonl").read_text().splitlines()]
    lines += [{"case": f"c{n}", "value": n % 2 == 0, "by": "ben"} for n in (1, 3)]
    (project / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with FakeProvider(judged) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        assert run(capsys, "run", "judged")[0] == 0
        _, out, _ = run(capsys, "calibrate", "good", "--labels", "labels.jsonl", "--suspects", "1")
    assert "80 labelled outputs (labels.jsonl)" in out
    assert "   74 of 78\n" in out
    assert out.partition("labels to look at again ")[2].splitlines()[:7] == [
        "(6):",
        "  people are split (2, 1 shown (--suspects 2 for all))",
        "    c1: people say good, bad; the verdict is good",
        "      because",
        "  the verdict and people part (4, 1 shown (--suspects 4 for all))",
        "    c0: people say good; the verdict is bad",
        "      because",
    ]


def test_a_judge_that_cannot_be_asked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider(lambda _: Reply(status=404, body=b'{"error": {"message": "no such model"}}')) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        assert run(capsys, "run", "main")[0] == 0
        code, out, err = run(capsys, "calibrate", "good", "--labels", "labels.jsonl", "--plain")
    assert (code, out) == (4, "")
    assert "error: good failed on 80 of 80 labelled outputs: " in err
    assert "no such model" in err
    assert not (project / "calibrations").exists()


def test_a_judges_rate_is_also_told_as_people_would(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider(judged) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        assert run(capsys, "run", "judged")[0] == 0
        _, out, _ = run(capsys, "show")
        assert "as people would say" not in out
        assert "! good: not held against people's labels yet (gatewatch calibrate good --labels FILE)\n" in out
        assert run(capsys, "calibrate", "good", "--labels", "labels.jsonl")[0] == 0
        _, out, _ = run(capsys, "show", "--json")
        labelled = json.loads(out)["scorers"]["good"]["calibrated"]
        assert labelled["mean"] == pytest.approx(0.55)  # of the run that was labelled, the labels' own rate
        _, out, _ = run(capsys, "run", "judged")
    assert "good: as people would say 0.5" in out


def test_a_gate_may_demand_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider(judged) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        assert run(capsys, "run", "judged")[0] == 0
        assert run(capsys, "baseline", "pin", "latest")[0] == 0
        code, _, err = run(capsys, "gate", "judged")
        assert code == 3
        assert "good: there is no calibration (`gatewatch calibrate good --labels FILE`)" in err
        assert run(capsys, "calibrate", "good", "--labels", "labels.jsonl")[0] == 0
        assert run(capsys, "gate", "judged")[0] == 0
        (project / "good.md").write_text('---\nscale = "binary"\n---\nIs it very good?\n')
        code, _, err = run(capsys, "gate", "judged")
        assert code == 3
        assert "good: its calibration is void: rubric changed" in err


def test_recorded_verdicts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = [{"case": f"c{n}", "value": None if n == 3 else n % 3 == 0} for n in range(COUNT)]
    (project / "verdicts.jsonl").write_text("".join(json.dumps(line) + "\n" for line in verdicts))
    code, out, _ = run(capsys, "calibrate", "elsewhere", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl")
    assert code == 1
    assert out.startswith("elsewhere: NOT USABLE")
    assert "! 1 verdict missing: unknown, and no loss to either side" in out
    assert not (project / "calibrations").exists()  # of which ruler they are is not known


def test_labels_that_were_chosen_do_not_count_unless_their_probability_is_known(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(line) for line in (project / "labels.jsonl").read_text().splitlines()]
    for line in lines[:40]:
        line["source"] = "thumbs_down"
    lines[0]["pi"] = 0.5
    (project / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (project / "verdicts.jsonl").write_text("".join(f'{{"case": "c{n}", "value": true}}\n' for n in range(COUNT)))
    code, out, _ = run(capsys, "calibrate", "x", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl")
    assert code == 3
    assert "41 labelled outputs (labels.jsonl), verdicts of verdicts.jsonl; 39 lines left out" in out


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("", "labels.jsonl: is empty"),
        ("{", "labels.jsonl:1: not JSON"),
        (
            '{"value": true}',
            "labels.jsonl:1: names neither a case nor a trace",
        ),
        ('{"case": "a"}\n{"case": "b", "valu": 1}', "labels.jsonl:1: value: missing"),
        ('{"case": "b", "valu": 1}', 'unknown field (did you mean "value"?)'),
        ('{"case": "a", "value": true, "pi": 0}', "labels.jsonl:1: pi: expected a number >= 1e-09"),
        ('{"case": "a", "value": true, "pi": 5e-324}', "labels.jsonl:1: pi: expected a number >= 1e-09"),
        ('{"case": "a", "value": 7}', "labels.jsonl:1: value: must be in 0..1, got 7"),
        ('{"case": "a", "value": true, "pi": "\\ud800"}', "labels.jsonl:1: pi: half of a surrogate pair is no text"),
        ('{"case": "nobody", "value": true}', "none of its 1 labels is of what has a verdict"),
    ],
)
def test_bad_labels(project: Path, capsys: pytest.CaptureFixture[str], labels: str, said: str) -> None:
    (project / "labels.jsonl").write_text(labels)
    (project / "verdicts.jsonl").write_text('{"case": "a", "value": true}\n')
    code, out, err = run(capsys, "calibrate", "x", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl")
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_bad_verdicts(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "verdicts.jsonl").write_text('{"case": "a", "value": true}\n{"case": "a", "value": true}\n')
    code, _, err = run(capsys, "calibrate", "x", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl")
    assert code == 2
    assert "verdicts.jsonl:2: the case 'a' is there twice" in err
    (project / "verdicts.jsonl").write_text('{"case": "a", "value": 2}\n{"case": "b", "value": -1}\n')
    code, _, err = run(capsys, "calibrate", "x", "--labels", "labels.jsonl", "--verdicts", "verdicts.jsonl")
    assert code == 2
    assert "verdicts.jsonl:1: value: must be in 0..1, got 2" in err
    assert "verdicts.jsonl:2: value: must be in 0..1, got -1" in err


def test_a_pass_mark_that_is_no_number(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "calibrate", "x", "--labels", "labels.jsonl", "--pass-at", "nan")
    assert code == 2
    assert "nan is not in 0..1" in err


def test_a_later_version_is_refused_by_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider(judged) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        run(capsys, "run", "judged")
        run(capsys, "baseline", "pin", "latest")
        (project / "calibrations").mkdir()
        (project / "calibrations" / "good.json").write_text('{"kind": "gatewatch.calibration", "version": 2}')
        code, _, err = run(capsys, "gate", "judged")
    assert code == 2
    assert "calibrations/good.json: is of version 2, and this Gatewatch reads up to 1 (update Gatewatch)" in err


def test_no_run_has_what_is_labelled(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FakeProvider(judged) as provider:
        (project / "gatewatch.toml").write_text(CONFIG.format(url=provider.base_url))
        code, _, err = run(capsys, "calibrate", "good", "--labels", "labels.jsonl")
    assert code == 2
    assert "no run has one of the 80 labelled cases" in err
