"""Items of review: chance alone gives a probability."""

import pytest
from msgspec import ValidationError
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.review import Item, drawn_again, is_right

DRAWN = Item(queue="calibration", flow="f", trace="t", scorer="s", pi=0.1, judged=0.4, fingerprint="one", added=1.0)


@pytest.mark.parametrize(("queue", "pi"), [("failures", 0.5), ("failures", 1.0), ("calibration", None)])
def test_an_item_has_a_probability_if_it_was_drawn_and_only_then(queue: str, pi: float | None) -> None:
    with pytest.raises(ValueError, match="if chance drew it"):
        Item(queue=queue, flow="f", trace="t", pi=pi, added=1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="if chance drew it"):
        replace(DRAWN, queue=queue, pi=pi)
    body = codec.encode({"queue": queue, "flow": "f", "trace": "t", "pi": pi, "added": 1.0})
    with pytest.raises(ValidationError):
        codec.decode(body, Item)


@pytest.mark.parametrize("pi", [0.0, -0.1, 1.1, float("nan")])
def test_a_probability_is_one(pi: float) -> None:
    with pytest.raises(ValueError, match="pi must be"):
        replace(DRAWN, pi=pi)


def test_what_is_drawn_again_has_the_greater_probability() -> None:
    assert drawn_again(DRAWN, replace(DRAWN, pi=0.2)).pi == 0.2
    assert drawn_again(DRAWN, replace(DRAWN, pi=0.05)).pi == 0.1


def test_another_version_of_the_judge_draws_anew() -> None:
    new = replace(DRAWN, pi=0.05, judged=0.9, fingerprint="two")
    found = drawn_again(replace(DRAWN, id=7, state="settled"), new)
    assert (found.pi, found.judged, found.fingerprint) == (0.05, 0.9, "two")
    assert (found.id, found.state) == (7, "settled")


def test_a_half_is_right() -> None:
    assert [is_right(value) for value in (0.0, 0.49, 0.5, 1.0)] == [False, False, True, True]
