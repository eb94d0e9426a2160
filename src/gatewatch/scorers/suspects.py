"""Labels that are worth looking at again."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from gatewatch.scorers.labels import Label, Value

_MOST = 50


class Suspect(Struct, frozen=True):
    """A label worth looking at again, and why."""

    id: str
    people: tuple[Value, ...]
    verdict: Value | None
    why: str


def suspects(
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
    return found[:_MOST]


def _sure(label: Label) -> bool:
    return label.orders is not None and label.orders[0] == label.orders[1]
