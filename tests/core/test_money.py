import pytest

from gatewatch.core.money import Cost, dollars, parse_budget


def test_an_unknown_price_is_never_0() -> None:
    assert Cost(0.5) + Cost(0.25) == Cost(0.75)
    assert (Cost(0.5) + Cost(unknown=1)).total is None
    assert (Cost(unknown=1) + Cost(unknown=2)).unknown == 3
    assert Cost(0.5).total == 0.5
    assert Cost().total == 0.0


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        (Cost(), "$0.00"),
        (Cost(12.3), "$12.30"),
        (Cost(1234.5), "$1,234.50"),
        (Cost(unknown=2), "unknown"),
        (Cost(0.5, 2), "$0.500 + 2 unknown"),
    ],
)
def test_a_cost_as_text(cost: Cost, text: str) -> None:
    assert str(cost) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (1, "$1.00"),
        (0.12345, "$0.123"),
        (0.0123, "$0.0123"),
        (0.00171, "$0.00171"),
        (0.000001, "$0.00000100"),
    ],
)
def test_three_significant_digits(amount: float, text: str) -> None:
    assert dollars(amount) == text


@pytest.mark.parametrize(("text", "amount"), [("2.00 USD", 2.0), ("2 usd", 2.0), (" 0.5$ ", 0.5), ("10USD", 10.0)])
def test_a_budget(text: str, amount: float) -> None:
    assert parse_budget(text) == amount


@pytest.mark.parametrize("text", ["", "2", "2 EUR", "-2 USD", "1e3 USD", "2,00 USD", "two USD", "USD", "nan USD"])
def test_what_is_no_budget_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r'such as "2\.00 USD"'):
        parse_budget(text)
