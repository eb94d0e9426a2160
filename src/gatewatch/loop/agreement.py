"""Agreement: between reviewers of the same items, and between them and the judge."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import combinations
from math import sqrt

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core.review import Item, Label
from gatewatch.loop.draw import labelled_pi
from gatewatch.loop.label import together
from gatewatch.stats.agreement import Confusion, cohen_kappa, krippendorff_alpha
from gatewatch.stats.intervals import wilson
from gatewatch.stats.special import normal_quantile

FEW = 50
"""Below so many items kappa is never told alone."""
PEOPLE, JUDGE = "all reviewers", "the judge"
_GROUPS = 50
_Z = -normal_quantile(0.025)


class Figure(Struct, frozen=True):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Pair(Struct, frozen=True, kw_only=True):
    """Two who looked at the same items: on how many of them they agreed, and kappa, None where chance agrees always.

    `table` counts items by what the one said and what the other said: both good, good and bad, bad and good, both bad.
    Of a pair with the judge, `drawn` says that chance chose the items: then the agreement is that over all traffic that
    they stand for, while kappa is of the items as they are. What was mined was chosen, and says little of the rest.
    """

    one: str
    other: str
    n: int
    agreed: int
    share: Figure
    kappa: Figure | None
    table: tuple[int, int, int, int]
    drawn: bool = False


class Disagreement(Struct, frozen=True):
    """An item on which not all say the same: what each says, the judge among them."""

    item: Item
    said: tuple[tuple[str, float], ...]


class Agreement(Struct, frozen=True, kw_only=True):
    """How far reviewers agree on items of which two or more labelled `several`: on `agreed` of them all are of one
    mind. `alpha` is Krippendorff's, None where no two values differ; `pairs` are of reviewers, `judged` of each, and of
    all together, with the judge."""

    items: int
    several: int
    agreed: int
    share: Figure | None
    alpha: Figure | None
    reviewers: tuple[str, ...]
    pairs: tuple[Pair, ...]
    judged: tuple[Pair, ...]
    disagreements: tuple[Disagreement, ...]


class _Seen(Struct, frozen=True):
    """An item with what two say of it."""

    item: Item
    one: float
    other: float


def agreement(items: Sequence[Item], labels: Iterable[Label], *, mark: float = 0.5) -> Agreement:
    """How far people agree with each other, and with the judge.

    Of who settled an item what they said before counts, by themselves, not what they decided on having seen the others.
    What somebody said who had looked at what the judge said is held against no judge.

    Args:
        items: what is to be labelled on one scale, whether it is or not.
        labels: what was said of it.
        mark: from which value on something is good.
    """
    by_item: dict[int, list[Label]] = defaultdict(list)
    for label in labels:
        by_item[label.item].append(label)
    known = [item for item in items if by_item[item.id]]
    alone = {item.id: _by_themselves(by_item[item.id]) for item in known}
    both = [item for item in known if len(alone[item.id]) > 1]
    agreed = sum(len({value >= mark for value in alone[item.id].values()}) == 1 for item in both)
    reviewers = sorted({name for said in alone.values() for name in said})
    pairs = []
    for one, other in combinations(reviewers, 2):
        seen = [
            _Seen(item, alone[item.id][one], alone[item.id][other])
            for item in both
            if {one, other} <= {*alone[item.id]}
        ]
        pairs += _pair(one, other, seen, mark)
    return Agreement(
        items=sum(bool(said) for said in alone.values()),
        several=len(both),
        agreed=agreed,
        share=_share(agreed, len(both)),
        alpha=_alpha([list(alone[item.id].values()) for item in both]),
        reviewers=tuple(reviewers),
        pairs=tuple(pairs),
        judged=tuple(_with_the_judge(items, known, by_item, alone, reviewers, mark)),
        disagreements=tuple(_disagreements(known, alone, mark)),
    )


def _by_themselves(labels: Sequence[Label]) -> dict[str, float]:
    """What each reviewer said without knowing of the others."""
    found = {}
    for label in labels:
        value = label.first if label.settles else label.value
        if value is not None and not label.skipped:
            found[label.by] = value
    return found


def _with_the_judge(
    every: Sequence[Item],
    items: Sequence[Item],
    labels: dict[int, list[Label]],
    alone: dict[int, dict[str, float]],
    reviewers: Sequence[str],
    mark: float,
) -> list[Pair]:
    found = []
    pi = labelled_pi((item for item in every if item.pi is not None), {item.id for item in items})
    items = [item if item.pi is None else replace(item, pi=pi[item.id]) for item in items]
    unseen = {item.id: [label for label in labels[item.id] if not label.saw] for item in items}
    blind = {number: {label.by for label in said} for number, said in unseen.items()}
    for drawn in (True, False):
        judged = [(item, item.judged) for item in items if item.judged is not None and (item.pi is not None) is drawn]
        for name in reviewers:
            mine = [(item, value) for item, value in judged if name in alone[item.id] and name in blind[item.id]]
            seen = [_Seen(item, alone[item.id][name], value) for item, value in mine]
            found += _pair(name, JUDGE, seen, mark)
        if len(reviewers) > 1:
            said = [(item, together(unseen[item.id], mark), value) for item, value in judged]
            seen = [_Seen(item, each.value, value) for item, each, value in said if each is not None]
            found += _pair(PEOPLE, JUDGE, seen, mark)
    return found


def _pair(one: str, other: str, seen: Sequence[_Seen], mark: float) -> list[Pair]:
    """Two who saw the same, if they did."""
    if not seen:
        return []
    mine, theirs = [each.one >= mark for each in seen], [each.other >= mark for each in seen]
    weights = [1 / each.item.pi for each in seen if each.item.pi is not None]
    drawn = other == JUDGE and len(weights) == len(seen)
    clusters = [each.item.session or each.item.trace for each in seen]
    table = Confusion.of(mine, theirs, weights if drawn else None, clusters)
    rate = table.rate(table.good_passed + table.bad_failed, table.n)
    assert rate is not None
    counts = [sum((a, b) == cell for a, b in zip(mine, theirs, strict=True)) for cell in _CELLS]
    return [
        Pair(
            one=one,
            other=other,
            n=len(seen),
            agreed=counts[0] + counts[3],
            share=Figure(rate[0], rate[1].low, rate[1].high),
            kappa=_kappa(mine, theirs, clusters),
            table=(counts[0], counts[1], counts[2], counts[3]),
            drawn=drawn,
        )
    ]


def _kappa(mine: Sequence[bool], theirs: Sequence[bool], clusters: Sequence[str]) -> Figure | None:
    """Kappa, its interval the wider the fewer items stand alone, as the turns of a session do not."""
    kappa, plain = cohen_kappa(mine, theirs), Confusion.of(mine, theirs, None, clusters)
    if kappa.value is None or kappa.interval is None:
        return None
    by = sqrt(plain.n / plain.effective)
    low, high = (kappa.value + (end - kappa.value) * by for end in (kappa.interval.low, kappa.interval.high))
    return Figure(kappa.value, max(-1.0, low), min(1.0, high))


_CELLS = ((True, True), (True, False), (False, True), (False, False))


def _disagreements(items: Sequence[Item], alone: dict[int, dict[str, float]], mark: float) -> list[Disagreement]:
    found = []
    for item in items:
        said = list(alone[item.id].items())
        if said and item.judged is not None:
            said.append((JUDGE, item.judged))
        if len({value >= mark for _, value in said}) > 1:
            found.append(Disagreement(item, tuple(said)))
    return found


def _share(agreed: int, n: int) -> Figure | None:
    if not n:
        return None
    ends = wilson(agreed, n)
    return Figure(agreed / n, ends.low, ends.high)


def _alpha(ratings: Sequence[Sequence[float]]) -> Figure | None:
    """Krippendorff's alpha with its 95 % interval.

    Source: the interval by the jackknife that leaves out a group of items at a time (Wolter, 2007, "Introduction to
    variance estimation", chapter 4). Where one group has all that differs, it tells nothing: the interval is all that
    alpha may be. Where all agree, as for kappa: Wilson's of the agreement, at what chance gives.
    """
    alpha = krippendorff_alpha(ratings, level="interval")
    if alpha is None:
        return None
    groups = min(len(ratings), _GROUPS)
    without = [[each for place, each in enumerate(ratings) if place % groups != left] for left in range(groups)]
    found = [each for each in (krippendorff_alpha(some, level="interval") for some in without) if each is not None]
    if alpha < 1 and len(found) < max(groups, 2):
        return Figure(alpha, -1.0, 1.0)
    if alpha < 1:
        middle = sum(found) / len(found)
        half = _Z * sqrt((len(found) - 1) / len(found) * sum((each - middle) ** 2 for each in found))
        return Figure(alpha, max(-1.0, alpha - half), min(1.0, alpha + half))
    values = [value for each in ratings for value in each]
    mean = sum(values) / len(values)
    chance = 2 * sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    doubt = 1 - wilson(len(ratings), len(ratings)).low
    return Figure(alpha, max(-1.0, alpha - doubt / chance), min(1.0, alpha + doubt / chance))
