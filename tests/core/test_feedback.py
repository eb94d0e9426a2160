"""Feedback on the one scale."""

from gatewatch.core.feedback import Feedback, marks_of, scores_of
from gatewatch.core.marks import names


def said(**what: object) -> Feedback:
    return Feedback(id="f1", at=0.0, trace="t", **what)  # type: ignore[arg-type]


def test_each_kind_is_a_score_where_1_is_good() -> None:
    assert [(s.name, s.value) for s in scores_of(said(thumbs="down", rating=4, event="copy", value=12))] == [
        ("thumbs", 0.0),
        ("rating", 0.75),
        ("copied", 1.0),
    ]
    assert scores_of(said(event="copy", value=12))[0].label == "12"
    assert [(s.name, s.value, s.status) for s in scores_of(said(comment="hm"))] == [("comment", None, "skipped")]


def test_thumbs_and_events_set_marks() -> None:
    assert names(marks_of(said(thumbs="down", event="escalate"))) == ("thumbs_down", "escalated")
    assert marks_of(said(rating=1)) == 0
