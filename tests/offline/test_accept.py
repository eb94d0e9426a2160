from datetime import date
from pathlib import Path

import pytest

from gatewatch.offline.accept import Entry, Exceptions, read_exceptions, write_entry
from gatewatch.offline.verdict import Accepted, RowDiff
from offline.making import problems
from offline.pairs import LOST, Retries, baseline, decided, numbered, side, with_last

GOOD = numbered(200)
TODAY = date(2026, 6, 1)
CASE = """\
[[accepted]]
case = "refund-7"
reason = "the policy changed"
until = 2026-06-30
owner = "mia"
"""


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "accepted.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(folder: Path, text: str, suite: str = "support") -> Exceptions:
    return read_exceptions(written(folder, text), suite, today=TODAY)


def entry(**fields: object) -> Entry:
    return Entry(**{"reason": "on purpose", "owner": "mia", "until": date(2026, 6, 30), **fields})  # type: ignore[arg-type]


def accepting(*entries: Entry) -> Exceptions:
    return Exceptions([(f"accepted.toml:{n}", each) for n, each in enumerate(entries, start=1)], today=TODAY)


class TestReading:
    def test_no_file_and_an_empty_one(self, tmp_path: Path) -> None:
        assert read_exceptions(tmp_path / "accepted.toml", "support").entries == ()
        assert read(tmp_path, "").entries == ()

    def test_what_is_accepted_and_where_it_stands(self, tmp_path: Path) -> None:
        text = f'# a list\n\n\n{CASE}\n\n  [[ accepted ]]\nscorer = "kind"\n{"".join(CASE.splitlines(True)[2:])}'
        found = read(tmp_path, text)
        assert [where for where, _ in found.entries] == ["accepted.toml:4", "accepted.toml:11"]
        assert [each.what for _, each in found.entries] == ["case refund-7", "scorer kind"]
        assert found.under("exact") == {"refund-7"}
        assert found.of_scorer("kind") is not None
        assert found.of_scorer("exact") is None

    def test_a_date_may_stand_in_quotation_marks_and_the_file_have_a_mark_and_windows_line_ends(
        self, tmp_path: Path
    ) -> None:
        text = CASE.replace("2026-06-30", '"2026-06-30"').replace("\n", "\r\n")
        found = read_exceptions(written(tmp_path, b"\xef\xbb\xbf" + text.encode()), "support", today=TODAY)
        assert [each.until for _, each in found.entries] == [date(2026, 6, 30)]

    def test_exceptions_of_another_suite_are_not_ours(self, tmp_path: Path) -> None:
        text = CASE + 'suite = "search"\n'
        assert read(tmp_path, text).entries == ()
        assert len(read(tmp_path, text, "search").entries) == 1
        expired = text.replace("2026-06-30", "2020-01-01")
        assert read(tmp_path, expired).expired_reasons() == []

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[[accepted]\n", "accepted.toml: not TOML: "),
            (CASE.replace('"mia"', "mia"), "accepted.toml: not TOML: Invalid value (at line 5, "),
            (CASE + CASE.splitlines()[1], "accepted.toml: not TOML: Cannot overwrite a value"),
            ("accept = 1\n", 'accepted.toml: accept: unknown field (did you mean "accepted"?)'),
            (CASE.replace("owner", "onwer"), 'accepted.toml: accepted[0].onwer: unknown field (did you mean "owner"?)'),
            (CASE.replace('reason = "the policy changed"\n', ""), "accepted.toml: accepted[0].reason: missing"),
            (
                CASE.replace("the policy changed", " "),
                "accepted.toml:1: reason: is empty (say who accepts it, and why)",
            ),
            (CASE.replace("mia", ""), "accepted.toml:1: owner: is empty (say who accepts it, and why)"),
            (
                "\n" + CASE.replace('case = "refund-7"\n', ""),
                'accepted.toml:2: names neither a case nor a scorer (write case = "..." or scorer = "...")',
            ),
            (CASE.replace("2026-06-30", "5"), "accepted.toml: accepted[0].until: expected date, got a whole number"),
            (CASE.replace("2026-06-30", '"soon"'), "accepted.toml: accepted[0].until: invalid RFC3339 encoded date"),
            (
                'accepted = [{case = "a", reason = "r", until = 2026-06-30, owner = "mia"}]',
                "accepted.toml: write each exception as a table of its own ([[accepted]] on a line by itself)",
            ),
        ],
    )
    def test_what_is_wrong_is_told(self, tmp_path: Path, text: str, said: str) -> None:
        found = problems(lambda: read(tmp_path, text))
        assert [each[: len(said)] for each in found if each.startswith(said)] == [said], found

    def test_all_that_is_wrong_is_told_at_once(self, tmp_path: Path) -> None:
        text = CASE.replace("mia", "") + CASE.replace("the policy changed", "").replace('case = "refund-7"\n', "")
        assert problems(lambda: read(tmp_path, text)) == [
            "accepted.toml:1: owner: is empty (say who accepts it, and why)",
            'accepted.toml:6: names neither a case nor a scorer (write case = "..." or scorer = "...")',
            "accepted.toml:6: reason: is empty (say who accepts it, and why)",
        ]

    def test_a_file_that_is_no_text(self, tmp_path: Path) -> None:
        path = written(tmp_path, CASE.encode() + b"# \xff\n")
        said = f"accepted.toml: not UTF-8 at byte {len(CASE) + 2} (save it as UTF-8)"
        assert problems(lambda: read_exceptions(path, "support")) == [said]

    def test_a_suites_file_is_judged_whole_whosever_the_mistake_is(self, tmp_path: Path) -> None:
        text = CASE + CASE.replace("mia", "") + 'suite = "search"\n'
        assert problems(lambda: read(tmp_path, text)) == [
            "accepted.toml:6: owner: is empty (say who accepts it, and why)"
        ]


class TestWriting:
    def test_an_entry_is_put_at_the_end(self, tmp_path: Path) -> None:
        path = tmp_path / "accepted.toml"
        hard = entry(case='a "b" \\ \n\x7f\u00e9', scorer="kind", reason="r \ud800", suite="support")
        write_entry(path, entry(case="refund-7"))
        first = path.read_text()
        write_entry(path, hard)
        assert path.read_text().startswith(first)
        found = read_exceptions(path, "support", today=TODAY)
        assert [each for _, each in found.entries] == [
            entry(case="refund-7"),
            entry(case='a "b" \\ \n\x7f\u00e9', scorer="kind", reason="r ?", suite="support"),
        ]
        lines = path.read_text().splitlines()
        places = [int(where.split(":")[1]) for where, _ in found.entries]
        assert [lines[place - 1] for place in places] == ["[[accepted]]"] * 2

    def test_what_people_wrote_is_left_as_it_is(self, tmp_path: Path) -> None:
        path = written(tmp_path, "# ours\n" + CASE.rstrip("\n"))
        write_entry(path, entry(scorer="kind"))
        assert path.read_text().startswith("# ours\n" + CASE)
        assert len(read_exceptions(path, "support", today=TODAY).entries) == 2

    def test_line_ends_are_left_as_they_are(self, tmp_path: Path) -> None:
        path = written(tmp_path, CASE.replace("\n", "\r\n"))
        write_entry(path, entry(scorer="kind"))
        assert path.read_bytes().startswith(CASE.replace("\n", "\r\n").encode())

    def test_nothing_is_added_below_a_merge_conflict(self, tmp_path: Path) -> None:
        text = f"<<<<<<< mine\n{CASE}=======\n>>>>>>> theirs\n"
        path = written(tmp_path, text)
        assert problems(lambda: write_entry(path, entry(case="a"))) == [
            f"{path}: a merge conflict is not resolved (settle it first)"
        ]
        assert path.read_text() == text

    def test_where_it_cannot_be_written(self, tmp_path: Path) -> None:
        folder = tmp_path / "none" / "accepted.toml"
        assert problems(lambda: write_entry(folder, entry(case="a"))) == [
            f"{folder}: cannot be written: No such file or directory"
        ]
        path = written(tmp_path, b"# \xff")
        write_entry(path, entry(case="a"))
        assert path.read_bytes().startswith(b"# \xff\n\n[[accepted]]\n"), "it is not for this to judge the rest"


class TestWhatHolds:
    def test_until_its_last_day(self) -> None:
        today = entry(case="a", until=TODAY)
        assert accepting(today).under("exact") == {"a"}
        assert accepting(today).expired_reasons() == []
        gone = accepting(entry(case="a", until=date(2026, 5, 31)))
        assert gone.under("exact") == frozenset()
        assert gone.reason("a", "exact") == ""
        assert gone.expired_reasons() == [
            "accepted.toml:1: the exception for case a expired on 2026-05-31 (mia): renew it with a reason, or take it "
            "out"
        ]

    def test_a_case_a_scorer_or_a_case_under_a_scorer(self) -> None:
        found = accepting(entry(case="a"), entry(scorer="kind"), entry(case="b", scorer="brief"))
        assert found.under("exact") == {"a"}
        assert found.under("brief") == {"a", "b"}
        assert [found.of_scorer(name) is not None for name in ("kind", "brief")] == [True, False]
        said = "on purpose (until 2026-06-30, mia)"
        assert [found.reason(*each) for each in (("a", "x"), ("x", "kind"), ("b", "brief"), ("b", "x"))] == [
            *[said] * 3,
            "",
        ]
        assert [each.what for _, each in found.entries][2] == "case b under brief"

    def test_the_last_entry_for_one_and_the_same_thing_holds(self) -> None:
        old, new = entry(case="a", until=date(2026, 1, 1)), entry(case="a", reason="looked at again")
        found = accepting(old, new, entry(case="a", scorer="kind", until=date(2026, 1, 1)))
        assert [where for where, _ in found.entries] == ["accepted.toml:2", "accepted.toml:3"]
        assert found.reason("a", "exact") == "looked at again (until 2026-06-30, mia)"
        assert len(found.expired_reasons()) == 1, "the case under one scorer is another thing"
        assert len(accepting(new, old).expired_reasons()) == 1

    def test_what_an_exception_is_good_for(self) -> None:
        rows = [
            RowDiff(id="a", scorer="exact", effect="loss"),
            RowDiff(id="b", scorer="exact", effect="win"),
            RowDiff(id="c", scorer="exact", effect="tie", why="A"),
        ]
        found = accepting(entry(case="a"), entry(case="b"), entry(case="c", until=date(2026, 1, 1)), entry(scorer="x"))
        assert [each.state for each in found.used(rows)] == ["holds", "idle", "expired", "idle"]
        assert found.used(rows)[0] == Accepted(
            where="accepted.toml:1", what="case a", reason="on purpose", until="2026-06-30", owner="mia"
        )


class TestGate:
    FELL = with_last(GOOD, 6, 0.0)

    def test_a_case_is_listed_and_does_not_count(self) -> None:
        exceptions = accepting(entry(case="c199"))
        after = side(with_last(GOOD, 1, 0.0), must_pass=["c199"])
        assert decided(baseline(GOOD), after).verdict == "REGRESSED"
        verdict = decided(baseline(GOOD), after, exceptions=exceptions)
        assert (verdict.verdict, verdict.scorers["exact"].n) == ("PASS", 199)
        assert [each.accepted for each in verdict.rows] == ["on purpose (until 2026-06-30, mia)"]
        assert [each.state for each in verdict.accepted] == ["holds"]
        idle = decided(baseline(GOOD), side(GOOD), exceptions=exceptions)
        assert [each.state for each in idle.accepted] == ["idle"]

    def test_a_case_under_one_scorer(self) -> None:
        before = baseline(GOOD, more={"kind": GOOD})
        after = side(with_last(GOOD, 1, 0.0), more={"kind": with_last(GOOD, 1, 0.0)}, must_pass=["c199"])
        verdict = decided(before, after, exceptions=accepting(entry(case="c199", scorer="kind")))
        assert verdict.reasons == ("must-pass case c199 failed each time, and cannot be tried again (exact)",)
        assert {name: each.n for name, each in verdict.scorers.items()} == {"exact": 200, "kind": 199}

    def test_a_scorer(self) -> None:
        before = baseline(GOOD, more={"kind": GOOD})
        after = side(GOOD, more={"kind": self.FELL}, must_pass=["c199"])
        verdict = decided(before, after, exceptions=accepting(entry(scorer="kind")))
        assert (verdict.verdict, verdict.scorers["kind"].gating) == ("PASS", False)
        assert {each.accepted for each in verdict.rows} == {"on purpose (until 2026-06-30, mia)"}
        every = decided(baseline(GOOD), side(GOOD), exceptions=accepting(entry(scorer="exact")))
        assert every.verdict == "UNDECIDED"
        assert every.reasons == ("no scorer gates: there is none, or every one is excepted",)

    def test_what_is_accepted_is_not_tried_again(self) -> None:
        after = side(with_last(numbered(40), 2, 0.0), must_pass=["c039"])
        again = Retries()
        exceptions = accepting(entry(case="c038"), entry(case="c039"))
        decided(baseline(numbered(40), history=10), after, again=again, exceptions=exceptions)
        assert again.asked == []

    def test_one_that_has_expired_fails_whatever_else_there_is(self) -> None:
        exceptions = accepting(entry(case="c199", until=date(2026, 5, 31)))
        verdict = decided(baseline(GOOD), side(GOOD), exceptions=exceptions)
        assert (verdict.verdict, verdict.reasons) == ("REGRESSED", tuple(exceptions.expired_reasons()))
        assert verdict.accepted[0].state == "expired"

    def test_what_is_accepted_is_not_lost(self) -> None:
        after = side(with_last(GOOD, 11, LOST))
        exceptions = accepting(*(entry(case=f"c{number}") for number in range(189, 200)))
        assert decided(baseline(GOOD), after, exceptions=exceptions).scorers["exact"].errors == 0

    def test_what_is_accepted_is_under_no_floor(self) -> None:
        before = baseline(GOOD, more={"kind": GOOD})
        after = side(GOOD, more={"kind": numbered(200, 0.0)})
        exceptions = accepting(entry(scorer="kind"))
        assert decided(before, after, exceptions=exceptions, floors={"kind": 0.5}).verdict == "PASS"


class TestRenewing:
    def test_the_last_entry_for_one_thing_holds(self) -> None:
        old, new = entry(case="c000", until=date(2026, 5, 1)), entry(case="c000", until=date(2026, 7, 1))
        renewed = accepting(old, new)
        assert renewed.expired_reasons() == []
        assert renewed.under("exact") == {"c000"}
        assert [where for where, _ in renewed.entries] == ["accepted.toml:2"]
        assert accepting(new, old).expired_reasons(), "whatever it says"

    def test_an_entry_for_less_or_more_is_another(self) -> None:
        old, new = entry(case="c000", until=date(2026, 5, 1)), entry(case="c000", scorer="exact")
        assert len(accepting(old, new).expired_reasons()) == 1
