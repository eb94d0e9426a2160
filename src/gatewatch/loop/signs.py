"""By what a request is found, and how grave that is: 0..1, where 1 is worst.

| sign | it is found by | severity |
|---|---|---|
| `error`, `timeout` | it gave no answer | 0.9, 0.8 |
| `guardrail` | a guardrail stopped something | 0.8 |
| `thumbs_down`, `escalated`, `abandoned`, `retried` | what its user did | 0.7, 0.6, 0.5, 0.4 |
| `score:NAME` | a value under the pass mark | 0.5 just under it to 0.8 at 0; 0.1 more where a person said it |
| `disagreement:NAME` | two sources, rulers or votes fall on different sides of the pass mark | 0.5 |
| `alert:NAME` | an alert that is not resolved rests on it | page 0.8, ticket 0.6, info 0.4 |
| `unlike:malformed`, `:language`, `:length`, `:topic` | nothing bad is known of it (see `loop.unlike`) | 0.2 |

A request is counted once, under the first of its signs in this order, a score that is contradicted after all others;
its severity is that of the gravest.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from gatewatch.core import marks
from gatewatch.core.review import is_right
from gatewatch.core.watch import Alert, Severity
from gatewatch.loop.label import RIGHT
from gatewatch.store.rows import Row
from gatewatch.store.values import Told

PASS_AT = 0.5
"""The pass mark of a scorer for which no suite states one."""
UNLIKE = 0.2
"""How grave it is to be unlike anything that is tested."""
PEOPLE = ("human", "feedback")
"""Sources that speak as they like: nobody drew what they speak of, but where they have a probability of their own."""

_BY_MARK = {"guardrail": 0.8, "thumbs_down": 0.7, "escalated": 0.6, "abandoned": 0.5, "retried": 0.4}
_BY_ERROR = {"error": 0.9, "timeout": 0.8}
_BY_ALERT: Mapping[Severity, float] = {"page": 0.8, "ticket": 0.6, "info": 0.4}
_ORDER = ("error", "timeout", *_BY_MARK, "score", "disagreement", "alert", "unlike")
_FORMAL = ("error", "timeout", "unlike:malformed", "unlike:language", "unlike:length")
_DISAGREEMENT = 0.5
_MARKED = frozenset({"thumbs", "retried", "abandoned", "escalated", "copied"})  # feedback that sets a mark, too


class Sign(NamedTuple):
    """What a request was found by, and with which probability it came to be. `scorer` is whose low score it was, and
    `value` the score."""

    name: str
    severity: float
    pi: float
    scorer: str = ""
    value: float | None = None


def formal(sign: str) -> bool:
    """Whether requests of a sign are told apart by a form (an error's message, a language), not by what they ask."""
    return sign in _FORMAL


def signs_of(
    row: Row,
    told: Sequence[Told],
    split: Sequence[str] = (),
    *,
    pass_at: Mapping[str, float],
    alerts: Sequence[Alert] = (),
) -> tuple[Sign, ...]:
    """What is wrong with a request, by all that is known of it; the sign that it counts under first.

    Args:
        row: the request.
        told: the values it was given.
        split: judges whose votes on it differed.
        pass_at: pass marks by scorer; 0.5 where there is none.
        alerts: the alerts that rest on it.
    """
    if not (row.error or row.marks or row.late or split or alerts) and all(
        each.value >= pass_at.get(each.scorer, PASS_AT) for each in told
    ):
        return ()  # as most are
    found = [*_known_of_all(row), *(Sign(f"alert:{each.name}", _BY_ALERT[each.severity], row.share) for each in alerts)]
    if not row.error:  # the scores of what gave no answer say nothing more
        found += _scored(row, told, split, pass_at)
    best = {sign.name: sign for sign in sorted(found, key=lambda sign: sign.severity)}
    contested = {sign.scorer for sign in best.values() if sign.name.startswith("disagreement:")}
    return tuple(sorted(best.values(), key=lambda sign: _place(sign, contested)))


def _known_of_all(row: Row) -> Iterator[Sign]:
    if row.error:
        yield Sign(row.error, _BY_ERROR[row.error], row.share)
    for name in marks.names(row.marks | row.late):
        if name in _BY_MARK:
            yield Sign(name, _BY_MARK[name], row.share)


def _scored(row: Row, told: Sequence[Told], split: Sequence[str], pass_at: Mapping[str, float]) -> Iterator[Sign]:
    liked = bool((row.marks | row.late) & marks.bits(["thumbs_up"])) or any(
        each.source == "human" and each.scorer == RIGHT and is_right(each.value) for each in told
    )
    by_scorer: dict[str, list[Told]] = {}
    for each in told:
        if each.source != "feedback" or each.scorer not in _MARKED:
            by_scorer.setdefault(each.scorer, []).append(each)
    for name, values in by_scorer.items():
        mark = pass_at.get(name, PASS_AT)
        low = [each for each in values if each.value < mark]
        worst = min(low, key=lambda each: (each.value, each.source), default=None)
        if worst is not None:
            grave = 0.5 + 0.3 * (mark - worst.value) / mark + (0.1 if worst.source in PEOPLE else 0.0)
            drawn = [each.pi for each in values if each.source not in PEOPLE]  # people label what was found so
            yield Sign(f"score:{name}", grave, min(1.0, max(drawn, default=worst.pi)), name, worst.value)
        contradicted = liked and any(each.source == "judge" for each in low)
        if name in split or (low and len(low) < len(values)) or contradicted:
            pi = min(each.pi for each in values)
            yield Sign(
                f"disagreement:{name}", _DISAGREEMENT, pi, name, values[0].value if worst is None else worst.value
            )
    for name in split:
        if name not in by_scorer:  # as many for as against: there is no value
            yield Sign(f"disagreement:{name}", _DISAGREEMENT, row.share, name)


def _place(sign: Sign, contested: Collection[str]) -> tuple[bool, int, float, str]:
    """Where a sign stands: a low score behind all others that somebody contradicts."""
    late = sign.name.startswith("score:") and sign.scorer in contested
    return late, _ORDER.index(sign.name.partition(":")[0]), -sign.severity, sign.name
