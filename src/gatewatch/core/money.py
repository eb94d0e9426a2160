"""Money: an amount that is known, or known to be unknown. Never 0 for want of a price."""

import re

from msgspec import Struct

_PATTERN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:USD|usd|\$)\s*")


class Cost(Struct, frozen=True, omit_defaults=True):
    """What some calls cost, in US dollars.

    `amount` is the sum over the calls whose price is known; `unknown` counts those whose price is not.
    """

    amount: float = 0.0
    unknown: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.amount + other.amount, self.unknown + other.unknown)

    @property
    def total(self) -> float | None:
        """The whole amount, or None when any part of it is unknown."""
        return None if self.unknown else self.amount

    def __str__(self) -> str:
        if not self.unknown:
            return dollars(self.amount)
        if not self.amount:
            return "unknown"
        return f"{dollars(self.amount)} + {self.unknown} unknown"


def dollars(amount: float) -> str:
    """An amount to three significant digits, two decimals at least: $0.00171, $12.30."""
    amount = float(f"{amount:.3g}") if abs(amount) < 1 else amount  # 0.9999 is a dollar
    if amount == 0 or amount >= 1:
        return f"${amount:,.2f}"
    decimals = 2
    while amount < 10 ** -(decimals - 2) and decimals < 9:
        decimals += 1
    return f"${amount:.{decimals}f}"


def parse_budget(text: str) -> float:
    """The amount of a budget such as "2.00 USD".

    Raises:
        ValueError: for anything else.
    """
    match = _PATTERN.fullmatch(text)
    if match is None:
        raise ValueError(f'expected an amount such as "2.00 USD", got {text!r}')
    return float(match[1])
