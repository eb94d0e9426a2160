"""Calibration: how far a scorer may be trusted, from what people say of the same things.

A label is what people say of one thing; a verdict is what the scorer says of it, or nothing where it could not say.
Out of labels and verdicts come the figures of agreement, the rate as people would state it over everything that was
scored, and one word: USABLE, NOT USABLE or TOO FEW LABELS.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import ceil, sqrt
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.scorers.bias import Bias, biases, of_position
from gatewatch.scorers.labels import Label, Value, is_graded, majority, what_is_good
from gatewatch.scorers.suspects import Suspect, suspects
from gatewatch.stats.agreement import (
    Confusion,
    Kappa,
    auc,
    cohen_kappa,
    design_effect,
    fleiss_kappa,
    krippendorff_alpha,
    pairwise_agreement,
    weighted_kappa,
)
from gatewatch.stats.corrected import LEAST_OF_A_VERDICT, post_stratified, prediction_powered
from gatewatch.stats.intervals import Interval, newcombe_difference, wilson

Word = Literal["USABLE", "NOT USABLE", "TOO FEW LABELS"]

FEWEST_LABELS = 50
LEAST_J = 0.4
"""How well a scorer must see: the bound of J that STATISTICS asks for. Of a drop of quality it shows two fifths."""

_MOST_MORE = 100_000
_MOST_GRADES = 101


class Figure(Struct, frozen=True):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Part(Struct, frozen=True):
    """Agreement within one slice; of a scorer that is taken by its ranking, the area under its curve."""

    labels: int
    good: int
    agreement: Figure | None = None
    youden: Figure | None = None
    auc: Figure | None = None


class Calibration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people's labels say about a scorer.

    `labels` is how many things have a label, of which `missing` have no verdict and on `split` of which people do not
    agree; neither is in a figure of agreement. On `agreed` of them the scorer says what people say. `confusion` counts
    people's values against verdicts. `ceiling` is how often two people agree. `rate` is the share that the scorer
    passes, `labelled_rate` what the labels alone say of it, `corrected` people's rate over all that was scored,
    `mean` their mean grade over it. `counts` are the labels of good and of bad things, and `effective` how many labels
    tell as much as those two together, were they drawn alike and each of an origin of its own. `more` is about how many
    more labels would decide.
    """

    word: Word
    why: str
    labels: int
    missing: int
    split: int
    agreed: int = 0
    agreement: Figure | None = None
    kappa: Figure | None = None
    weighted_kappa: Figure | None = None
    confusion: dict[str, dict[str, int]] = {}
    sensitivity: Figure | None = None
    specificity: Figure | None = None
    ppv: Figure | None = None
    npv: Figure | None = None
    youden: Figure | None = None
    auc: Figure | None = None
    counts: tuple[int, int] = (0, 0)
    effective: float = 0.0
    ceiling: float | None = None
    alpha: float | None = None
    fleiss: float | None = None
    rate: float | None = None
    labelled_rate: Figure | None = None
    corrected: Figure | None = None
    mean: Figure | None = None
    population: int = 0
    slices: dict[str, Part] = {}
    biases: tuple[Bias, ...] = ()
    suspects: tuple[Suspect, ...] = ()
    more: int | None = None


def calibrate(
    labels: Sequence[Label],
    *,
    population: Mapping[Any, int] | None = None,
    good: str = "",
    pass_at: float | None = None,
) -> Calibration:
    """Hold a scorer's verdicts against people's labels.

    What is good: true, a number of at least `pass_at`, or the choice `good`. Numbers without a pass mark are held
    against labels that are true or false by their ranking alone: the word goes by 2 AUC - 1 in the place of J, which
    too is 1 for perfect sight and 0 for none. Of several people the majority counts.

    Labels that share a cluster (rows of one document) are not taken for independent: every interval here is as wide as
    their likeness makes it.

    The word: TOO FEW LABELS below 50; USABLE when the lower 95 % bound of J is at least 0.4, NOT USABLE when the
    upper one is below it; else TOO FEW LABELS, with about how many more would tell.

    Args:
        labels: the labels, each with its verdict.
        population: how often the scorer gave each verdict over everything, labelled or not (None: no verdict); without
            it the labels, by their weights, are all that is known of it.
        good: the choice whose rate is meant, where people choose.
        pass_at: the value from which a number counts as a pass.

    Raises:
        ValueError: when there are no labels, or it is not said what is good.
    """
    if not labels:
        raise ValueError("there are no labels")
    said = [label.verdict for label in labels if label.verdict is not None]
    is_good = what_is_good([value for label in labels for value in label.people], said, good=good, pass_at=pass_at)
    decided = [(label, majority(label.people)) for label in labels]
    split = sum(value is None for _, value in decided)
    both = [(label, value) for label, value in decided if value is not None and label.verdict is not None]
    people = [is_good(value) for _, value in both]
    ranked = pass_at is None and any(is_graded(label.verdict) for label, _ in both)
    table = None if ranked or not both else _table(both, people, is_good)
    youden, area = _sight(both, people, table)
    word, why, more = _word(len(both), youden, table)
    found = Calibration(
        word=word,
        why=why,
        labels=len(labels),
        missing=sum(label.verdict is None for label in labels),
        split=split,
        youden=youden,
        auc=area,
        ceiling=pairwise_agreement([label.people for label in labels]),
        alpha=_alpha(labels),
        fleiss=_fleiss(labels),
        more=more,
        suspects=tuple(suspects(decided, is_good, ranked=ranked)),
    )
    fields = {**_agreement(both, table, is_good, pass_at), **_rates(labels, population, is_good, ranked=ranked)}
    fields["slices"] = _slices(both, is_good, ranked=ranked)
    leans = of_position([label.orders for label in labels if label.orders is not None])
    if table is not None:
        leans += biases([(label, value, is_good) for label, value in both])
    fields["biases"] = tuple(leans)
    return replace(found, **fields)


def _table(both: Sequence[tuple[Label, Value]], people: Sequence[bool], is_good: Callable[[Value], bool]) -> Confusion:
    passed = [is_good(label.verdict) for label, _ in both if label.verdict is not None]
    return Confusion.of(people, passed, [label.weight for label, _ in both], _clusters([label for label, _ in both]))


def _clusters(labels: Sequence[Label]) -> list[tuple[str, str]]:
    """The origin of each; what states none has one of its own."""
    return [(label.cluster, "" if label.cluster else label.id) for label in labels]


def _sight(
    both: Sequence[tuple[Label, Value]], people: Sequence[bool], table: Confusion | None
) -> tuple[Figure | None, Figure | None]:
    """J and, where only the ranking counts, the area under the curve that it is made of."""
    if table is not None:
        return _figure(table.youden), None
    labels = [label for label, _ in both]
    scores = [float(row.verdict) for row in labels if row.verdict is not None]
    area = _figure(auc(scores, people, _clusters(labels), [row.weight for row in labels])) if both else None
    return (None if area is None else Figure(*(2 * end - 1 for end in (area.value, area.low, area.high)))), area


def _word(n: int, youden: Figure | None, table: Confusion | None) -> tuple[Word, str, int | None]:
    if n < FEWEST_LABELS:
        return (
            "TOO FEW LABELS",
            f"labelled outputs with a verdict: {n}, and it takes {FEWEST_LABELS}",
            FEWEST_LABELS - n,
        )
    if youden is None:
        return "TOO FEW LABELS", "all that is labelled is good, or all of it bad: label some of the other kind", None
    j = "2 AUC - 1" if table is None else "J"
    said = f"{j} is {youden.value:.2f} [{youden.low:.2f}, {youden.high:.2f}]"
    if youden.low >= LEAST_J:
        return "USABLE", f"{said}: not below {LEAST_J:g}", None
    if youden.high < LEAST_J:
        return "NOT USABLE", f"{said}: below {LEAST_J:g}, so that it sees too little of what people see", None
    more = _more_ranked(n, youden) if table is None else _more(table, youden.value)
    count = "more" if more is None else f"about {more:,} more"
    return "TOO FEW LABELS", f"{said}: {LEAST_J:g} lies within; {count} would tell", more


def _more(table: Confusion, j: float) -> int | None:
    """About how many more labels of the same kind would put the interval of J on one side of the bound."""
    scale, n = table.effective / table.n, table.n
    good, bad = table.good_passed + table.good_failed, table.bad_passed + table.bad_failed
    low, high = 1, _MOST_MORE
    while low < high:
        middle = (low + high) // 2
        by = scale * (n + middle) / n
        bound = newcombe_difference(table.good_passed * by, good * by, table.bad_passed * by, bad * by)
        if bound.low >= LEAST_J or bound.high < LEAST_J:
            high = middle
        else:
            low = middle + 1
    return None if low == _MOST_MORE or j == LEAST_J else low


def _more_ranked(n: int, youden: Figure) -> int | None:
    """As `_more`, where the side of the interval that faces the bound shrinks with the root of the labels."""
    gap = abs(youden.value - LEAST_J)
    side = youden.value - youden.low if youden.value > LEAST_J else youden.high - youden.value
    if gap * sqrt(1 + _MOST_MORE / n) <= side:
        return None
    return max(1, ceil(n * ((side / gap) ** 2 - 1)))


def _agreement(
    both: Sequence[tuple[Label, Value]],
    table: Confusion | None,
    is_good: Callable[[Value], bool],
    pass_at: float | None,
) -> dict[str, Any]:
    if not both or table is None:
        return {}
    people, verdicts = [value for _, value in both], [label.verdict for label, _ in both]
    if pass_at is not None:
        said, meant = [is_good(value) for value in people], [is_good(v) for v in verdicts if v is not None]
    else:
        said, meant = list(people), list(verdicts)  # type: ignore[arg-type]
    agreed = sum(one == other for one, other in zip(said, meant, strict=True))
    alone = table.effective / table.n
    counted: dict[str, dict[str, int]] = {}
    for one, other in zip(said, meant, strict=True):
        row = counted.setdefault(_name(one), {})
        row[_name(other)] = row.get(_name(other), 0) + 1
    good = sum(is_good(value) for value in people)
    found: dict[str, Any] = {
        "agreed": agreed,
        "agreement": _figure(table.rate(agreed, len(both))),
        "kappa": _of_kappa(cohen_kappa(said, meant), alone),
        "confusion": counted,
        "counts": (good, len(both) - good),
        "effective": table.effective,
        **{name: _figure(getattr(table, name)) for name in ("sensitivity", "specificity", "ppv", "npv")},
    }
    if any(is_graded(value) for value in people):
        grades = [[float(value) for value in side if value is not None] for side in (people, verdicts)]
        if len(set(grades[0])) <= _MOST_GRADES >= len(set(grades[1])):
            found["weighted_kappa"] = _of_kappa(weighted_kappa(grades[0], grades[1], weights="quadratic"), alone)
    return found


def _of_kappa(kappa: Kappa, alone: float) -> Figure | None:
    """Kappa, its interval the wider the fewer labels stand alone (`alone` is their share)."""
    if kappa.value is None or kappa.interval is None:
        return None
    by = 1 / sqrt(alone)
    low, high = (kappa.value + (end - kappa.value) * by for end in (kappa.interval.low, kappa.interval.high))
    return Figure(kappa.value, max(-1.0, low), min(1.0, high))


def _name(value: Value) -> str:
    return ("good" if value else "bad") if isinstance(value, bool) or value in (0, 1) else str(value)


def _rates(
    labels: Sequence[Label], population: Mapping[Any, int] | None, is_good: Callable[[Value], bool], *, ranked: bool
) -> dict[str, Any]:
    """The share of good things: as the scorer has it, as the labels alone have it, and as people would over
    everything."""
    values = [sum(map(is_good, label.people)) / len(label.people) for label in labels]
    weights, clusters = [label.weight for label in labels], _clusters(labels)
    total = sum(weights)
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True)) / total
    parts = [weight * (value - mean) for value, weight in zip(values, weights, strict=True)]
    effective = total**2 / sum(weight**2 for weight in weights) / design_effect(parts, clusters)
    found: dict[str, Any] = {"labelled_rate": _figure((mean, wilson(mean * effective, effective)))}
    counts = Counter[Any]()
    if population is None:
        for label in labels:
            counts[label.verdict] += label.weight * effective / total  # type: ignore[assignment]
    else:
        counts.update(population)
    found["population"] = len(labels) if population is None else counts.total()
    if ranked:
        found["corrected"] = _powered(labels, values, population)
        return found
    if any(is_graded(value) for label in labels for value in label.people):
        grades = [sum(map(float, label.people)) / len(label.people) for label in labels]
        found["mean"] = _powered(labels, grades, population)
    told = {verdict: count for verdict, count in counts.items() if verdict is not None}
    if told:
        found["rate"] = sum(count for verdict, count in told.items() if is_good(verdict)) / sum(told.values())
    verdicts = [label.verdict for label in labels]
    often = {verdict for verdict, count in Counter(verdicts).items() if count >= LEAST_OF_A_VERDICT}

    def stratum(verdict: Value | None) -> Value | None:
        # A grade that is rare is known by its side of the pass mark, without which grades in all shades tell nothing.
        return verdict if verdict in often or not is_graded(verdict) else f"good {is_good(verdict)}"  # type: ignore[arg-type]

    shares = Counter[Any]()
    for verdict, count in counts.items():
        shares[stratum(verdict)] += count
    corrected = post_stratified([stratum(v) for v in verdicts], values, shares, weights=weights, clusters=clusters)
    found["corrected"] = _figure((corrected.mean, corrected.interval))
    return found


def _powered(labels: Sequence[Label], values: Sequence[float], population: Mapping[Any, int] | None) -> Figure | None:
    """The mean of what people say over everything, from a part and the scorer's values on the rest (PPI++).

    It takes labels that were drawn alike, and something that has none.
    """
    both = [(label, value) for label, value in zip(labels, values, strict=True) if label.verdict is not None]
    rest = Counter[Any](dict(population or {})) - Counter(label.verdict for label, _ in both)
    others = [float(verdict) for verdict in rest.elements() if verdict is not None]
    if len(both) < 2 or not others or len({label.weight for label, _ in both}) > 1:
        return None
    judged = [float(label.verdict) for label, _ in both if label.verdict is not None]
    clusters = _clusters([label for label, _ in both])
    found = prediction_powered([value for _, value in both], judged, others, clusters=clusters)
    return _figure((found.mean, found.interval))


def _alpha(labels: Sequence[Label]) -> float | None:
    ratings = [label.people for label in labels]
    if not any(len(each) > 1 for each in ratings):
        return None
    graded = any(is_graded(value) for each in ratings for value in each)
    return krippendorff_alpha(ratings, level="interval" if graded else "nominal")


def _fleiss(labels: Sequence[Label]) -> float | None:
    """Fleiss' kappa, where everything was labelled by as many people."""
    raters = {len(label.people) for label in labels}
    return fleiss_kappa([label.people for label in labels]) if len(raters) == 1 and raters != {1} else None


def _slices(both: Sequence[tuple[Label, Value]], is_good: Callable[[Value], bool], *, ranked: bool) -> dict[str, Part]:
    by_slice: dict[str, list[tuple[Label, Value]]] = {}
    for label, value in both:
        if label.slice:
            by_slice.setdefault(label.slice, []).append((label, value))
    found = {}
    for name, pairs in sorted(by_slice.items()):
        people = [is_good(value) for _, value in pairs]
        table = None if ranked else _table(pairs, people, is_good)
        youden, area = _sight(pairs, people, table)
        agreement = None
        if table is not None:
            agreed = sum(good == is_good(label.verdict) for good, (label, _) in zip(people, pairs, strict=True))  # type: ignore[arg-type]
            agreement = _figure(table.rate(agreed, len(pairs)))
        found[name] = Part(len(pairs), sum(people), agreement, youden, area)
    return found


def _figure(found: tuple[float, Interval] | None) -> Figure | None:
    return None if found is None else Figure(found[0], found[1].low, found[1].high)
