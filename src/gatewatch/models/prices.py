"""What calls cost: prices stated in gatewatch.toml, else the table that the genai-prices package brings along."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from gatewatch.core.money import Cost
from gatewatch.core.trace import Usage

CHARS_PER_TOKEN = 4
"""For estimates only, and labelled so: English text runs at about four characters a token."""
_MILLION = 1_000_000
_UNKNOWN = Cost(unknown=1)


class PriceOverride(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The table `[prices.MODEL]`: US dollars per million tokens. `cached_input` is `input` where it is not stated."""

    input: float
    output: float
    cached_input: float | None = None


class Prices:
    """Knows what tokens cost, or that it does not know.

    The table is the one that lies inside the installed package; nothing is fetched. A provider's host that the table
    does not list (a proxy, a machine of one's own) is priced by the model's name alone, as the model's maker charges
    for it; where that is not right, state the price.
    """

    def __init__(self, overrides: Mapping[str, PriceOverride] | None = None) -> None:
        self._overrides = dict(overrides or {})

    @property
    def snapshot(self) -> str:
        """The table and version used, such as "genai-prices 0.2.3", and how many prices were stated beside it."""
        from importlib.metadata import version

        table = f"genai-prices {version('genai-prices')}"
        return f"{table} + {len(self._overrides)} stated" if self._overrides else table

    def cost(self, model: str, usage: Usage | None, base_url: str = "") -> Cost:
        """What some usage cost; unknown when its tokens or its price are."""
        if usage is None or usage.input_tokens is None or usage.output_tokens is None:
            return _UNKNOWN
        stated = self._overrides.get(model)
        if stated is None:
            return _from_table(model, usage, base_url)
        cached = min(usage.cached_input_tokens or 0, usage.input_tokens)
        cached_price = stated.input if stated.cached_input is None else stated.cached_input
        fresh = usage.input_tokens - cached
        return Cost((fresh * stated.input + cached * cached_price + usage.output_tokens * stated.output) / _MILLION)

    def rates(self, model: str, base_url: str = "") -> dict[str, Any]:
        """The prices in use for a model, to be kept beside what was paid: dollars per million tokens, and their source.

        For a model whose price rises with the length of the prompt, these are the prices of a short one.
        """
        stated = self._overrides.get(model)
        if stated is not None:
            cached = stated.input if stated.cached_input is None else stated.cached_input
            prices = {"input": stated.input, "output": stated.output, "cached_input": cached}
            return {"source": "gatewatch.toml", **prices}
        rates: dict[str, Any] = {"source": self.snapshot}
        for kind, usage in (
            ("input", Usage(input_tokens=1000, output_tokens=0)),
            ("output", Usage(input_tokens=0, output_tokens=1000)),
            ("cached_input", Usage(input_tokens=1000, output_tokens=0, cached_input_tokens=1000)),
        ):
            amount = self.cost(model, usage, base_url).total
            rates[kind] = None if amount is None else round(amount * 1000, 9)
        return rates

    def known(self, model: str, base_url: str = "") -> bool:
        """Whether this model has a price at all."""
        return not self.cost(model, Usage(input_tokens=1, output_tokens=1), base_url).unknown

    def estimate(self, model: str, input_chars: int, output_tokens: int, base_url: str = "") -> float | None:
        """An estimate in US dollars, at four characters a token of input; None when the price is unknown."""
        usage = Usage(input_tokens=-(-input_chars // CHARS_PER_TOKEN), output_tokens=output_tokens)
        return self.cost(model, usage, base_url).total


def _from_table(model: str, usage: Usage, base_url: str) -> Cost:
    price = _priced(model, base_url)
    if price is None:
        return _UNKNOWN
    from genai_prices import Usage as TableUsage

    tokens = TableUsage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cached_input_tokens,
        cache_write_tokens=usage.cache_write_tokens,
    )
    try:
        return Cost(float(price(tokens)))
    except (LookupError, ValueError):  # counts that contradict each other, or a kind of token without a price
        return _UNKNOWN


@lru_cache(maxsize=64)
def _priced(model: str, base_url: str) -> Any:
    """A function from the table's usage to dollars, or None when the table does not list the model."""
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    try:
        get_snapshot().find_provider(None, None, base_url)
        url: str | None = base_url
    except LookupError:
        url = None
    try:
        genai_prices.calc_price(genai_prices.Usage(input_tokens=1, output_tokens=1), model, provider_api_url=url)
    except (LookupError, ValueError):
        return None
    return lambda tokens: genai_prices.calc_price(tokens, model, provider_api_url=url).total_price
