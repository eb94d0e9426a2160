"""Prices: stated ones first, then the table; what is not known is unknown."""

import pytest

from gatewatch.core.trace import Usage
from gatewatch.models.prices import PriceOverride, Prices

STATED = Prices({"mine": PriceOverride(input=2.0, output=4.0, cached_input=1.0)})


def test_a_stated_price() -> None:
    cost = STATED.cost("mine", Usage(input_tokens=1000, output_tokens=500, cached_input_tokens=400))
    assert cost.total == pytest.approx((600 * 2.0 + 400 * 1.0 + 500 * 4.0) / 1e6)
    assert STATED.rates("mine") == {"source": "gatewatch.toml", "input": 2.0, "output": 4.0, "cached_input": 1.0}


def test_the_table_knows_common_models() -> None:
    cost = Prices().cost("gpt-4o-mini", Usage(1_000_000, 0), "https://api.openai.com/v1")
    assert cost.total is not None
    assert cost.total > 0
    assert Prices().known("gpt-4o-mini", "https://api.openai.com/v1")
    assert Prices().snapshot.startswith("genai-prices ")


@pytest.mark.parametrize(
    ("model", "usage"),
    [("no-such-model", Usage(1, 1)), ("mine", None), ("mine", Usage(input_tokens=1)), ("mine", Usage(output_tokens=1))],
)
def test_what_is_not_known_is_unknown_and_not_nothing(model: str, usage: Usage | None) -> None:
    cost = STATED.cost(model, usage)
    assert (cost.total, cost.unknown) == (None, 1)


def test_estimates() -> None:
    assert STATED.estimate("mine", 4000, 100) == pytest.approx((1000 * 2.0 + 100 * 4.0) / 1e6)
    assert STATED.estimate("no-such-model", 4000, 100) is None
