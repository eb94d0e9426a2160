"""By what a request is found, how grave that is, and under which sign it counts."""

import pytest
from msgspec.structs import replace

from gatewatch.core import marks
from gatewatch.core.watch import Alert
from gatewatch.loop.signs import Sign, formal, signs_of
from gatewatch.store.rows import Row
from gatewatch.store.values import Told

ROW = Row(seq=1, id="a", at=0.0, received=0.0, flow="support", share=0.5)


def told(value: float, *, name: str = "helpful", source: str = "judge", pi: float = 0.1, ruler: str = "1") -> Told:
    return Told(name, ruler, source, value, pi)  # type: ignore[arg-type]


def found(*values: Told, row: Row = ROW, **given: object) -> dict[str, float]:
    signs = signs_of(row, values, **{"pass_at": {}, **given})  # type: ignore[arg-type]
    return {sign.name: round(sign.severity, 3) for sign in signs}


def test_nothing_is_found_of_what_went_well() -> None:
    assert found(told(0.5), told(1.0, name="other")) == {}
    assert found(row=replace(ROW, marks=marks.bits(["thumbs_up", "copied"]))) == {}


@pytest.mark.parametrize(
    ("value", "mark", "source", "severity"),
    [(0.0, 0.5, "judge", 0.8), (0.25, 0.5, "rule", 0.65), (0.74, 0.75, "judge", 0.504), (0.0, 1.0, "human", 0.9)],
)
def test_a_low_score_is_the_graver_the_lower(value: float, mark: float, source: str, severity: float) -> None:
    assert found(told(value, source=source), pass_at={"helpful": mark}) == {"score:helpful": severity}


def test_the_first_sign_is_what_is_known_of_all_requests() -> None:
    row = replace(ROW, marks=marks.bits(["retried"]), late=marks.bits(["thumbs_down"]))
    signs = signs_of(row, [told(0.0)], pass_at={})
    assert [sign.name for sign in signs] == ["thumbs_down", "retried", "score:helpful"]
    assert [sign.pi for sign in signs] == [0.5, 0.5, 0.1]
    assert signs[-1] == Sign("score:helpful", 0.8, 0.1, "helpful", 0.0)


def test_of_what_gave_no_answer_scores_say_nothing() -> None:
    row = replace(ROW, error="timeout", marks=marks.bits(["error"]))
    assert found(told(0.0), row=row) == {"timeout": 0.8}


def test_feedback_that_sets_a_mark_counts_by_the_mark() -> None:
    thumbs = told(0.0, name="thumbs", source="feedback")
    assert found(thumbs) == {}
    assert found(told(0.25, name="rating", source="feedback")) == {"score:rating": 0.75}


def test_sources_rulers_and_votes_that_disagree() -> None:
    contested = {"disagreement:helpful": 0.5, "score:helpful": 0.8}
    assert found(told(0.0), told(1.0, ruler="2")) == contested
    assert found(told(0.0), told(1.0, source="human")) == contested
    assert found(told(0.0), told(1.0, source="human", name="right")) == contested
    assert found(told(0.0), row=replace(ROW, marks=marks.bits(["thumbs_up"]))) == contested
    assert found(told(0.5), split=("helpful",)) == {"disagreement:helpful": 0.5}
    assert found(split=("helpful",)) == {"disagreement:helpful": 0.5}
    assert found(told(0.0), told(0.1, ruler="2")) == {"score:helpful": 0.8}
    assert list(found(told(0.0), told(1.0, ruler="2"))) == ["disagreement:helpful", "score:helpful"]
    assert list(found(told(0.0), told(0.6, name="b"), split=("b",))) == ["score:helpful", "disagreement:b"]


def test_what_an_alert_rests_on() -> None:
    alert = Alert(key="k", flow="support", kind="rate", name="cost", severity="info", title="", opened=0.0, updated=0.0)
    assert found(alerts=[alert, replace(alert, severity="page")]) == {"alert:cost": 0.8}
    assert list(found(told(0.0), alerts=[alert])) == ["score:helpful", "alert:cost"]


def test_some_signs_go_by_a_form() -> None:
    assert formal("error") and formal("unlike:language") and not formal("unlike:topic") and not formal("score:error")
