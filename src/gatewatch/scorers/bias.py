"""What a judge leans to beside quality: a position, length, its own model's outputs."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from gatewatch.scorers.labels import Label, Value
from gatewatch.scorers.votes import orders_of
from gatewatch.stats.agreement import auc
from gatewatch.stats.intervals import cluster_t
from gatewatch.stats.paired import tango

Kind = Literal["position", "swap", "length", "self"]
TOO_FAR = 0.6
"""The share of choices for what stood first above which a judge is said to go by position."""

_FEWEST = 10


class Bias(Struct, frozen=True):
    """One lean: a figure with its 95 % interval, what it is of, and whether it is far enough to warn of."""

    kind: Kind
    value: float
    low: float
    high: float
    n: int
    says: str
    warns: bool = False


Row = tuple[Label, Value, Callable[[Value], bool]]
"""A label, the value of the people's majority, and what counts as good."""


def biases(rows: Sequence[Row]) -> tuple[Bias, ...]:
    """What labels that have a verdict show of a lean to length, and to the judge's own model."""
    found: list[Bias] = []
    longer = [
        _for(row, "a" if row[0].length[0] > row[0].length[1] else "b")
        for row in rows
        if isinstance(row[0].length, tuple) and row[0].length[0] != row[0].length[1]
    ]
    found += _lean(
        "length", longer, "of pairs, the judge chooses the longer output {} points more often than people do"
    )
    found += _length_of_one([row for row in rows if isinstance(row[0].length, int)])
    own = [_for(row, row[0].own) for row in rows if isinstance(row[0].own, str)]
    own += [(good(row.verdict or False), good(value)) for row, value, good in rows if row.own is True]
    found += _lean("self", own, "the judge favours its own model's outputs {} points more often than people do")
    return tuple(found)


def of_position(orders: Sequence[tuple[str | None, str | None]]) -> list[Bias]:
    """Whether a pairwise judge chooses by position: how often what stood first, and how often a swap changes nothing.

    `orders` are its choices with a shown first, and with b shown first, in terms of the pair: "a", "b", "tie", or
    None where it could not be read. A tie is no choice; what could not be read did not choose what stood first.
    """
    shown = [
        (row, choice == first)
        for row, pair in enumerate(orders)
        for choice, first in zip(pair, "ab", strict=True)
        if choice != "tie"
    ]
    if len(orders) < _FEWEST or not shown:
        return []
    values = [float(first) for _, first in shown]
    share, bounds = sum(values) / len(values), cluster_t(values, [row for row, _ in shown])
    kept = [float(one == other) for one, other in orders]
    same, swap = sum(kept) / len(kept), cluster_t(kept, list(range(len(kept))))
    far = share > TOO_FAR or share < 1 - TOO_FAR
    return [
        Bias("position", share, bounds.low, bounds.high, len(shown), "the share of verdicts for what stood first", far),
        Bias("swap", same, swap.low, swap.high, len(kept), "the share of pairs judged the same in both orders"),
    ]


def surely_by_position(labels: Mapping[str, int]) -> Bias | None:
    """How a pairwise judge goes by position, where that is sure: from how often it gave each label of a pair."""
    for lean in of_position([orders_of(label) for label, count in labels.items() for _ in range(count)]):
        if lean.kind == "position" and (lean.low > TOO_FAR or lean.high < 1 - TOO_FAR):
            return lean
    return None


def _for(row: Row, side: str) -> tuple[bool, bool]:
    """Whether the judge, and whether people, are for a side of a pair."""
    label, value, _ = row
    return label.verdict == side, value == side


def _lean(kind: Kind, pairs: Sequence[tuple[bool, bool]], says: str) -> list[Bias]:
    n = len(pairs)
    if n < _FEWEST:
        return []
    more = sum(judge and not people for judge, people in pairs)
    less = sum(people and not judge for judge, people in pairs)
    bounds, value = tango(more, less, n), (more - less) / n
    return [Bias(kind, value, bounds.low, bounds.high, n, says.format(f"{100 * value:+.1f}"), bounds.low > 0)]


def _length_of_one(rows: Sequence[Row]) -> list[Bias]:
    """Whether, among outputs that people fail, the longer ones are passed."""
    bad = [(label, good(label.verdict or False)) for label, value, good in rows if not good(value)]
    found = auc(
        [float(label.length) for label, _ in bad if isinstance(label.length, int)], [passed for _, passed in bad]
    )
    if found is None or len(bad) < _FEWEST:
        return []
    area, bounds = found
    says = "among outputs that people fail, the probability that a passed one is longer than a failed one"
    return [Bias("length", area, bounds.low, bounds.high, len(bad), says, bounds.low > 0.5)]
