"""Bins of durations: how long something took, as one small whole number, so that quantiles can be added up.

Bins are equally wide on a logarithmic scale, 32 to a doubling: 2.2 % of the duration. Bin 0 is a microsecond or less.
"""

from collections.abc import Mapping
from math import log2

PER_DOUBLING = 32


def bin_of(seconds: float) -> int:
    """The bin of a duration: 0 or more."""
    return bin_of_micros(round(seconds * 1e6))


def bin_of_micros(micros: int) -> int:
    """The bin of a duration in whole microseconds."""
    return int(log2(micros) * PER_DOUBLING) if micros > 1 else 0


def edges(place: int) -> tuple[float, float]:
    """Where a bin begins and ends, in seconds."""
    return (2 ** (place / PER_DOUBLING) / 1e6 if place else 0.0, 2 ** ((place + 1) / PER_DOUBLING) / 1e6)


def seconds_of(place: int) -> float:
    """The middle of a bin (of the logarithmic scale), in seconds: at most 1.1 % from any duration in it."""
    return 2 ** ((place + 0.5) / PER_DOUBLING) / 1e6


def quantile(histogram: Mapping[int, float], q: float) -> tuple[float, float, float] | None:
    """A quantile of durations, in seconds: the middle of the bin that it lies in, and where that begins and ends.

    Args:
        histogram: from a bin to how many durations are in it, or to what they weigh.
        q: 0..1. The quantile is the smallest duration that at least this share of them does not exceed.

    Returns:
        None when there are no durations.
    """
    total = sum(histogram.values())
    if not total:
        return None
    wanted, seen = q * total, 0.0
    for place in sorted(histogram):
        seen += histogram[place]
        if seen >= wanted and seen > 0:
            break
    return seconds_of(place), *edges(place)
