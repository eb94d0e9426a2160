"""From several verdicts to one: both orders of a pair, the votes of a panel, a cheap model's and a dear one's."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from gatewatch.core.score import Score
from gatewatch.core.trace import total_usage
from gatewatch.scorers.reply import of_clauses
from gatewatch.scorers.scale import Scale

_APART = 0.5  # of the scale: from there on two votes say something else
UNREADABLE = "the judge's reply could not be read"
"""How the explanation of a score begins that a judge's reply did not become."""


class Vote(NamedTuple):
    """What one asking of one model came to; `model` is the name the model is configured under."""

    model: str
    score: Score


def agree(cast: Sequence[Vote]) -> bool:
    """Whether all votes could be read, and say the same."""
    return all(vote.score.status != "scorer_error" for vote in cast) and len({vote.score.label for vote in cast}) == 1


def _split(scores: Sequence[Score]) -> bool:
    """Whether some scores say something else: are far apart, or, where they are no numbers, differ."""
    values = [score.value for score in scores if score.value is not None]
    if len(values) == len(scores):
        return bool(values) and max(values) - min(values) >= _APART
    return len({score.label for score in scores}) > 1


def decided(cast: Sequence[Vote], scale: Scale, *, keyed: bool) -> Score:
    """What votes come to: the mean of grades, or the verdict that more than half of them name.

    Votes that cannot be read are left out as long as more than half can be; else the score is unknown, as it is where
    no verdict has a majority. `keyed` says that the models are named by what they are configured under.

    Source: Verga et al., Replacing judges with juries, arXiv 2404.18796 (a panel's grades averaged, its votes counted).
    """
    paid = _paid(cast, keyed=keyed)
    if len(cast) == 1:
        return replace(cast[0].score, model=paid.model)
    read = [vote for vote in cast if vote.score.status != "scorer_error"]
    if not keyed and len({vote.score.model for vote in read}) > 1:
        return replace(paid, explanation=f"the model changed between votes: it answered as {paid.model}")
    paid = replace(paid, split=_split([vote.score for vote in read]))
    if 2 * len(read) <= len(cast):
        lost = next(vote.score for vote in cast if vote.score.status == "scorer_error")
        return replace(paid, explanation=f"{len(cast) - len(read)} of {len(cast)} votes are lost: {lost.explanation}")
    if scale.kind == "policy":
        return _on_clauses(read, paid)
    said = ", ".join(f"{vote.model}: {vote.score.label}" for vote in read)
    if scale.kind in ("graded", "pairwise"):
        values = [vote.score.value for vote in read if vote.score.value is not None]
        value = sum(values) / len(values)
        nearest = min(read, key=lambda vote: abs((vote.score.value or 0.0) - value)).score
        label = nearest.label if scale.kind == "pairwise" else f"{scale.low + value * (scale.high - scale.low):.3g}"
        return replace(paid, value=value, status="scored", label=label, explanation=f"[{said}] {nearest.explanation}")
    label, count = Counter(vote.score.label for vote in read).most_common(1)[0]
    if 2 * count <= len(read):
        return replace(paid, explanation=f"the votes are split: {said}")
    won = next(vote.score for vote in read if vote.score.label == label)
    return replace(paid, value=won.value, status=won.status, label=label, explanation=f"[{said}] {won.explanation}")


def _on_clauses(read: Sequence[Vote], paid: Score) -> Score:
    """A policy is voted on clause by clause."""
    parts: dict[str, Score] = {}
    for clause in read[0].score.parts:
        verdicts = [vote.score.parts[clause] for vote in read]
        paid = replace(paid, split=paid.split or _split(verdicts))
        label, count = Counter(each.label for each in verdicts).most_common(1)[0]
        if 2 * count <= len(read):
            said = ", ".join(f"{vote.model}: {vote.score.parts[clause].label}" for vote in read)
            return replace(paid, explanation=f"the votes on {clause} are split: {said}")
        parts[clause] = next(each for each in verdicts if each.label == label)
    value, label, explanation, _ = of_clauses(parts)
    status = "skipped" if value is None else "scored"
    return replace(paid, value=value, status=status, label=label, explanation=explanation, parts=parts)


def escalated(cast: Sequence[Vote], last: Vote) -> Score:
    """What a dearer model says where cheaper ones did not agree; what all of them cost is added up."""
    said = ", ".join(f"{vote.model}: {vote.score.label or _no_label(vote.score)}" for vote in cast)
    paid, score = _paid([*cast, last], keyed=True), last.score
    why = f"[{said}; {last.model} decides] {score.explanation}"
    apart = _split([vote.score for vote in cast])
    return replace(score, explanation=why, cost=paid.cost, usage=paid.usage, model=paid.model, split=apart)


def _no_label(score: Score) -> str:
    return "unreadable" if score.explanation.startswith(UNREADABLE) else "no answer"


def _paid(cast: Iterable[Vote], *, keyed: bool) -> Score:
    """An unknown score that has what all votes cost, and the models that answered."""
    scores = [vote.score for vote in cast]
    costs = [score.cost for score in scores if score.cost is not None]
    named = dict.fromkeys(f"{v.model}={v.score.model}" if keyed else v.score.model for v in cast if v.score.model)
    return Score(
        status="scorer_error",
        source="judge",
        cost=sum(costs[1:], costs[0]) if costs else None,
        usage=total_usage(score.usage for score in scores),
        model=", ".join(named),
    )


# Pairs

_SHOWN_FIRST = "shown first, "
_WORDS = {1.0: "win", 0.5: "tie", 0.0: "loss"}
_LABELS = frozenset({*_WORDS.values(), "first", "second"})


def of_both_orders(first: Score, second: Score) -> Score:
    """The verdict on a pair that was shown in both orders: the judged output first, then the other one first.

    The value is the mean of the two. The label is "win", "loss" or "tie" where the orders agree; "first" or "second"
    where the judge chose what stood there, whichever it was; else both verdicts, such as "win/tie".
    """
    paid = _paid([Vote("", first), Vote("", second)], keyed=False)
    for shown, score in (("first", first), ("second", second)):
        if score.value is None:
            return replace(paid, status=score.status, explanation=f"shown {shown}: {score.explanation}")
    assert first.value is not None
    assert second.value is not None
    if first.model != second.model:
        return replace(paid, explanation=f"the model changed between the orders: it answered as {paid.model}")
    one, other = _WORDS[first.value], _WORDS[1.0 - second.value]
    label = (
        one
        if one == other
        else {"win": "first", "loss": "second"}[one]
        if "tie" not in (one, other)
        else f"{one}/{other}"
    )
    why = f"{_SHOWN_FIRST}{one}: {first.explanation}\nshown second, {other}: {second.explanation}"
    return replace(paid, value=(first.value + 1.0 - second.value) / 2, status="scored", label=label, explanation=why)


def was_shown_both_ways(score: Score) -> bool:
    """Whether a judge's score is of a pair that it was shown in both orders."""
    return _SHOWN_FIRST in score.explanation and score.label.partition("/")[0] in _LABELS


def orders_of(label: str) -> tuple[str, str]:
    """From the label of a pair to what was chosen in each order, in terms of the pair: a is the judged output."""
    if label in ("first", "second"):
        return ("a", "b") if label == "first" else ("b", "a")
    one, _, other = label.partition("/")
    sides = {"win": "a", "loss": "b", "tie": "tie"}
    return sides[one], sides[other or one]
