import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest

from gatewatch.core.errors import GateFailed, NoVerdict
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace
from gatewatch.offline.gated import Gated, GateUndecided, compared
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.rule import Rule
from offline.making import header, write_journal
from offline.pairs import FAILED, LOST, Values, baseline, decided, numbered, side, with_last


def gated(before: Mapping[str, Values], after: Mapping[str, Values], **rule: object) -> Gated:
    sides = baseline(before), side(after)
    return Gated(decided(*sides, **rule), *sides)  # type: ignore[arg-type]


class TestCheck:
    def test_a_pass_says_nothing(self) -> None:
        gated(numbered(200), numbered(200)).check()

    def test_a_regression_is_an_assertion_that_failed_and_names_the_rows(self) -> None:
        found = gated(numbered(40), with_last(numbered(40), 4, 0.0))
        with pytest.raises(GateFailed) as caught:
            found.check()
        assert isinstance(caught.value, AssertionError)
        assert caught.value.exit_code == 1
        text = str(caught.value)
        assert text == f"REGRESSED\n\n{found}"
        assert "exact: the mean fell by 10.0 pp (4 down, 0 up; p = 0.031)" in text
        assert all(case in text for case in ("c036", "c037", "c038", "c039"))

    def test_undecided_warns_and_is_never_called_a_pass(self) -> None:
        found = gated(numbered(10), numbered(10))
        with pytest.warns(GateUndecided) as caught:
            found.check()
        (warning,) = caught
        assert str(warning.message).startswith("UNDECIDED\n\n")
        assert "exact: a fall of 5 pp cannot be ruled out" in str(warning.message)
        assert warning.filename == __file__, "it points at who checked"

    @pytest.mark.parametrize(
        ("after", "rule", "word"),
        [
            (numbered(10), {"undecided": "fail"}, "UNDECIDED"),
            ({**numbered(9), "c009": LOST}, {}, "UNDECIDED"),
            (numbered(3, start=20), {"primary": ("other",)}, "NOT_COMPARABLE"),
        ],
    )
    def test_where_there_is_no_verdict(self, after: dict[str, Values], rule: dict[str, object], word: str) -> None:
        found = gated(numbered(10), after, **rule)
        with pytest.raises(NoVerdict) as caught, warnings.catch_warnings():
            found.check()
        assert str(caught.value).startswith(f"{word}\n\n")
        assert caught.value.exit_code == 3


class TestText:
    def journal(self, folder: Path, name: str, answers: Mapping[str, str]) -> Outcomes:
        rows = [
            Row(
                case=case,
                hash="h",
                expected="14 days",
                trace=Trace(input=f"How long, {case}?", output=answer),
                scores={"exact": Score(float(answer == "14 days"), explanation=f"said {answer}")},
            )
            for case, answer in answers.items()
        ]
        return read_run(write_journal(folder / f"{name}.jsonl", header(["exact"], cases=len(rows), run=name), rows))

    def test_it_shows_what_was_asked_expected_and_answered(self, tmp_path: Path) -> None:
        good = {f"c{n}": "14 days" for n in range(12)}
        before = self.journal(tmp_path, "one", good)
        after = self.journal(tmp_path, "two", good | {f"c{n}": "30 days" for n in range(8)})
        found = compared(before, after)
        assert found.verdict.verdict == "REGRESSED"
        text = str(found)
        assert repr(found) == text
        assert "How long, c0?" in text
        assert "14 days" in text
        assert "30" in text
        texts = found.texts(5)
        assert list(texts) == ["c0", "c1", "c2", "c3", "c4"]
        assert (texts["c0"].before, texts["c0"].after, texts["c0"].expected) == ("14 days", "30 days", "14 days")

    def test_the_outputs_of_a_pinned_run_are_in_its_journal(self, tmp_path: Path) -> None:
        from gatewatch.offline.baseline import make_baseline, read_baseline, write_baseline

        run = self.journal(tmp_path, "one", {"a": "14 days", "b": "14 days"})
        write_baseline(tmp_path / "b.jsonl", *make_baseline(run))
        before = read_baseline(tmp_path / "b.jsonl")
        after = self.journal(tmp_path, "two", {"a": "30 days", "b": "14 days"})
        assert compared(before, after, journal=tmp_path / "one.jsonl").texts(1)["a"].before == "14 days"
        assert compared(before, after, journal=tmp_path / "gone.jsonl").texts(1)["a"].before is None
        assert compared(before, after).texts(1)["a"].after == "30 days"

    def test_no_rows_no_texts(self) -> None:
        found = gated(numbered(3), numbered(3))
        assert found.texts(5) == {}
        assert found.places == {}


class TestCompared:
    def test_stored_runs_are_not_run_again(self) -> None:
        found = compared(baseline(numbered(40), history=10), side(with_last(numbered(40), 2, 0.0)))
        (flips,) = (layer for layer in found.verdict.layers if layer.name == "flips")
        assert (flips.on, flips.said) == (False, "stored runs are compared")

    def test_the_rule_may_be_given(self) -> None:
        assert compared(baseline(numbered(40)), side(numbered(40)), rule=Rule(max_drop=0.2)).verdict.verdict == "PASS"

    def test_two_runs_of_nothing_but_errors_are_no_pass(self, tmp_path: Path) -> None:
        rows = [
            Row(
                case=case,
                hash="h",
                trace=Trace(error=Fault("connection refused")),
                scores={"exact": Score(0.0, status="task_error")},
            )
            for case in numbered(200)
        ]
        one, two = (
            read_run(write_journal(tmp_path / f"{name}.jsonl", header(["exact"], cases=200, run=name), rows))
            for name in ("one", "two")
        )
        assert one.all_failed
        found = compared(one, two).verdict
        assert (found.verdict, found.reasons) == (
            "NOT_COMPARABLE",
            ("the candidate's run has nothing but errors to show",),
        )

    def test_a_run_that_was_cut_off_is_no_pass(self, tmp_path: Path) -> None:
        good = [
            Row(case=case, hash="h", trace=Trace(output=case), scores={"exact": Score(1.0)}) for case in numbered(400)
        ]
        head = header(["exact"], cases=400)
        one = read_run(write_journal(tmp_path / "one.jsonl", head, good))
        most = read_run(write_journal(tmp_path / "two.jsonl", head, good[:340]))
        assert not most.complete
        found = compared(one, most).verdict
        assert (found.verdict, found.reasons) == (
            "NOT_COMPARABLE",
            ("the candidate's run is partial: 340 of 400 rows are done",),
        )
        assert compared(most, one).verdict.reasons == ("the baseline's run is not complete",)


def test_an_application_that_crashes_on_most_fails() -> None:
    verdict = compared(baseline(numbered(40)), side({**numbered(40, FAILED), "c000": 1.0})).verdict
    assert (verdict.verdict, verdict.scorers["exact"].losses) == ("REGRESSED", 39)
