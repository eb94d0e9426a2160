from pathlib import Path
from typing import Any

import pytest

from gatewatch.core import codec
from gatewatch.core.errors import InputError
from gatewatch.core.score import Score
from gatewatch.core.trace import Span
from gatewatch.offline.case_pair import PAYLOAD, CasePair, case_pair
from gatewatch.offline.gated import compared
from gatewatch.offline.joined import Joined
from gatewatch.offline.outcomes import read_run
from offline.joining import a_row, a_run, joined


def pair_of(folder: Path, before: dict[str, Any], after: dict[str, Any]) -> CasePair:
    one = a_run(folder, "one", [a_row("one", "a", **before)])
    two = a_run(folder, "two", [a_row("two", "a", **after)])
    return case_pair(Joined(compared(read_run(one), read_run(two))), "a")


def test_both_sides_whole_with_what_differs(tmp_path: Path) -> None:
    pair = case_pair(joined(tmp_path), "fell")
    assert pair.baseline is not None and pair.candidate is not None and pair.output is not None
    assert pair.input is not None and pair.input.text == "question of fell"
    assert pair.output.parts == [("same", "within thirty "), ("del", "days"), ("ins", "weeks")]
    assert (pair.baseline.run, pair.candidate.run, pair.candidate.latency_s) == ("one", "two", 3.0)
    assert pair.row.id == "fell" and len(pair.candidate.trace) == 32


def test_what_both_scorers_said_stands_side_by_side_in_one_order(tmp_path: Path) -> None:
    said = {"exact": Score(0.0, explanation="no"), "helpful": Score(0.2, explanation="rude", split=True)}
    pair = pair_of(tmp_path, {}, said)
    assert [each.scorer for each in pair.scores] == ["exact", "helpful"]
    assert [each.split for each in pair.scores] == [False, True]
    assert [each.after.explanation for each in pair.scores if each.after is not None] == ["no", "rude"]
    assert pair.scores[1].pass_at == 0.75


def test_json_is_compared_key_by_key(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, {"output": {"a": 1, "b": [1, 2]}}, {"output": {"b": [1, 3], "a": 1}})
    assert pair.output_json is not None
    assert [(line.kind, line.path) for line in pair.output_json.lines if line.kind == "change"] == [
        ("change", "$.b[1]")
    ]


def test_calls_of_tools_are_aligned(tmp_path: Path) -> None:
    before = Span(name="search", kind="tool", input={"q": "refund"}), Span(name="send", kind="tool", input={})
    after = Span(name="search", kind="tool", input={"q": "return"}), Span(name="close", kind="tool", input={})
    pair = pair_of(tmp_path, {"tools": before}, {"tools": after})
    assert [(call.kind, call.name) for call in pair.calls] == [("change", "search"), ("del", "send"), ("ins", "close")]


def test_a_case_of_one_side_has_no_diff(tmp_path: Path) -> None:
    pair = case_pair(joined(tmp_path), "new")
    assert pair.baseline is None and pair.output is None and pair.candidate is not None


def test_an_error_is_told_as_one(tmp_path: Path) -> None:
    pair = case_pair(joined(tmp_path), "broke")
    assert pair.candidate is not None
    assert (pair.candidate.output, pair.candidate.error, pair.candidate.error_kind) == (
        None,
        "the app crashed",
        "error",
    )


def test_a_long_text_is_cut_and_says_so_unless_all_of_it_is_wanted(tmp_path: Path) -> None:
    found = joined(tmp_path / "few")
    one = a_run(tmp_path, "one", [a_row("one", "a", "x" * 4_000_000)])
    two = a_run(tmp_path, "two", [a_row("two", "a", "x" * 3_999_999 + "y")])
    found = Joined(compared(read_run(one), read_run(two)))
    cut, whole = case_pair(found, "a"), case_pair(found, "a", whole=True)
    assert cut.candidate is not None and cut.candidate.output is not None and cut.candidate.output.cut
    assert (len(cut.candidate.output.text), cut.candidate.output.length) == (PAYLOAD, 4_000_000)
    assert whole.candidate is not None and whole.candidate.output is not None and not whole.candidate.output.cut
    assert cut.output is not None and cut.output.notes and len(codec.encode(cut)) < 300_000


def test_other_trials(tmp_path: Path) -> None:
    before = [a_row("one", "a", f"before {trial}", trial=trial) for trial in range(2)]
    after = [a_row("two", "a", f"after {trial}", trial=trial) for trial in range(3)]
    one, two = a_run(tmp_path, "one", before, trials=2), a_run(tmp_path, "two", after, trials=3)
    pair = case_pair(Joined(compared(read_run(one), read_run(two))), "a", trial=2)
    assert pair.baseline is not None and pair.candidate is not None
    assert (pair.baseline.trial, pair.candidate.trial, pair.candidate.trials) == (1, 2, 3)
    assert pair.candidate.output is not None and pair.candidate.output.text == "after 2"


def test_there_is_no_such_case(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no case 'zzz'"):
        case_pair(joined(tmp_path), "zzz")


def test_a_journal_that_went_away_leaves_the_scores(tmp_path: Path) -> None:
    found = joined(tmp_path)
    (tmp_path / "one.jsonl").unlink()
    pair = case_pair(found, "fell")
    assert pair.baseline is not None and pair.baseline.output is None and pair.output is None
    assert pair.row.scores["exact"].delta == -1.0
