"""What calls cost: prices stated in gatewatch.toml, else the table that the genai-prices package brings along."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from msgspec import Struct

from gatewatch.core.clock import wall
from gatewatch.core.money import Cost
from gatewatch.core.trace import Usage

CHARS_PER_TOKEN = 4
"""For estimates only, and labelled so: English text runs at about four characters a token."""
_MILLION = 1_000_000
_EACH = 1000
_ROUNDING = 1e-9
_PRICED_S = 600.0
"""For how long a price is taken to stay: some are lower at some hours."""
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
        usage = usage.whole()
        assert usage.input_tokens is not None
        stated = self._overrides.get(model)
        if stated is None:
            linear = _linear(model, base_url, int(wall() // _PRICED_S))
            return _from_table(model, usage, base_url) if linear is None else linear(usage)
        cached = min(usage.cached_input_tokens or 0, usage.input_tokens)
        cached_price = stated.input if stated.cached_input is None else stated.cached_input
        fresh = usage.input_tokens - cached
        return Cost(
            (fresh * stated.input + cached * cached_price + (usage.output_tokens or 0) * stated.output) / _MILLION
        )

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


@lru_cache(maxsize=256)
def _linear(model: str, base_url: str, _when: int) -> Callable[[Usage], Cost] | None:
    """The table's price as a sum of tokens times rates, which is far quicker; None where it is no such sum.

    It is tried on a few usages: some models cost more a token beyond some length, or at some hours.
    """

    def asked(*tokens: int) -> float | None:
        fresh, output, read = tokens
        return _from_table(model, Usage(fresh + read, output, read), base_url).total

    rates = [asked(*(_EACH if place == kind else 0 for place in range(3))) for kind in range(3)]
    if rates[0] is None or rates[1] is None:
        return None
    fresh, output, read = ((rate or 0.0) / _EACH for rate in rates)
    for tried in ((10, 10, 0), (100_000, 1000, 0), (2_000_000, 100_000, 0), (70_000, 7, 70_000)):
        found = asked(*tried)
        sum_of = tried[0] * fresh + tried[1] * output + tried[2] * read
        if found is None or abs(found - sum_of) > _ROUNDING * max(found, sum_of):
            return None

    def cost(usage: Usage) -> Cost:
        cached = usage.cached_input_tokens or 0
        rest = (usage.input_tokens or 0) - cached
        if rest < 0 or (cached and rates[2] is None) or usage.cache_write_tokens:
            return _from_table(model, usage, base_url)
        return Cost(rest * fresh + (usage.output_tokens or 0) * output + cached * read)

    return cost


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
