"""The rule of a gate, from the `gate` table of a suite."""

from collections.abc import Sequence

from gatewatch.config.parts import budget_of
from gatewatch.config.project import Problems
from gatewatch.config.settings import GateSettings
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.offline.rule import Rule


def points(value: float | str, where: str) -> float:
    """A share of 1 from a number, or from text such as "5pp".

    Raises:
        ConfigError: when it is neither.
    """
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("pp").strip() if value.strip().endswith("pp") else "") / 100
        except ValueError:
            raise ConfigError(Problem(where, f'expected 0.05 or "5pp", got {value!r}')) from None
    if not 0.0 <= value < 1.0:
        raise ConfigError(
            Problem(where, f"must be 0 or more and below 1, got {value:g}", '0.05 is five points, as is "5pp"')
        )
    return float(value)


def rule_of(settings: GateSettings, scorers: Sequence[str], where: str) -> Rule:
    """The rule that a suite's `gate` table states.

    Raises:
        ConfigError: with all that is wrong in it.
    """
    problems = Problems()
    primary = (settings.primary,) if isinstance(settings.primary, str) else settings.primary
    primary = tuple(name for name in primary if name)
    for key, names in (("primary", primary), ("min", tuple(settings.min))):
        problems += [
            Problem(f"{where}.{key}", f"{name!r} is not a scorer of this suite", did_you_mean(name, scorers))
            for name in names
            if name not in scorers
        ]
    max_drop = min_effect = 0.0
    max_cost: float | None = None
    with problems.gather():
        max_drop = points(settings.max_drop, f"{where}.max_drop")
    with problems.gather():
        min_effect = points(settings.min_effect, f"{where}.min_effect")
    with problems.gather():
        max_cost = budget_of(settings.max_cost, f"{where}.max_cost")
    problems.raise_any()
    return Rule(
        primary=primary,
        slices=settings.slices,
        alpha=settings.alpha,
        max_drop=max_drop,
        min_effect=min_effect,
        floors=settings.min,
        max_cost=max_cost,
        max_latency=settings.max_latency,
        undecided=settings.undecided,
    )
