"""Many tests at once: p-values adjusted so that each may be held against the level that all of them share."""

from collections.abc import Sequence


def holm(p: Sequence[float]) -> list[float]:
    """P-values, in the order given, adjusted so that any false one below alpha has at most the probability alpha.

    Source: Holm (1979), "A simple sequentially rejective multiple test procedure".

    Raises:
        ValueError: for a p-value out of 0..1, or NaN.
    """
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(_ranked(p)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """P-values, in the order given, adjusted so that of those below alpha a share of at most alpha is false on average.

    Source: Benjamini and Hochberg (1995), "Controlling the false discovery rate".

    Raises:
        ValueError: for a p-value out of 0..1, or NaN.
    """
    adjusted, lowest = [0.0] * len(p), 1.0
    for rank, place in reversed(list(enumerate(_ranked(p), start=1))):
        lowest = min(lowest, len(p) / rank * p[place])
        adjusted[place] = lowest
    return adjusted


def _ranked(p: Sequence[float]) -> list[int]:
    """The places of the p-values, from the lowest to the highest."""
    for value in p:
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"a p-value is in 0..1, got {value}")
    return sorted(range(len(p)), key=p.__getitem__)
