"""What a gate runs, and what it does not: one budget for all of it, and nothing for what cannot be compared."""

import json
from pathlib import Path

import pytest

from config.building import one, opened, problems, suite, write
from config.test_gates import APP, CASES, forget, gated, headers, project
from gatewatch.config.baselines import pin
from gatewatch.config.verdicts import said_of

COSTLY = APP.replace("def answer", "from gatewatch import note\n\ndef answer").replace(
    "    count = ", "    note(cost=0.01)\n    count = "
)


def test_what_is_tried_again_is_paid_from_the_same_budget(tmp_path: Path) -> None:
    folder = project(tmp_path, "concurrency = 1")
    (folder / "app.py").write_text(COSTLY)
    forget(folder, "".join(f"q{n}\n" for n in range(10)))
    found = gated(folder, changes={"budget": "0.25 USD"}).verdict
    assert (found.verdict, found.reruns) == ("REGRESSED", 5)
    assert found.rerun_cost is not None and found.rerun_cost.amount == pytest.approx(0.05)
    assert any(remark.startswith("Trying again ended early (the budget of 0.05 USD") for remark in found.remarks)
    assert any("is used up: nothing was tried again" in remark for remark in found.remarks)
    spent = [head for head in headers(folder) if head.purpose == "flips"]
    assert len(spent) == 1


def test_another_dataset_is_told_before_it_is_paid_for(tmp_path: Path) -> None:
    folder = project(tmp_path)
    count = len(headers(folder))
    (folder / "cases.jsonl").write_text(CASES.replace('"q', '"p'))
    found = gated(folder).verdict
    assert (found.verdict, found.exit_code, len(headers(folder))) == ("NOT_COMPARABLE", 3, count)
    assert found.candidate is None


def test_a_slice_that_is_not_there_is_no_pass(tmp_path: Path) -> None:
    sliced = CASES.replace('"id": "c1"', '"id": "c1", "slice": "rare"')
    folder = write(tmp_path, suite('gate = { slices = ["rar"] }'), app_py=APP, cases_jsonl=sliced)
    pin(opened(folder), one(folder).id)
    found = gated(folder).verdict
    assert (found.verdict, found.exit_code) == ("NOT_COMPARABLE", 3)
    assert found.reasons == ("slices: no case is in 'rar' (did you mean \"rare\"?)",)


def test_a_baseline_of_a_few_cases_does_not_stand_for_all(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), app_py=APP, cases_jsonl=CASES)
    first, few = one(folder, limit=5), one(folder, limit=5)
    (said,) = problems(lambda: pin(opened(folder), first.id))
    assert "is of the first 5 cases alone (--limit)" in said
    found = gated(folder, against=first.id).verdict
    assert (found.verdict, found.exit_code) == ("NOT_COMPARABLE", 3)
    assert gated(folder, run=few.id, against=first.id).verdict.verdict == "PASS"  # the same few are compared
    assert gated(folder, run=few.id, against=first.id).verdict.removed == ()
    (folder / "cases.jsonl").write_text(CASES + '{"id": "new", "input": "new", "expected": "NEW"}\n')
    assert gated(folder, against=first.id).verdict.verdict == "NOT_COMPARABLE", "nor where the dataset has grown since"


def test_early_stop_is_off_where_slices_gate(tmp_path: Path) -> None:
    cases = "".join(
        f'{{"id": "c{n}", "input": "q{n}", "expected": "Q{n}", "slice": "{"rare" if n % 20 == 0 else "usual"}"}}\n'
        for n in range(200)
    )
    more = 'gate = { early_stop = true, slices = ["rare"] }'
    folder = write(tmp_path, suite(more), app_py=APP, cases_jsonl=cases)
    pin(opened(folder), one(folder).id, trials=5)
    forget(folder, "".join(f"q{n}\n" for n in range(0, 200, 20)))
    found = gated(folder).verdict
    assert found.verdict == "REGRESSED"
    assert found.slices["rare"]["exact"].verdict == "REGRESSED"
    assert "early_stop is off: slices gate as well." in found.remarks


def test_a_floor_without_a_value_is_no_pass(tmp_path: Path) -> None:
    head = "[scorers.never]\nuse = 'tool_calls'\n"
    folder = write(
        tmp_path,
        suite('gate = { primary = "exact", min = { never = 0.9 } }', head=head, scorers='["exact", "never"]'),
        app_py=APP,
        cases_jsonl=CASES,
    )
    pin(opened(folder), one(folder).id)
    found = gated(folder).verdict
    assert (found.verdict, found.exit_code) == ("UNDECIDED", 0)
    assert "never: the floor of 0.9 could not be looked at, there is no value" in found.reasons


def test_what_a_gate_said_is_kept_and_a_regressed_run_is_not_pinned_in_passing(tmp_path: Path) -> None:
    folder = project(tmp_path)
    forget(folder, "q3\nq4\n")
    verdict = gated(folder).verdict
    assert verdict.candidate is not None
    run = verdict.candidate.run
    kept = json.loads((folder / ".gatewatch" / "verdicts" / f"{run}.json").read_text())
    assert (kept["kind"], kept["verdict"]) == ("gatewatch.verdict", "REGRESSED")
    assert said_of(opened(folder), run) == "REGRESSED"
    assert problems(lambda: pin(opened(folder), "main")) == [
        f"{run}: was judged REGRESSED by a gate (say with --reason why it is accepted, or name another run)"
    ]
    assert pin(opened(folder), "main", reason="the policy changed").header.reason == "the policy changed"
