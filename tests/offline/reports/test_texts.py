from pathlib import Path
from typing import Any

import pytest

from gatewatch.core import codec
from gatewatch.core.case import Expected
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import pool_earlier
from gatewatch.offline.reports.texts import CAP, RowTexts, texts_of
from offline.making import append_rows, header, write_journal


def made(case: str, output: Any = "an answer", **fields: Any) -> Row:
    usual: dict[str, Any] = {
        "trace": Trace(input=f"q of {case}", output=output),
        "expected": "right",
        "scores": {"exact": Score(1.0, explanation="as expected")},
    }
    return Row(case=case, **{**usual, **fields})


def outcomes(path: Path, *rows: Row, run: str = "demo-1") -> Outcomes:
    return read_run(write_journal(path, header(["exact"], run=run, cases=len(rows)), rows))


def pinned(found: Outcomes, **fields: Any) -> Outcomes:
    """As a baseline is read: what it scored is there, where that lies is not."""
    found.pinned, found.path = "2026-03-01", None
    for outcome in found.cases.values():
        for trial in outcome.trials:
            trial.places = ()
    return found


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Outcomes, Outcomes]:
    before = outcomes(tmp_path / "before.jsonl", made("a"), made("b"), made("c", {"y": 1, "x": [2]}))
    after = outcomes(
        tmp_path / "after.jsonl",
        made("a", "another", scores={"exact": Score(0.0, explanation="it differs")}),
        made("b", None, trace=Trace(input="q of b", error=Fault("it broke", detail="Traceback ..."))),
        made("d"),
    )
    return before, after


class TestOfRuns:
    def test_both_sides(self, sides: tuple[Outcomes, Outcomes]) -> None:
        assert texts_of(["a"], *sides)["a"] == RowTexts(
            input="q of a",
            expected="right",
            before="an answer",
            after="another",
            scores_before={"exact": (1.0, "as expected")},
            scores_after={"exact": (0.0, "it differs")},
        )

    def test_a_failure_is_no_empty_text(self, sides: tuple[Outcomes, Outcomes]) -> None:
        found = texts_of(["b"], *sides)["b"]
        assert (found.before, found.after, found.error_after) == ("an answer", None, "it broke")

    def test_what_is_on_one_side_alone(self, sides: tuple[Outcomes, Outcomes]) -> None:
        found = texts_of(["c", "d", "nowhere"], *sides)
        assert found["c"].before == '{"x":[2],"y":1}'
        assert found["c"].after is None
        assert (found["d"].before, found["d"].after) == (None, "an answer")
        assert found["nowhere"] == RowTexts()

    def test_expected_in_parts(self, tmp_path: Path) -> None:
        both = outcomes(tmp_path / "a.jsonl", made("a", expected=Expected(answer="x")))
        assert texts_of(["a"], both, both)["a"].expected == '{"answer":"x"}'

    def test_long_texts_say_how_long_they_were(self, tmp_path: Path) -> None:
        both = outcomes(tmp_path / "a.jsonl", made("a", "x" * 100_000))
        found = texts_of(["a"], both, both)["a"].after or ""
        assert found.endswith(" … (100,000 characters in all)")
        assert len(found) < CAP + 50

    def test_the_first_trial_speaks_and_pieces_are_put_together(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jsonl"
        write_journal(
            path, header(["exact", "slow"], trials=2), [made("a", "first", awaits=("slow",)), made("a", trial=1)]
        )
        append_rows(path, [Row(case="a", scores={"slow": Score(0.5, explanation="late")})])
        found = texts_of(["a"], read_run(path), read_run(path))["a"]
        assert found.after == "first"
        assert found.scores_after["slow"] == (0.5, "late")


class TestWhatIsNotThere:
    def test_no_file(self, sides: tuple[Outcomes, Outcomes]) -> None:
        before, after = sides
        assert before.path and after.path
        before.path.unlink()
        after.path.write_bytes(b"")
        assert texts_of(["a", "b"], before, after) == {"a": RowTexts(), "b": RowTexts()}

    @pytest.mark.parametrize("damage", [b"{", b"\xff" * 400, b'{"crc":"00000000","row":{}}\n' * 20])
    def test_damaged(self, sides: tuple[Outcomes, Outcomes], damage: bytes) -> None:
        before, after = sides
        assert before.path
        before.path.write_bytes(damage)
        found = texts_of(["a"], before, after)["a"]
        assert (found.before, found.after) == (None, "another")

    def test_a_record_that_is_whole_but_no_row(self, sides: tuple[Outcomes, Outcomes]) -> None:
        before, after = sides
        assert before.path
        place = before.path.stat().st_size
        for payload in (b'{"case":5}', b'{"case":"b"}', b"[" * 5000 + b"]" * 5000):
            with before.path.open("ab") as file:
                file.write(codec.frame("row", payload))
            before.cases["a"].trials[0].places = (place,)
            assert texts_of(["a"], before, after)["a"].before is None
            place = before.path.stat().st_size

    def test_places_in_the_file_of_another_run_are_passed_over(self, tmp_path: Path) -> None:
        one = outcomes(tmp_path / "one.jsonl", made("b" * 90), made("a", "mine"))
        other = outcomes(tmp_path / "other.jsonl", made("a", "not mine"), run="demo-2")
        pool_earlier(one, [other])
        assert texts_of(["a"], one, one)["a"].after == "mine"


class TestOfAPinnedBaseline:
    IDS = ("a", "Zürich", 'the "best"', "a\\", "\ud800", "a b")

    def test_from_the_journal_of_its_run(self, tmp_path: Path) -> None:
        path = tmp_path / "before.jsonl"
        rows = [made(case, f"answer {n}") for n, case in enumerate(self.IDS)]
        # A row with half of a surrogate pair in it is written in ASCII, its id as well.
        rows.append(made("Köln", "\ud800"))
        before = pinned(outcomes(path, *rows, made("other")))
        found = texts_of([*self.IDS, "Köln"], before, outcomes(tmp_path / "after.jsonl", made("a")), journal=path)
        assert [found[case].before for case in self.IDS] == [f"answer {n}" for n in range(len(self.IDS))]
        assert found["Köln"].before == "\ud800"

    def test_the_first_trial_whichever_was_written_first(self, tmp_path: Path) -> None:
        path = tmp_path / "before.jsonl"
        before = pinned(outcomes(path, made("a", "second", trial=1), made("a", "first")))
        assert texts_of(["a"], before, before, journal=path)["a"].before == "first"

    def test_pieces_and_rows_that_are_there_twice(self, tmp_path: Path) -> None:
        path = tmp_path / "before.jsonl"
        before = pinned(outcomes(path, made("a", "first", awaits=("slow",))))
        append_rows(path, [Row(case="a", scores={"slow": Score(0.5)}), made("a", "again")])
        found = texts_of(["a"], before, before, journal=path)["a"]
        assert found.before == "first"
        assert set(found.scores_before) == {"exact", "slow"}

    def test_another_run_or_another_case_of_that_name(self, tmp_path: Path) -> None:
        path = tmp_path / "before.jsonl"
        before = pinned(outcomes(path, made("a")))
        other = pinned(outcomes(tmp_path / "other.jsonl", made("a", hash="changed"), run="demo-2"))
        assert texts_of(["a"], other, before, journal=path)["a"].before is None
        before.cases["a"].hash = "changed"
        assert texts_of(["a"], before, before, journal=path)["a"].before is None

    @pytest.mark.parametrize("content", [None, b"", b"{}", b'{"crc":"'])
    def test_no_journal(self, tmp_path: Path, content: bytes | None) -> None:
        before = pinned(outcomes(tmp_path / "before.jsonl", made("a")))
        journal = tmp_path / "journal.jsonl"
        if content is not None:
            journal.write_bytes(content)
        assert texts_of(["a"], before, before, journal=journal)["a"] == RowTexts()
        assert texts_of(["a"], before, before)["a"] == RowTexts()

    def test_damaged_lines_are_passed_over(self, tmp_path: Path) -> None:
        path = tmp_path / "before.jsonl"
        before = pinned(outcomes(path, made("a"), made("b")))
        lines = path.read_bytes().split(b"\n")
        lines[1] = lines[1].replace(b"an answer", b"a forgery")
        path.write_bytes(b"\n".join(lines))
        found = texts_of(["a", "b"], before, before, journal=path)
        assert (found["a"].before, found["b"].before) == (None, "an answer")
