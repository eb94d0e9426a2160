"""Bars of days: stacked from the bottom, on one round scale, with the budget's line where it fits."""

from gatewatch.config.costs import Spend
from gatewatch.web.pages.stacked import DAY_S, stacked

SINCE = 20_000 * DAY_S


def spend(day: int, cost: float, kind: str = "judge", saved: float = 0.0) -> Spend:
    return Spend(day=SINCE + day * DAY_S, kind=kind, cost=cost, saved=saved, calls=1)  # type: ignore[arg-type]


def test_pieces_lie_on_each_other() -> None:
    found = stacked([spend(1, 1.0), spend(1, 2.0, "app"), spend(1, 0.0, saved=0.5)], SINCE, SINCE + 3 * DAY_S, None)
    assert (found.top, len(found.bars), found.width) == (4.0, 3, 30.0)
    assert [(each.kind, each.y, each.height) for each in found.bars[1].pieces] == [
        ("judge", 75.0, 25.0),
        ("app", 25.0, 50.0),
        ("saved", 12.5, 12.5),
    ]
    assert found.bars[0].pieces == ()
    assert found.days == ("04 Oct", "05 Oct", "06 Oct")


def test_the_budget_is_a_line_unless_it_lies_far_above() -> None:
    spends = [spend(0, 1.0)]
    near, far = (stacked(spends, SINCE, SINCE + DAY_S, limit) for limit in (2.0, 50.0))
    assert (near.budget, near.top, near.limit) == (0.0, 2.0, 2.0)
    assert (far.budget, far.top, far.limit) == (None, 1.0, 50.0)


def test_nothing_was_spent() -> None:
    found = stacked([], SINCE, SINCE + DAY_S, None)
    assert (found.top, found.bars[0].pieces) == (1.0, ())
