import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch import feedback
from gatewatch.core import codec
from gatewatch.core.feedback import Feedback
from gatewatch.online.process import stats
from online.capturing import Captured, capturing


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Captured]:
    with capturing(tmp_path / "spool") as captured:
        yield captured


def test_what_is_said(kept: Captured) -> None:
    feedback("t1", thumbs="down", comment="wrong window", user="jane")
    feedback(external_id="m1", rating=4, event="copy", value=12)
    first, second = (codec.decode(payload, Feedback) for _, payload in kept.records())
    assert (first.trace, first.thumbs, first.comment, len(first.user)) == ("t1", "down", "wrong window", 34)
    assert (second.external_id, second.rating, second.event, second.value) == ("m1", 4, "copy", 12)
    assert first.id != second.id and first.at > 1.7e9


@pytest.mark.parametrize(
    "wrong",
    [
        {"thumbs": "up"},
        {"trace_id": "t"},
        {"trace_id": "t", "thumbs": "sideways"},
        {"trace_id": "t", "rating": 6},
        {"trace_id": "t", "rating": float("nan")},
        {"trace_id": "t", "rating": "5"},
        {"trace_id": "t", "event": "explode"},
        {"trace_id": "t", "thumbs": "up", "value": float("inf")},
        {"trace_id": 7, "thumbs": "up"},
        {"trace_id": "t", "comment": b"bytes"},
        {"trace_id": "t", "thumbs": ["up"]},
        {"trace_id": "t", "event": ["retry"]},
    ],
)
def test_what_is_wrong_never_raises_and_is_counted(
    kept: Captured, wrong: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "gatewatch"):
        feedback(**wrong)
        feedback(**wrong)
    assert stats().dropped == {"bad feedback": 2}
    assert len(caplog.records) == 1
    assert kept.losses() == {"bad feedback": 2}


def test_a_comment_is_redacted_with_the_rest(tmp_path: Path) -> None:
    with capturing(tmp_path / "spool", redact="pii") as kept:
        feedback("t1", comment="write to jane@example.com")
        ((_, payload),) = kept.records()
    assert codec.decode(payload, Feedback).comment == "write to [email]"


def test_numbers_and_texts_of_other_libraries_are_taken(kept: Captured) -> None:
    import enum
    from fractions import Fraction

    class Number(float):
        pass

    class Text(enum.StrEnum):
        UP = "up"

    feedback("t1", rating=Number(3), value=Fraction(1, 2), thumbs=Text.UP)  # type: ignore[arg-type]
    ((_, payload),) = kept.records()
    said = codec.decode(payload, Feedback)
    assert (said.rating, said.value, said.thumbs) == (3.0, 0.5, "up")


def test_numpys_numbers_are_taken_and_its_arrays_are_not(kept: Captured) -> None:
    import numpy

    feedback("t1", rating=numpy.float64(3))
    others: list[Any] = [numpy.int64(4), numpy.array([3.0])]
    for each in others:
        feedback("t1", rating=each)
    ratings = [codec.decode(payload, Feedback).rating for kind, payload in kept.records() if kind == "feedback"]
    assert ratings == [3.0, 4.0] and stats().dropped == {"bad feedback": 1}


def test_a_number_without_end_is_bad_feedback(kept: Captured) -> None:
    feedback("t1", thumbs="up", value=10**400)
    feedback("t1", rating=10**5000)
    assert stats().dropped == {"bad feedback": 2}


def test_ids_are_cut(kept: Captured) -> None:
    feedback("t" * 100_000, external_id="e" * 100_000, user="u" * 100_000, thumbs="up")
    ((_, payload),) = kept.records()
    assert len(payload) < 1500
