"""Agreement between reviewers, and with the judge."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.review import Item, Label, Queue
from gatewatch.loop.agreement import JUDGE, PEOPLE, agreement
from gatewatch.stats.agreement import cohen_kappa, krippendorff_alpha
from gatewatch.stats.intervals import wilson


def item(number: int, judged: float | None = None, pi: float | None = None, session: str = "") -> Item:
    queue: Queue = "failures" if pi is None else "calibration"
    return Item(id=number, queue=queue, flow="f", trace=f"t{number}", pi=pi, judged=judged, session=session, added=0.0)


def said(number: int, by: str, value: float | None, **more: object) -> Label:
    return Label(item=number, by=by, at=1.0, value=value, **more)  # type: ignore[arg-type]


def test_two_reviewers() -> None:
    random = Random(1)
    items = [item(n) for n in range(60)]
    one = [random.random() < 0.7 for _ in items]
    other = [value if random.random() < 0.85 else not value for value in one]
    labels = [said(n, "ana", float(value)) for n, value in enumerate(one)]
    labels += [said(n, "bo", float(value)) for n, value in enumerate(other)]
    found = agreement(items, labels)
    agreed = sum(a == b for a, b in zip(one, other, strict=True))
    assert (found.items, found.several, found.agreed, found.reviewers) == (60, 60, agreed, ("ana", "bo"))
    (pair,) = found.pairs
    kappa = cohen_kappa(one, other)
    assert pair.kappa is not None and kappa.interval is not None
    assert (pair.kappa.value, pair.kappa.low, pair.kappa.high) == (kappa.value, kappa.interval.low, kappa.interval.high)
    ends = wilson(agreed, 60)
    assert (pair.share.value, pair.share.low, pair.share.high) == pytest.approx((agreed / 60, ends.low, ends.high))
    assert sum(pair.table) == 60 and pair.table[0] + pair.table[3] == agreed
    assert found.alpha is not None
    assert found.alpha.value == krippendorff_alpha([[a, b] for a, b in zip(one, other, strict=True)])
    assert found.alpha.low < found.alpha.value < found.alpha.high
    assert len(found.disagreements) == 60 - agreed


def test_gaps_are_no_matter_and_skipped_items_are_gaps() -> None:
    items = [item(n) for n in range(4)]
    labels = [said(0, "ana", 1.0), said(0, "bo", 0.0), said(1, "bo", 1.0), said(1, "cy", 1.0), said(2, "cy", 0.0)]
    labels += [said(3, "ana", None, skipped=True), said(3, "bo", 1.0)]
    found = agreement(items, labels)
    assert (found.items, found.several, found.agreed) == (4, 2, 1)
    assert [(pair.one, pair.other, pair.n) for pair in found.pairs] == [("ana", "bo", 1), ("bo", "cy", 1)]


def test_of_who_settled_it_the_first_word_counts() -> None:
    labels = [said(0, "ana", 1.0), said(0, "bo", 1.0, settles=True, first=0.0), said(0, "cy", 1.0, settles=True)]
    found = agreement([item(0)], labels)
    assert (found.several, found.agreed, found.reviewers) == (1, 0, ("ana", "bo"))
    assert found.disagreements[0].said == (("ana", 1.0), ("bo", 0.0))


def test_with_the_judge_what_was_drawn_stands_for_traffic_and_what_was_mined_does_not() -> None:
    items = [item(0, 1.0, 0.1), item(1, 0.0, 0.5), item(2, 1.0), item(3, None)]
    labels = [said(0, "ana", 1.0), said(1, "ana", 1.0), said(2, "ana", 0.0), said(3, "ana", 0.0)]
    found = agreement(items, labels)
    drawn, mined = found.judged
    assert (drawn.other, drawn.drawn, drawn.n, drawn.agreed) == (JUDGE, True, 2, 1)
    assert drawn.share.value == pytest.approx(10 / 12)  # of twelve requests that these two stand for, ten
    assert (mined.drawn, mined.n, mined.agreed) == (False, 1, 0)
    assert {each.item.id for each in found.disagreements} == {1, 2}


def test_of_several_reviewers_what_they_say_together_is_held_against_the_judge() -> None:
    labels = [said(0, "ana", 1.0), said(0, "bo", 0.0), said(0, "cy", 0.0)]
    found = agreement([item(0, 0.0)], labels)
    assert [(pair.one, pair.agreed) for pair in found.judged] == [("ana", 0), ("bo", 1), ("cy", 1), (PEOPLE, 1)]


def test_sessions_are_not_taken_for_many_independent_items() -> None:
    def width(sessions: int) -> float:
        items = [item(n, session=f"s{n % sessions}") for n in range(40)]
        labels = [said(n, "ana", float((n % 10) < 5)) for n in range(40)]
        labels += [said(n, "bo", float((n % 10) < 7)) for n in range(40)]
        (pair,) = agreement(items, labels).pairs
        assert pair.kappa is not None
        return pair.kappa.high - pair.kappa.low

    assert width(10) > 1.2 * width(40)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("abc"), st.floats(0, 1), st.booleans()),
        unique_by=lambda row: row[:2],
        max_size=18,
    )
)
def test_figures_lie_within_their_intervals(rows: list[tuple[int, str, float, bool]]) -> None:
    items = [item(n, judged=n / 5, pi=0.1 + n / 10 if n % 2 else None) for n in range(6)]
    found = agreement(items, [said(n, by, None if skip else v, skipped=skip) for n, by, v, skip in rows])
    figures = [found.share, found.alpha]
    for pair in (*found.pairs, *found.judged):
        figures += [pair.share, pair.kappa]
        assert sum(pair.table) == pair.n >= pair.agreed
    for figure in figures:
        if figure is not None:
            assert -1 <= figure.low <= figure.value + 1e-9
            assert figure.value - 1e-9 <= figure.high <= 1


def test_where_one_item_has_all_that_differs_nothing_is_known_of_alpha() -> None:
    labels = [said(n, by, float(n == 30 and by == "bo")) for n in range(31) for by in ("ana", "bo")]
    alpha = agreement([item(n) for n in range(31)], labels).alpha
    assert alpha is not None
    assert (alpha.low, alpha.high) == (-1.0, 1.0)
