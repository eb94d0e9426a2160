"""Calibration: how far a scorer may be trusted, from what people say of the same things.

A label is what people say of one thing; a verdict is what the scorer says of it, or nothing where it could not say.
Out of labels and verdicts come the figures of agreement, the rate as people would state it over everything that was
scored, and one word: USABLE, NOT USABLE or TOO FEW LABELS.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.scorers.bias import Bias, biases, of_position
from gatewatch.scorers.labels import Label, Value, majority
from gatewatch.stats.agreement import (
    Confusion,
    auc,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    pairwise_agreement,
    weighted_kappa,
)
from gatewatch.stats.corrected import post_stratified, prediction_powered
from gatewatch.stats.intervals import Interval, cluster_se, newcombe_difference, wilson

Word = Literal["USABLE", "NOT USABLE", "TOO FEW LABELS"]

FEWEST_LABELS = 50
LEAST_J = 0.4
"""How well a scorer must see: the bound of J that STATISTICS asks for. Of a drop of quality it shows two fifths."""

_MOST_MORE = 100_000
_MOST_SUSPECTS = 50


class Figure(Struct, frozen=True):
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


class Part(Struct, frozen=True):
    """Agreement within one slice."""

    labels: int
    agreement: Figure
    youden: Figure | None


class Suspect(Struct, frozen=True):
    """A label worth looking at again, and why."""

    id: str
    people: tuple[Value, ...]
    verdict: Value | None
    why: str


class Calibration(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What people's labels say about a scorer.

    `labels` is how many things have a label, of which `missing` have no verdict and on `split` of which people do not
    agree; neither is in a figure of agreement. On `agreed` of them the scorer says what people say. `confusion` counts
    people's values against verdicts. `ceiling` is how often two people agree. `rate` is the share that the scorer
    passes, `labelled_rate` what the labels alone say of it, `corrected` people's rate over all that was scored,
    `mean` their mean grade over it. `counts` are the labels of good and of bad things. `more` is about how many more
    labels would decide.
    """

    word: Word
    why: str
    labels: int
    missing: int
    split: int
    agreed: int = 0
    agreement: Figure | None = None
    kappa: Figure | None = None
    weighted_kappa: float | None = None
    confusion: dict[str, dict[str, int]] = {}
    sensitivity: Figure | None = None
    specificity: Figure | None = None
    ppv: Figure | None = None
    npv: Figure | None = None
    youden: Figure | None = None
    auc: Figure | None = None
    counts: tuple[int, int] = (0, 0)
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
    against labels that are true or false by their ranking alone: J is then 2 AUC - 1, which it is at best for any
    pass mark of a symmetric scorer. Of several people the majority counts.

    The word: TOO FEW LABELS below 50; USABLE when the lower 95 % bound of J is at least 0.4, NOT USABLE when the
    upper one is below it; else TOO FEW LABELS, with about how many more would tell.

    Args:
        labels: the labels, each with its verdict.
        population: how often the scorer gave each verdict over everything, labelled or not (None: no verdict); without
            it the labels are the population.
        good: the choice whose rate is meant, where people choose.
        pass_at: the value from which a number counts as a pass.

    Raises:
        ValueError: when there are no labels, or it is not said what is good.
    """
    if not labels:
        raise ValueError("there are no labels")
    is_good = _reader(labels, good, pass_at)
    decided = [(label, majority(label.people)) for label in labels]
    split = sum(value is None for _, value in decided)
    both = [(label, value) for label, value in decided if value is not None and label.verdict is not None]
    people = [is_good(value) for _, value in both]
    ranked = pass_at is None and any(_is_graded(label.verdict) for label, _ in both)
    table = None if ranked or not both else _table(both, people, is_good)
    youden, area = _sight(both, people, table)
    word, why, more = _word(len(both), youden, table, ranked=ranked)
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
        suspects=tuple(_suspects(decided, is_good, ranked=ranked)),
    )
    fields = {**_agreement(both, table, is_good, pass_at), **_rates(labels, population, is_good, ranked=ranked)}
    leans = of_position([label.orders for label in labels if label.orders is not None])
    if table is not None:
        fields["slices"] = _slices(both, is_good)
        leans += biases([(label, value, is_good) for label, value in both])
    fields["biases"] = tuple(leans)
    return replace(found, **fields)


def _is_graded(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and value not in (0, 1)


def _reader(labels: Sequence[Label], good: str, pass_at: float | None) -> Callable[[Value], bool]:
    every = [value for label in labels for value in label.people]
    said = [label.verdict for label in labels if label.verdict is not None]
    if len({isinstance(value, str) for value in (*every, *said)}) > 1:
        mixed = ", ".join(dict.fromkeys(repr(value) for value in (*every, *said)))
        raise ValueError(f"labels and verdicts must be choices, or not be, all of them: there are {mixed[:200]}")
    if any(isinstance(value, str) for value in every):
        choices = sorted({str(value) for value in every})
        if good not in choices:
            what = f"{good!r} is none of the choices" if good else "which choice is good is not said"
            raise ValueError(f"{what}: name one of {', '.join(choices)}")
        return lambda value: value == good
    if pass_at is not None:
        return lambda value: float(value) >= pass_at
    if any(_is_graded(value) for value in every):
        raise ValueError(
            "people give grades, so that it has to be said from which on one is a pass: give pass_at (--pass-at)"
        )
    return bool


def _table(both: Sequence[tuple[Label, Value]], people: Sequence[bool], is_good: Callable[[Value], bool]) -> Confusion:
    """The counts, with as many effective labels as there are when those of one cluster tell the same."""
    passed = [is_good(label.verdict) for label, _ in both if label.verdict is not None]
    table = Confusion.of(people, passed, [label.weight for label, _ in both])
    clusters = [label.cluster or label.id for label, _ in both]
    agreed = [float(one == other) for one, other in zip(people, passed, strict=True)]
    if len(set(clusters)) < len(clusters):
        _, clustered, groups = cluster_se(agreed, clusters)
        _, alone, _ = cluster_se(agreed, list(range(len(agreed))))
        if groups > 1 and clustered > alone > 0:
            return replace(table, effective=table.effective * (alone / clustered) ** 2)
    return table


def _sight(
    both: Sequence[tuple[Label, Value]], people: Sequence[bool], table: Confusion | None
) -> tuple[Figure | None, Figure | None]:
    """J and, where only the ranking counts, the area under the curve that it is made of."""
    if table is not None:
        return _figure(table.youden), None
    scores = [float(label.verdict) for label, _ in both if label.verdict is not None]
    area = _figure(auc(scores, people, [label.cluster or label.id for label, _ in both])) if both else None
    return (None if area is None else Figure(*(2 * end - 1 for end in (area.value, area.low, area.high)))), area


def _word(n: int, youden: Figure | None, table: Confusion | None, *, ranked: bool) -> tuple[Word, str, int | None]:
    j = "2 AUC - 1" if ranked else "J"
    if n < FEWEST_LABELS:
        return "TOO FEW LABELS", f"labels with a verdict: {n}, and it takes {FEWEST_LABELS}", FEWEST_LABELS - n
    if youden is None:
        return "TOO FEW LABELS", "all that is labelled is good, or all of it bad: label some of the other kind", None
    said = f"{j} is {youden.value:.2f} [{youden.low:.2f}, {youden.high:.2f}]"
    if youden.low >= LEAST_J:
        return "USABLE", f"{said}: not below {LEAST_J:g}", None
    if youden.high < LEAST_J:
        return "NOT USABLE", f"{said}: below {LEAST_J:g}, so that it sees too little of what people see", None
    more = None if table is None else _more(table, youden.value)
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
    kappa = cohen_kappa(said, meant)
    counted: dict[str, dict[str, int]] = {}
    for one, other in zip(said, meant, strict=True):
        row = counted.setdefault(_name(one), {})
        row[_name(other)] = row.get(_name(other), 0) + 1
    good = sum(is_good(value) for value in people)
    found: dict[str, Any] = {
        "agreed": agreed,
        "agreement": _figure((agreed / len(both), wilson(agreed, len(both)))),
        "kappa": None if kappa.value is None or kappa.interval is None else _figure((kappa.value, kappa.interval)),
        "confusion": counted,
        "counts": (good, len(both) - good),
        **{name: _figure(getattr(table, name)) for name in ("sensitivity", "specificity", "ppv", "npv")},
    }
    if pass_at is not None:
        steps = sorted({float(value) for value in (*people, *verdicts) if value is not None})
        rank = {value: place for place, value in enumerate(steps)}
        ranks = [[rank[float(v)] for v in side if v is not None] for side in (people, verdicts)]
        found["weighted_kappa"] = weighted_kappa(ranks[0], ranks[1], weights="quadratic")
    return found


def _name(value: Value) -> str:
    return ("good" if value else "bad") if isinstance(value, bool) or value in (0, 1) else str(value)


def _rates(
    labels: Sequence[Label], population: Mapping[Any, int] | None, is_good: Callable[[Value], bool], *, ranked: bool
) -> dict[str, Any]:
    """The share of good things: as the scorer has it, as the labels alone have it, and as people would over
    everything."""
    values = [sum(map(is_good, label.people)) / len(label.people) for label in labels]
    weights = [label.weight for label in labels]
    total = sum(weights)
    mean = sum(value * weight for value, weight in zip(values, weights, strict=True)) / total
    effective = total**2 / sum(weight**2 for weight in weights)
    found: dict[str, Any] = {"labelled_rate": _figure((mean, wilson(mean * effective, effective)))}
    counts = Counter(label.verdict for label in labels) if population is None else Counter(dict(population))
    found["population"] = counts.total()
    if ranked:
        return found
    if any(_is_graded(value) for label in labels for value in label.people) and len(set(weights)) == 1:
        found["mean"] = _mean_grade(labels, counts)
    told = {verdict: count for verdict, count in counts.items() if verdict is not None}
    if told:
        found["rate"] = sum(count for verdict, count in told.items() if is_good(verdict)) / sum(told.values())
    corrected = post_stratified([label.verdict for label in labels], values, counts, weights=weights)
    found["corrected"] = _figure((corrected.mean, corrected.interval))
    return found


def _mean_grade(labels: Sequence[Label], counts: Counter[Any]) -> Figure | None:
    """People's mean grade over everything, from their grades on a part and the scorer's on the rest (PPI++)."""
    both = [label for label in labels if label.verdict is not None]
    rest = counts - Counter(label.verdict for label in both)
    others = [float(verdict) for verdict in rest.elements() if verdict is not None]
    if len(both) < 2 or not others:
        return None
    people = [sum(map(float, label.people)) / len(label.people) for label in both]
    found = prediction_powered(people, [float(label.verdict or 0.0) for label in both], others)
    return Figure(found.mean, max(0.0, found.interval.low), min(1.0, found.interval.high))


def _alpha(labels: Sequence[Label]) -> float | None:
    ratings = [label.people for label in labels]
    if not any(len(each) > 1 for each in ratings):
        return None
    graded = any(_is_graded(value) for each in ratings for value in each)
    return krippendorff_alpha(ratings, level="interval" if graded else "nominal")


def _fleiss(labels: Sequence[Label]) -> float | None:
    """Fleiss' kappa, where everything was labelled by as many people."""
    raters = {len(label.people) for label in labels}
    return fleiss_kappa([label.people for label in labels]) if len(raters) == 1 and raters != {1} else None


def _slices(both: Sequence[tuple[Label, Value]], is_good: Callable[[Value], bool]) -> dict[str, Part]:
    by_slice: dict[str, list[tuple[bool, bool]]] = {}
    for label, value in both:
        if label.verdict is not None and label.slice:
            by_slice.setdefault(label.slice, []).append((is_good(value), is_good(label.verdict)))
    found = {}
    for name, pairs in sorted(by_slice.items()):
        agreed = sum(one == other for one, other in pairs)
        table = Confusion.of([one for one, _ in pairs], [other for _, other in pairs])
        agreement = wilson(agreed, len(pairs))
        figure = Figure(agreed / len(pairs), agreement.low, agreement.high)
        found[name] = Part(len(pairs), figure, _figure(table.youden))
    return found


def _suspects(
    decided: Sequence[tuple[Label, Value | None]], is_good: Callable[[Value], bool], *, ranked: bool
) -> list[Suspect]:
    """Labels to look at again: first those that people are split on, then those that the scorer contradicts."""
    found = [
        Suspect(label.id, label.people, label.verdict, "people are split") for label, value in decided if value is None
    ]
    if not ranked:
        against = [
            (label, value)
            for label, value in decided
            if value is not None and label.verdict is not None and is_good(value) != is_good(label.verdict)
        ]
        # One person's word against a judge that is sure (the same in both orders) is the likeliest slip.
        against.sort(key=lambda pair: (len(pair[0].people), not _sure(pair[0])))
        found += [
            Suspect(
                label.id, label.people, label.verdict, "contradicted" + (", in both orders" if _sure(label) else "")
            )
            for label, _ in against
        ]
    return found[:_MOST_SUSPECTS]


def _sure(label: Label) -> bool:
    return label.orders is not None and label.orders[0] == label.orders[1]


def _figure(found: tuple[float, Interval] | None) -> Figure | None:
    return None if found is None else Figure(found[0], found[1].low, found[1].high)
