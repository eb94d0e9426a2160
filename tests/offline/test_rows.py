from datetime import date
from typing import Any

import pytest

from gatewatch.core.run import ScorerRef
from gatewatch.offline.accept import Entry, Exceptions
from gatewatch.offline.compare import Comparison
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.rows import moved_rows
from gatewatch.offline.verdict import RowDiff
from offline.pairs import LOST, SKIPPED, Values, baseline, numbered, side


def rows(before: Outcomes, after: Outcomes, *more: Outcomes, **about: Any) -> list[RowDiff]:
    """The rows that moved, where what `more` has was tried again."""
    for each in more:
        after.try_again(each)
    comparison = Comparison(before, after)
    return moved_rows(comparison, {name: comparison.pairs(name) for name in comparison.scorers}, **about)


def ids(found: list[RowDiff]) -> list[str]:
    return [row.id for row in found]


def test_one_row_for_each_case_and_scorer_that_moved() -> None:
    before = baseline({"a": 1.0, "b": 0.0, "c": 1.0, "d": 1.0, "e": LOST, "f": 1.0}, more={"kind": {"a": 0.25}})
    given: dict[str, Values] = {"a": 0.0, "b": 1.0, "c": 1.0, "d": SKIPPED, "e": 1.0, "new": 0.0}
    after = side(given, more={"kind": {"a": 0.5}}, slices={"a": "refund"}, must_pass=["b"])
    assert rows(before, after) == [
        RowDiff(id="a", scorer="exact", effect="loss", before=1.0, after=0.0, crossed="broke", slice="refund"),
        RowDiff(id="b", scorer="exact", effect="win", before=0.0, after=1.0, crossed="fixed", must_pass=True),
        RowDiff(id="a", scorer="kind", effect="win", before=0.25, after=0.5, slice="refund"),
    ]


def test_only_scorers_that_measure_the_same_are_told() -> None:
    before = baseline({"a": 1.0}, more={"kind": {"a": 1.0}})
    after = side({"a": 1.0}, more={"kind": {"a": 0.0}}, refs={"kind": ScorerRef("other")})
    assert rows(before, after) == []


@pytest.mark.parametrize(
    ("before", "after", "pass_at", "crossed"),
    [
        (1.0, 0.0, None, "broke"),
        (0.5, 0.75, None, ""),
        (0.75, 0.5, 0.75, "broke"),
        (0.74, 0.75, 0.75, "fixed"),
        (1.0, 0.75, 0.75, ""),
        ([1.0, 1.0, 0.0], [1.0, 0.0, 0.0], None, "broke"),
        ([1.0, 1.0, 1.0], [1.0, 1.0, 0.0], None, ""),
    ],
)
def test_a_crossing_is_of_the_pass_mark(before: Values, after: Values, pass_at: float | None, crossed: str) -> None:
    (row,) = rows(baseline({"a": before}), side({"a": after}, pass_at=pass_at))
    assert row.crossed == crossed


class TestTriedAgain:
    @pytest.mark.parametrize(
        ("more", "confirmed", "flaky", "outcomes"),
        [
            ([], None, False, ()),
            ([0.0], False, False, (0.0, 0.0)),
            ([0.0, 0.0], True, False, (0.0, 0.0, 0.0)),
            ([1.0], False, True, (0.0, 1.0)),
            ([0.0, 1.0], False, True, (0.0, 0.0, 1.0)),
        ],
    )
    def test_what_came_of_it(
        self, more: list[float], confirmed: bool | None, flaky: bool, outcomes: tuple[float, ...]
    ) -> None:
        (row,) = rows(baseline({"a": 1.0}), side({"a": 0.0}), *(side({"a": value}) for value in more))
        assert (row.confirmed, row.flaky, row.outcomes) == (confirmed, flaky, outcomes)

    def test_a_case_that_used_to_both_pass_and_fail_is_flaky(self) -> None:
        (row,) = rows(baseline({"a": 1.0}, history={"a": [0.0, 1.0, 1.0]}), side({"a": 0.0}))
        assert row.flaky
        (trial,) = rows(baseline({"a": [1.0, 0.0]}), side({"a": 0.0}))
        assert trial.flaky

    def test_where_nothing_changed_every_crossing_is(self) -> None:
        same = {"prompt": "v1"}
        found = rows(baseline({"a": 1.0, "b": 0.0}, components=same), side({"a": 0.0, "b": 1.0}, components=same))
        assert [row.flaky for row in found] == [True, True]
        down = rows(baseline({"a": 1.0}, components=same), side({"a": [0.0, 0.0, 0.0]}, components=same))
        assert [(row.confirmed, row.flaky) for row in down] == [(True, False)], "that is no flake"
        graded = rows(baseline({"a": 0.5}, components=same), side({"a": 0.4}, components=same))
        assert [row.flaky for row in graded] == [False], "a graded value that crosses nothing is only another value"


class TestWhatBlocks:
    def test_rows_that_block_come_first_and_say_why(self) -> None:
        before, after = baseline(numbered(4)), side({**numbered(4, 0.0), "c003": 1.0})
        found = rows(before, after, why={("c002", "exact"): "B", ("c003", "exact"): "A"})
        assert [(row.id, row.effect, row.why) for row in found] == [
            ("c003", "tie", "A"),
            ("c002", "loss", "B"),
            ("c000", "loss", ""),
            ("c001", "loss", ""),
        ]

    def test_a_row_that_did_not_move_but_blocks(self) -> None:
        before = baseline({"stood": 0.0, "altered": 1.0, "x": 1.0})
        after = side(
            {"stood": 0.0, "altered": 0.0, "new": 0.0, "x": 1.0},
            hashes={"altered": "other"},
            slices={"new": "refund"},
            must_pass=["stood", "altered", "new"],
        )
        why = {(case, "exact"): "A" for case in ("stood", "altered", "new")}
        again = [side({"stood": 0.0, "new": 0.0}) for _ in range(2)]
        found = {row.id: row for row in rows(before, after, *again, why=why)}
        must: dict[str, Any] = {"scorer": "exact", "must_pass": True, "why": "A"}
        three: dict[str, Any] = {**must, "confirmed": True, "outcomes": (0.0, 0.0, 0.0)}
        assert found == {
            "stood": RowDiff(id="stood", effect="tie", before=0.0, after=0.0, **three),
            "new": RowDiff(id="new", effect="new", after=0.0, slice="refund", **three),
            "altered": RowDiff(id="altered", effect="new", after=0.0, **must),
        }

    def test_what_is_accepted_says_so(self) -> None:
        entry = Entry(case="c000", reason="fine", owner="mia", until=date(2026, 6, 30))
        exceptions = Exceptions([("accepted.toml:1", entry)], today=date(2026, 6, 1))
        found = rows(baseline(numbered(2)), side(numbered(2, 0.0)), exceptions=exceptions)
        assert [(row.id, row.accepted) for row in found] == [("c001", ""), ("c000", "fine (until 2026-06-30, mia)")]


def test_the_gravest_come_first() -> None:
    before = baseline(
        {"big": 1.0, "small": 1.0, "must": 1.0, "flaky": 1.0, "rose": 0.0, "slightly": 0.5, "same": 1.0, "also": 1.0},
        history={"flaky": [1.0, 0.0, 1.0]},
    )
    after = side(
        {"big": 0.0, "small": 0.9, "must": 0.8, "flaky": 0.0, "rose": 1.0, "slightly": 0.6, "same": 1.0, "also": 0.0},
        pass_at=0.75,
        must_pass=["must"],
    )
    assert ids(rows(before, after)) == ["must", "also", "big", "small", "flaky", "rose", "slightly"]
    confirmed = rows(before, after, *(side({"big": 0.0}) for _ in range(2)))
    assert ids(confirmed)[:3] == ["big", "must", "also"]
