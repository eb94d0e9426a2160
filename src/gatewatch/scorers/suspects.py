"""Labels that are worth looking at again."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from gatewatch.scorers.labels import Label, Value

_MOST = 200
_EXPLAINED = 300


class Suspect(Struct, frozen=True, omit_defaults=True):
    """A label worth looking at again, and why; `explanation` is the scorer's own, cut to 300 characters."""

    id: str
    people: tuple[Value, ...]
    verdict: Value | None
    why: str
    explanation: str = ""


def suspects(
    decided: Sequence[tuple[Label, Value | None]], is_good: Callable[[Value], bool], *, ranked: bool
) -> list[Suspect]:
    """Labels to look at again, 200 of a kind at the most: first those that people are split on, then those that the
    scorer contradicts."""
    found = [_suspect(label, "people are split") for label, value in decided if value is None][:_MOST]
    if ranked:
        return found
    against = [
        label
        for label, value in decided
        if value is not None and label.verdict is not None and is_good(value) != is_good(label.verdict)
    ]
    # One person's word against a judge that is sure (the same in both orders) is the likeliest slip.
    against.sort(key=lambda label: (len(label.people), not _sure(label)))
    for label in against[:_MOST]:
        found.append(_suspect(label, "contradicted" + (", in both orders" if _sure(label) else "")))
    return found


def _suspect(label: Label, why: str) -> Suspect:
    return Suspect(label.id, label.people, label.verdict, why, label.explanation[:_EXPLAINED])


def _sure(label: Label) -> bool:
    return label.orders is not None and label.orders[0] == label.orders[1]
