"""What a conversation says of each outcome that variants are compared by: one value each, and how likely it was seen.

Turns of a session are no independent witnesses, so that a session is one unit, as a request without one is.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from math import isfinite
from typing import Literal

from msgspec import Struct

from gatewatch.core import marks
from gatewatch.core.feedback import EVENTS
from gatewatch.core.score import Source
from gatewatch.online.sample import share_of_session
from gatewatch.online.signals import RATES
from gatewatch.online.window import By
from gatewatch.store.base import Store
from gatewatch.store.rows import Row
from gatewatch.store.values import BEGIN, Talk, Told

Kind = Literal["score", "rate", "amount", "told"]
_SLOWEST = ("latency_s", "first_token_s")
_EVENTS = {name for name, _ in EVENTS.values()}


class Outcome(Struct, frozen=True, order=True, cache_hash=True):
    """What conversations are compared by.

    kind: "score" is a scorer's, 0..1, of which 1 is good, the mean of a conversation's turns. "rate" is a signal of
        which 0 is good: the share of turns that failed ("error"), or whether any turn has a mark. "amount" is the
        slowest turn's seconds, or US dollars or tokens a turn. "told" is what users told, of those who told anything:
        "thumbs" (1 is up), "rating" (1 to 5), or the number that came with an event ("copied value").
    """

    name: str
    kind: Kind
    fingerprint: str = ""
    source: Source | Literal[""] = ""

    @property
    def better(self) -> int:
        """1 where more is better, -1 where less is, 0 where neither is known to be."""
        if self.kind == "score" or self.name in ("thumbs", "rating"):
            return 1
        return 0 if self.kind == "told" or self.name == "output_tokens" else -1


# Made once, as their hash is: there is one of each for every conversation.
_ERROR = Outcome("error", "rate")
_RATES = {Outcome(name, "rate"): marks.bits([name]) for name in RATES}
_SIZES: dict[Outcome, Callable[[Row], float | None]] = {
    Outcome("latency_s", "amount"): lambda row: row.latency_s,
    Outcome("first_token_s", "amount"): lambda row: row.first_token_s,
    Outcome("cost", "amount"): lambda row: row.cost,
    Outcome("output_tokens", "amount"): lambda row: row.output_tokens,
}
_known = lru_cache(maxsize=1000)(Outcome)


class Unit(Struct, frozen=True):
    """A conversation: its session's id, or its request's; the arm that it is of ("" for none, None where its turns are
    of several); of each outcome that it says something of, (value, probability with which that was seen); and its user,
    where one is known."""

    name: str
    arm: str | None
    values: dict[Outcome, tuple[float, float]]
    user: str = ""


def units(store: Store, flow: str, *, by: By, since: float, until: float) -> Iterator[Unit]:
    """The conversations of a flow that began in a window, one at a time."""
    page = store.talks(flow, since, until, after=BEGIN)
    while True:
        for talk in page.talks:
            yield unit_of(talk, by)
        if page.after is None:
            return
        page = store.talks(flow, since, until, after=page.after)


def unit_of(talk: Talk, by: By) -> Unit:
    """What a conversation says."""
    turns = talk.turns
    arms = {getattr(row, by) for row in turns}
    name = turns[0].session or turns[0].id
    if len(arms) > 1:
        return Unit(name, None, {})
    share = share_of_session(turns)
    found = {_ERROR: (sum(1 for row in turns if row.error) / len(turns), share)}
    set_ = 0
    for row in turns:
        set_ |= row.marks | row.late
    for mark, bit in _RATES.items():
        found[mark] = (1.0 if set_ & bit else 0.0, share)
    for size, of in _SIZES.items():
        known = [value for row in turns if (value := of(row)) is not None]
        if known:
            found[size] = (float(max(known)) if size.name in _SLOWEST else sum(known) / len(known), share)
    by_outcome: dict[Outcome, list[tuple[float, float]]] = {}
    for row in turns:
        for told in talk.told.get(row.seq, ()):
            outcome, number = _told(told)
            if outcome is not None and told.pi > 0:
                by_outcome.setdefault(outcome, []).append((number, told.pi))
    for outcome, values in by_outcome.items():
        every = sum(1 / pi for _, pi in values)
        # One number decides about all turns of a session: it is seen if that is below the largest of theirs.
        found[outcome] = (sum(value / pi for value, pi in values) / every, max(pi for _, pi in values))
    return Unit(name, arms.pop(), found, next((row.user for row in turns if row.user), ""))


def _told(told: Told) -> tuple[Outcome | None, float]:
    """What one value is an outcome of. Labels of people are none: what they were asked for was chosen."""
    if told.source == "human":
        return None, 0.0
    if told.source != "feedback":
        return _known(told.scorer, "score", told.fingerprint, told.source), told.value
    if told.scorer in _EVENTS:
        number = _number(told.label)
        return (None, 0.0) if number is None else (_known(f"{told.scorer} value", "told"), number)
    return _known(told.scorer, "told"), 1 + 4 * told.value if told.scorer == "rating" else told.value


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
