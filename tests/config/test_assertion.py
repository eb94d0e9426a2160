"""`gatewatch.gate(...)`: an assertion in a test function, with rows in its message."""

from pathlib import Path

import pytest

from config.building import problems
from gatewatch import GateFailed, NoVerdict, gate, run, scorer
from gatewatch.config.baselines import pin
from gatewatch.config.project import Project
from gatewatch.offline.gated import GateUndecided
from gatewatch.offline.result import RunResult, run_paths

CASES = [{"id": f"c{n}", "input": f"q{n}", "expected": f"Q{n}"} for n in range(30)]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@scorer
def right(output: str, expected: str) -> bool:
    return output == expected


def made(*wrong: int, name: str = "bot", trials: int = 1) -> RunResult:
    def answer(question: str) -> str:
        return "wrong" if int(question[1:]) in wrong else question.upper()

    return run(answer, on=CASES, scorers=[right], name=name, trials=trials)


def test_a_pass_is_silent() -> None:
    pin(Project.open(required=False), made(trials=5).id)
    gate(made()).check()


def test_a_regression_raises_with_its_rows_after_trying_them_again(here: Path) -> None:
    pin(Project.open(required=False), made(trials=5).id)
    after = made(3, 7)
    found = gate(after, max_drop=0.05)
    with pytest.raises(GateFailed) as caught:
        found.check()
    assert isinstance(caught.value, AssertionError)
    text = str(caught.value)
    assert text.startswith("REGRESSED\n")
    assert "c3" in text and "c7" in text
    assert found.verdict.reruns == 4
    assert len(run_paths(here / ".gatewatch" / "runs")) == 4


def test_a_run_that_is_named_is_not_run_again() -> None:
    before, after = made(), made(3, 7, 8, 9, 10, 11)
    found = gate(after.id, against=before)
    assert (found.verdict.verdict, found.verdict.reruns) == ("REGRESSED", 0)
    assert gate(after, against=before.id).verdict.verdict == "REGRESSED"


def test_the_baselines_own_run_is_no_candidate() -> None:
    result = made()
    pin(Project.open(required=False), result.id)
    told = [f"{result.id}: is what it would be held against (name another run, or --against)"]
    assert problems(lambda: gate(result.id)) == told
    assert problems(lambda: gate(result, against=result)) == told


def test_only_what_a_baseline_says_of_a_run_is_kept(here: Path) -> None:
    before, after = made(), made(3, 7, 8, 9, 10, 11)
    gate(after, against=before)
    assert not (here / ".gatewatch" / "verdicts").exists()


def test_undecided_warns_or_fails() -> None:
    before, after = made(), made(3, 7)
    with pytest.warns(GateUndecided, match="UNDECIDED"):
        gate(after, against=before).check()
    with pytest.raises(NoVerdict, match="UNDECIDED"):
        gate(after, against=before, undecided="fail").check()


def test_without_a_baseline_there_is_no_verdict() -> None:
    with pytest.raises(NoVerdict, match=r"there is no baseline .*bot\.jsonl"):
        gate(made())
    unnamed = run(lambda question: question, on=CASES, scorers=[right])
    (said,) = problems(lambda: gate(unnamed))
    assert said.endswith('has no name that its baseline could be called by (give the run one: run(..., name="..."))')


def test_what_is_given_wrong_is_told() -> None:
    result = made()
    with pytest.raises(TypeError, match=r"gate\(\) has no argument 'maxdrop' \(did you mean \"max_drop\"\?\)"):
        gate(result, against=result, maxdrop=0.1)
    assert problems(lambda: gate(result, against=result, alpha=0.9)) == ["gate.alpha: expected a number < 0.5"]
    assert problems(lambda: gate(result, against=result, primary="rihgt")) == [
        "gate.primary: 'rihgt' is not a scorer of this suite (did you mean \"right\"?)"
    ]


def test_compare_prints_what_a_gate_would_see() -> None:
    before, after = made(name="before"), made(3, 7, name="after")
    text = str(after.compare(before))
    assert "before" in text and "after" in text and "c3" in text
    assert str(after.compare("before")) == text
    pin(Project.open(required=False), before.id)
    (Path("baselines") / "after.jsonl").write_text((Path("baselines") / "before.jsonl").read_text())
    assert "c7" in str(after.compare("baseline"))
