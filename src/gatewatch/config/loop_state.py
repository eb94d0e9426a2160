"""How that part of the loop stands which people do: failures to look at, requests to label, changes for git."""

from collections import Counter
from collections.abc import Iterable, Mapping

from msgspec import Struct

from gatewatch.config.labelling import every_item, labels_of
from gatewatch.core.change import Change
from gatewatch.core.failure import Failure
from gatewatch.core.review import Item, Label
from gatewatch.loop.agreement import Agreement, Figure
from gatewatch.loop.mine import rank
from gatewatch.online.monitor import DAY_S
from gatewatch.store.base import Store

WEEK_S = 7 * DAY_S
DAYS = 14
"""How many days trends of the loop have."""
_TO_DO = ("new", "regressed", "in_review")


class FailuresState(Struct, frozen=True, kw_only=True):
    """Failures: how many are `new` within a week, and the gravest of these (`worst_new`); which came back and wait
    since, however long (`regressed`); how many are `open` in all (not promoted, fixed, or ignored), and the
    gravest of these; how many are known since each of the last days, and when the newest came (None: there is none)."""

    new: int
    regressed: tuple[Failure, ...]
    open: int
    worst: Failure | None
    worst_new: Failure | None = None
    by_day: tuple[int, ...]
    newest: float | None


class ReviewState(Struct, frozen=True, kw_only=True):
    """Review: how many items wait, since when the oldest does, which are disputed, and how many labels came by day."""

    waiting: int
    oldest: float | None
    disputed: tuple[Item, ...]
    settled: int
    by_day: tuple[int, ...]


class Agreed(Struct, frozen=True, kw_only=True):
    """How far reviewers agree on items of which several labelled the same: on whose scale ("" asks whether the answer
    is right), on how many of how many, and the share with its 95 % interval."""

    scorer: str
    agreed: int
    several: int
    share: Figure


class Outbox(Struct, frozen=True):
    """Changes for git that wait to be pulled: how many, and since when the oldest does."""

    pending: int
    oldest: float | None


def failures_state(store: Store, now: float) -> FailuresState:
    """How failures stand."""
    every = store.failures()
    to_do = [each for each in every if each.state in _TO_DO]
    fresh = [each for each in to_do if each.state != "regressed" and now - each.opened < WEEK_S]
    return FailuresState(
        new=len(fresh),
        regressed=tuple(each for each in to_do if each.state == "regressed"),
        open=len(to_do),
        worst=min(to_do, key=rank, default=None),
        worst_new=min(fresh, key=rank, default=None),
        by_day=_by_day((each.opened for each in every), now),
        newest=max((each.opened for each in every), default=None),
    )


def review_state(items: Iterable[Item], labels: Iterable[Label], now: float) -> ReviewState:
    """How review stands, of all items and their labels."""
    found = list(items)
    waiting = [each for each in found if each.state == "waiting"]
    return ReviewState(
        waiting=len(waiting),
        oldest=min((each.added for each in waiting), default=None),
        disputed=tuple(each for each in found if each.state == "disputed"),
        settled=sum(each.state == "settled" for each in found),
        by_day=_by_day((each.at for each in labels if not each.skipped), now),
    )


def agreed(found: Mapping[str, Agreement]) -> Agreed | None:
    """How far reviewers agree on the scale of which they labelled most together, of what `agreements` tells; None where
    nobody did."""
    told = [
        Agreed(scorer=scorer, agreed=each.agreed, several=each.several, share=each.share)
        for scorer, each in found.items()
        if each.share is not None
    ]
    return max(told, key=lambda each: each.several, default=None)


def everything(store: Store) -> tuple[list[Item], list[Label]]:
    """All items, and their labels."""
    items = list(every_item(store))
    return items, labels_of(store, items)


def outbox(changes: Iterable[Change]) -> Outbox:
    """What waits of some changes."""
    pending = [each for each in changes if each.state == "pending"]
    return Outbox(len(pending), min((each.at for each in pending), default=None))


def _by_day(times: Iterable[float], now: float) -> tuple[int, ...]:
    """How many of some times fall on each of the last days, the oldest first."""
    today = now // DAY_S
    found = Counter(int(today - at // DAY_S) for at in times)
    return tuple(found[back] for back in range(DAYS - 1, -1, -1))
