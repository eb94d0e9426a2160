"""Is the traffic made of the same parts as before? Counts by category, then and now."""

from collections.abc import Mapping, Sequence
from math import inf, log

from msgspec import Struct

from gatewatch.stats.intervals import Interval, newcombe_difference
from gatewatch.stats.multiple import holm
from gatewatch.stats.special import chi2_quantile, gammaincc

OTHER = "other"
"""What rare categories are put together as."""
LEAST_EXPECTED = 5.0
"""How many of a category chi-square's approximation asks to be expected, then and now."""


class Moved(Struct, frozen=True):
    """A category's share then and now, 0..1; the 95 % interval of now less then; `p`, Holm-adjusted over all."""

    name: str
    before: float
    after: float
    interval: Interval
    p: float


class Mix(Struct, frozen=True):
    """Two sets of counts, compared. `p` is that of "they are drawn from the same shares": 1 where nothing can be told.

    `psi` is the population stability index, and `psi_limit` what it exceeds by chance in 5 of 100 for as many counts
    where nothing changed. `moved` has every category that is not rare, the most moved first. `unknown` are categories,
    rare or not, of which there was none then, the most frequent first.
    """

    before: int
    after: int
    p: float
    psi: float
    psi_limit: float
    moved: tuple[Moved, ...]
    unknown: tuple[str, ...]


def compare_mix(before: Mapping[str, int], after: Mapping[str, int]) -> Mix:
    """The counts of independent things by category, then and now: chi-square's test of homogeneity, and what moved.

    Categories of which fewer than 5 are expected in either are put together as "other".

    Source: Pearson (1900); the intervals by Newcombe (1998), the adjustment by Holm (1979), both for a category against
    all others.

    Raises:
        ValueError: for a negative count.
    """
    every = sorted({*before, *after})
    if any(count < 0 for counts in (before, after) for count in counts.values()):
        raise ValueError("counts are 0 or more")
    fresh = [name for name in every if after.get(name, 0) and not before.get(name, 0)]
    unknown = tuple(sorted(fresh, key=lambda name: (-after[name], name)))
    n0, n1 = sum(before.values()), sum(after.values())
    names, old, new = _pooled(every, before, after)
    if len(names) < 2:
        return Mix(n0, n1, 1.0, 0.0, inf, (), unknown)
    adjusted = holm([chi_square((k0, n0 - k0), (k1, n1 - k1)) for k0, k1 in zip(old, new, strict=True)])
    moved = [
        Moved(name, k0 / n0, k1 / n1, newcombe_difference(k1, n1, k0, n0), p)
        for name, k0, k1, p in zip(names, old, new, adjusted, strict=True)
    ]
    moved.sort(key=lambda each: (-abs(each.after - each.before), each.name))
    limit = psi_limit(len(names), n0, n1)
    return Mix(n0, n1, chi_square(old, new), psi(old, new), limit, tuple(moved), unknown)


def chi_square(before: Sequence[int], after: Sequence[int]) -> float:
    """The p-value of "both are drawn from the same shares", by chi-square without a correction for continuity.

    1 where there is nothing to compare: no counts in one of them, or all of one category.

    Source: Pearson (1900), "On the criterion that a given system of deviations ...".
    """
    n0, n1 = sum(before), sum(after)
    pairs = [(k0, k1) for k0, k1 in zip(before, after, strict=True) if k0 + k1]
    if not (n0 and n1 and len(pairs) > 1):
        return 1.0
    # With expected counts n0 s and n1 s, both rows' terms come to this.
    statistic = sum((k0 * n1 - k1 * n0) ** 2 / (k0 + k1) for k0, k1 in pairs) / (n0 * n1)
    return gammaincc((len(pairs) - 1) / 2, statistic / 2)


def psi(before: Sequence[float], after: Sequence[float]) -> float:
    """The population stability index of counts or shares of the same categories: sum (q - p) log(q / p), 0 or more.

    Where a category has none then or now, half of one is added to each count.

    Source: Kullback and Leibler (1951): it is the symmetric divergence of the two.

    Raises:
        ValueError: without any count in one of them.
    """
    more = 0.5 if any(not k0 or not k1 for k0, k1 in zip(before, after, strict=True)) else 0.0
    n0, n1 = (sum(counts) + more * len(counts) for counts in (before, after))
    if not (sum(before) and sum(after)):
        raise ValueError("an index needs counts on both sides")
    shares = [((k0 + more) / n0, (k1 + more) / n1) for k0, k1 in zip(before, after, strict=True)]
    return sum((q - p) * log(q / p) for p, q in shares)


def psi_limit(categories: int, before: int, after: int, *, alpha: float = 0.05) -> float:
    """What the index of so many categories and counts exceeds with probability alpha though nothing changed.

    No fixed limit tells that: at 100 counts each, 10 categories exceed 0.1 in 82 of 100.

    Source: Yurdakul (2018), "Statistical properties of population stability index": chi-square times (1/n + 1/m).
    """
    return chi2_quantile(1.0 - alpha, categories - 1) * (1 / before + 1 / after)


def _pooled(
    names: Sequence[str], before: Mapping[str, int], after: Mapping[str, int]
) -> tuple[list[str], list[int], list[int]]:
    """Categories with their counts, the rare ones together: none where there is not enough of anything."""
    n0, n1 = sum(before.values()), sum(after.values())
    counts = {name: (before.get(name, 0), after.get(name, 0)) for name in names}
    least = LEAST_EXPECTED * (n0 + n1) / min(n0, n1) if n0 and n1 else inf
    rare0 = rare1 = 0
    kept: list[tuple[str, int, int]] = []
    # From the rarest on, so that what is put together comes to enough by taking in as little as can be.
    for name, (k0, k1) in sorted(counts.items(), key=lambda item: (sum(item[1]), item[0])):
        if k0 + k1 < least or 0 < rare0 + rare1 < least:
            rare0, rare1 = rare0 + k0, rare1 + k1
        elif k0 + k1:
            kept.append((name, k0, k1))
    if rare0 + rare1:
        kept.append((OTHER, rare0, rare1))
    return [name for name, _, _ in kept], [k for _, k, _ in kept], [k for _, _, k in kept]
