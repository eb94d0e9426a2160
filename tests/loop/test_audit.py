"""An audit as a whole: what is not there is said, and clean datasets are silent."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.loop.amend import amend
from gatewatch.loop.audit import audit
from gatewatch.loop.finding import CHECKS
from gatewatch.loop.leaks import Source
from gatewatch.offline.dataset import open_dataset
from gatewatch.scorers.library import make
from loop.auditing import ALONE, dataset, found, live, outcomes
from shared import known_answers, rows

_WORDS = [f"{first}{middle}{last}" for first in "bdfgklmnprst" for middle in ("ala", "eno", "iru") for last in "kmnrsx"]


def test_what_is_not_there_is_said_not_to_be_checked() -> None:
    result = audit(dataset("one question"), ALONE)
    assert set(result.unchecked) == {
        "must_pass_flaky", "flaky", "saturated", "suspect", "unlabelled", "leaked", "stale", "missing_slice",
    }  # fmt: skip
    assert set(result.counts) | set(result.unchecked) == set(CHECKS)
    assert not set(result.counts) & set(result.unchecked)


def test_the_worst_comes_first_and_each_is_counted() -> None:
    of = dataset(
        {"input": "How long is a jacket mine?", "expected": "45 days"},
        {"input": "How long is a jacket mine", "expected": "45 days"},
        {"input": "How long is a  jacket mine?", "expected": "14 days"},
        "Something else entirely",
    )
    result = audit(of, ALONE)
    assert [each.check for each in result.findings] == ["contradictory", "duplicate"]
    assert result.counts["duplicate"].cases == 1
    assert result.counts["duplicate"].share == 0.25
    assert [each.check for each in result.only(["duplicate"]).findings] == ["duplicate"]


def test_no_finding_is_without_a_number() -> None:
    of = dataset(
        "How long is a jacket mine?", "how long is a jacket mine", {"input": "x", "open": {"until": "2026-11-01"}}
    )
    for each in audit(of, ALONE).findings:
        assert each.figures, each


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_distinct_cases_far_from_each_other_are_silent(data: st.DataObject) -> None:
    words = data.draw(st.permutations(_WORDS))
    number = data.draw(st.integers(2, len(words) // 6))
    cases = [
        {
            "input": " ".join(words[place * 6 : place * 6 + 5]),
            "expected": words[place * 6 + 5],
            "must_pass": data.draw(st.booleans()),
            "slice": data.draw(st.sampled_from(["", "one", "other"])),
        }
        for place in range(number)
    ]
    of = dataset(*cases)
    some = {case.id: {"exact": [1.0] * data.draw(st.integers(1, 9))} for case in of}
    beside = replace(
        ALONE,
        baseline=outcomes(of, some, baseline=True),
        versions=[outcomes(of, some)],
        scorers=[make("exact", {})],
        sources=[Source("prompt.txt", "Answer the question as well as you can, and keep to what you were told.")],
        live=live(*[str(case.input) for case in of] * 200),
    )
    result = audit(of, beside)
    assert result.findings == ()
    assert set(result.unchecked) <= {"missing_slice", "saturated"}


def test_a_case_that_is_retired_is_left_alone() -> None:
    case = {"input": "x y", "retired": "over", "open": {"until": "2026-11-01"}}
    of = dataset(case, {**case, "input": "x  y "})
    beside = replace(ALONE, baseline=outcomes(of, {"c1": {"exact": [1.0, 0.0]}}, baseline=True))
    assert found(of, beside) == {}
    assert audit(of, beside).retired == 2


def test_of_a_case_that_is_to_be_retired_nothing_else_is_changed() -> None:
    of = dataset("How long is a jacket mine?", "How long is a jacket mine")
    always = {case.id: {"exact": [1.0] * 10} for case in of}
    result = audit(of, replace(ALONE, baseline=outcomes(of, always, baseline=True)))
    edits = result.proposed
    assert edits["c1"].tier == "nightly"
    assert edits["c2"].retired
    assert edits["c2"].tier is None


def test_planted_duplicates_among_real_queries(tmp_path: Path) -> None:
    """halueval_general: 3,090 different queries. Each tenth is planted again in another spelling, each tenth again as
    a near copy: what is found, and what else."""
    known = known_answers("halueval_general")
    queries = [(str(number), row["query"]) for number, row in enumerate(rows("halueval_general", "general.jsonl.gz"))]
    assert len(queries) == known["n"]
    own = found(dataset(*({"id": id_, "input": text} for id_, text in queries)))
    exact = [{"id": f"exact-{id_}", "input": f"  {text.upper()} "} for id_, text in queries[::10]]
    near = [{"id": f"near-{id_}", "input": f"{text} Please"} for id_, text in queries[5::10] if len(text) > 90]
    result = found(dataset(*({"id": id_, "input": text} for id_, text in queries), *exact, *near))
    gone = {pair[0] for pair in result.get("duplicate", [])}
    assert {each["id"] for each in exact} <= gone
    near_gone = {pair[0] for pair in result["near_duplicate"]} | gone
    caught = sum(each["id"] in near_gone for each in near)
    assert caught / len(near) >= 0.95, f"{caught} of {len(near)}"
    others = [*own.get("duplicate", []), *own.get("near_duplicate", [])]
    assert len(others) / len(queries) <= 0.02, others


def test_flaky_agent_tasks_are_those_that_are_known() -> None:
    """agent_trials_tau: 41 tasks, four trials each, of which 23 neither always pass nor always fail."""
    known = known_answers("agent_trials_tau")
    values: dict[str, list[float]] = {}
    for row in rows("agent_trials_tau", "trials.jsonl.gz"):
        values.setdefault(str(row["task_id"]), []).append(float(row["reward"]))
    of = dataset(*({"id": task, "input": f"task number {task}"} for task in values))
    beside = replace(
        ALONE, baseline=outcomes(of, {task: {"reward": some} for task, some in values.items()}, baseline=True)
    )
    assert len(values) == known["tasks"]
    assert len(found(of, beside)["flaky"]) == known["flaky tasks (neither 0/4 nor 4/4)"]


@pytest.mark.parametrize("end", ["\n", ""])
def test_applied_twice_it_changes_nothing_more(tmp_path: Path, end: str) -> None:
    path = tmp_path / "d.jsonl"
    lines = [
        '{"id": "a",  "input": "How long is a jacket mine?"}',
        '{"id":"b","input":"How long is a jacket mine","x":1}'.replace(',"x":1', ""),
        '{"id": "c", "input": "How long is a jacket  mine?", "meta": {"é": "\\u00e9"}}',
        '{"id": "d", "input": "Where is my order?"}',
    ]
    path.write_text("\n".join(lines) + end)
    assert amend(path, audit(open_dataset(path), ALONE).proposed) == 2
    once = path.read_bytes()
    assert once.decode().split("\n")[0] == lines[0]
    assert once.decode().split("\n")[3] == lines[3]
    again = audit(open_dataset(path), ALONE)
    assert again.findings == ()
    assert again.retired == 2
    assert amend(path, again.proposed) == 0
    assert path.read_bytes() == once
