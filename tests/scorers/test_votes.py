import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Usage
from gatewatch.scorers.scale import Scale, parse_scale
from gatewatch.scorers.votes import UNREADABLE, Vote, agree, decided, escalated, of_both_orders, orders_of

BINARY, GRADED = Scale(), parse_scale("1-5")
LOST = Score(status="scorer_error", explanation="prose", source="judge", cost=Cost(0.01), model="m")


def said(value: float, label: str = "", model: str = "m") -> Score:
    label = label or ("pass" if value else "fail")
    return Score(value, label, f"because {label}", source="judge", cost=Cost(0.01), usage=Usage(10, 2), model=model)


def votes(*scores: Score) -> list[Vote]:
    return [Vote("judge", score) for score in scores]


def test_one_vote_is_the_verdict() -> None:
    assert decided(votes(said(1.0)), BINARY, keyed=False) == said(1.0)
    assert decided([Vote("strong", said(1.0))], BINARY, keyed=True).model == "strong=m"


def test_the_majority_decides_and_everything_paid_is_counted() -> None:
    score = decided(votes(said(1.0), said(0.0), said(1.0)), BINARY, keyed=False)
    assert (score.value, score.label, score.status) == (1.0, "pass", "scored")
    assert score.explanation == "[judge: pass, judge: fail, judge: pass] because pass"
    assert (score.cost, score.usage, score.model) == (Cost(0.03), Usage(30, 6), "m")


def test_a_split_is_unknown_and_no_coin_is_tossed() -> None:
    score = decided(votes(said(1.0), said(0.0)), BINARY, keyed=False)
    assert (score.value, score.status) == (None, "scorer_error")
    assert score.explanation == "the votes are split: judge: pass, judge: fail"


def test_votes_that_are_lost_are_left_out_as_long_as_most_are_there() -> None:
    assert decided(votes(said(1.0), LOST, said(1.0)), BINARY, keyed=False).value == 1.0
    score = decided(votes(said(1.0), LOST, LOST), BINARY, keyed=False)
    assert (score.status, score.explanation) == ("scorer_error", "2 of 3 votes are lost: prose")
    assert score.cost == Cost(0.03)


def test_grades_are_averaged() -> None:
    score = decided(votes(said(0.75, "4"), said(1.0, "5"), said(1.0, "5")), GRADED, keyed=False)
    assert score.value == pytest.approx(11 / 12)
    assert score.label == "4.67"


def test_a_choice_that_is_no_score_can_win() -> None:
    skip = Score(label="cannot tell", status="skipped", source="judge", model="m")
    scale = parse_scale("choice", {"right": 1, "wrong": 0, "cannot tell": "skip"})
    score = decided(votes(skip, said(1.0, "right"), skip), scale, keyed=False)
    assert (score.value, score.status, score.label) == (None, "skipped", "cannot tell")


def test_a_policy_is_voted_on_clause_by_clause() -> None:
    def policy(tone: str, facts: str) -> Score:
        parts = {"tone": said(float(tone == "kept"), tone), "facts": said(float(facts == "kept"), facts)}
        return Score(0.0, "broken", "", source="judge", model="m", parts=parts)

    cast = votes(policy("broken", "kept"), policy("broken", "broken"), policy("kept", "kept"))
    score = decided(cast, Scale("policy"), keyed=False)
    assert (score.value, score.label) == (0.0, "broken: tone")
    assert {name: part.value for name, part in score.parts.items()} == {"tone": 0.0, "facts": 1.0}


def test_a_model_that_changes_between_votes_is_an_error() -> None:
    score = decided(votes(said(1.0, model="m-1"), said(1.0, model="m-2")), BINARY, keyed=False)
    assert (score.status, score.explanation) == (
        "scorer_error",
        "the model changed between votes: it answered as m-1, m-2",
    )


def test_the_members_of_a_panel_are_named() -> None:
    cast = [Vote("a", said(1.0, model="m-1")), Vote("b", said(1.0, model="m-2")), Vote("c", LOST)]
    assert decided(cast, BINARY, keyed=True).model == "a=m-1, b=m-2, c=m"


def test_a_dearer_model_decides_where_cheap_ones_do_not_agree() -> None:
    cast = votes(said(1.0), said(0.0))
    assert not agree(cast)
    assert not agree(votes(said(1.0), LOST))
    assert agree(votes(said(1.0), said(1.0)))
    score = escalated(cast, Vote("strong", said(0.0, model="big")))
    assert (score.value, score.label, score.model) == (0.0, "fail", "judge=m, strong=big")
    assert score.cost == Cost(0.03)
    assert score.explanation == "[judge: pass, judge: fail; strong decides] because fail"


# first: what the model chose with ours shown first (1 is ours); second: with ours shown second (1 is the other)
@pytest.mark.parametrize(
    ("first", "second", "value", "label", "orders"),
    [
        (1.0, 0.0, 1.0, "win", ("a", "a")),
        (0.0, 1.0, 0.0, "loss", ("b", "b")),
        (0.5, 0.5, 0.5, "tie", ("tie", "tie")),
        (1.0, 1.0, 0.5, "first", ("a", "b")),
        (0.0, 0.0, 0.5, "second", ("b", "a")),
        (1.0, 0.5, 0.75, "win/tie", ("a", "tie")),
        (0.5, 0.0, 0.75, "tie/win", ("tie", "a")),
        (0.5, 1.0, 0.25, "tie/loss", ("tie", "b")),
        (0.0, 0.5, 0.25, "loss/tie", ("b", "tie")),
    ],
)
def test_a_pair_is_judged_in_both_orders(
    first: float, second: float, value: float, label: str, orders: tuple[str, str]
) -> None:
    score = of_both_orders(said(first, "x"), said(second, "y"))
    assert (score.value, score.label, score.status) == (value, label, "scored")
    assert orders_of(label) == orders
    assert score.cost == Cost(0.02)


def test_an_order_that_is_lost_loses_the_pair() -> None:
    score = of_both_orders(said(1.0), LOST)
    assert (score.status, score.explanation, score.cost) == ("scorer_error", "shown second: prose", Cost(0.02))


@given(st.lists(st.sampled_from([0.0, 1.0, None]), min_size=1, max_size=9))
def test_the_order_of_votes_does_not_matter(values: list[float | None]) -> None:
    cast = votes(*(LOST if value is None else said(value) for value in values))
    one, other = (decided(each, BINARY, keyed=False) for each in (cast, cast[::-1]))
    assert (one.value, one.status, one.label) == (other.value, other.status, other.label)
    assert one.value is None or values.count(one.value) * 2 > len(values) - values.count(None)


def test_no_answer_is_not_called_unreadable() -> None:
    bad = Score(status="scorer_error", explanation=f"{UNREADABLE}: no JSON: x", source="judge")
    gone = Score(status="scorer_error", explanation="judge: no connection", source="judge")
    score = escalated(votes(bad, gone, said(1.0)), Vote("strong", said(0.0, model="big")))
    assert score.explanation.startswith("[judge: unreadable, judge: no answer, judge: pass; strong decides] ")


@pytest.mark.parametrize(
    ("cast", "split"),
    [
        ([said(1.0), said(1.0)], False),
        ([said(1.0), said(0.0), said(1.0)], True),
        ([said(1.0), said(0.0)], True),
        ([said(1.0), LOST, said(1.0)], False),
    ],
)
def test_that_votes_went_apart_is_said(cast: list[Score], split: bool) -> None:
    assert decided(votes(*cast), BINARY, keyed=False).split is split


def test_grades_go_apart_where_half_of_the_scale_lies_between_them() -> None:
    assert not decided(votes(said(0.75, "4"), said(1.0, "5")), GRADED, keyed=False).split
    assert decided(votes(said(0.25, "2"), said(0.75, "4")), GRADED, keyed=False).split


def test_what_a_judge_writes_makes_no_split() -> None:
    steered = Score(1.0, "pass", "[a: good, b: bad] so it is", source="judge", model="m")
    assert not decided(votes(steered), BINARY, keyed=False).split


def test_a_dearer_model_tells_that_the_cheaper_ones_went_apart() -> None:
    found = escalated([Vote("cheap", said(1.0)), Vote("other", said(0.0))], Vote("strong", said(1.0)))
    assert (found.value, found.split) == (1.0, True)
