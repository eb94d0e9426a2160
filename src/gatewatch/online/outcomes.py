"""What a conversation says of each outcome that variants are compared by: one value each, and how likely it was seen.

Turns of a session are no independent witnesses, so that a session is one unit, as a request without one is.
"""

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Literal

from msgspec import Struct

from gatewatch.core import marks
from gatewatch.core.feedback import EVENTS
from gatewatch.core.score import Source
from gatewatch.online.sample import share_of_session
from gatewatch.online.window import By
from gatewatch.store.base import Store
from gatewatch.store.rows import Row
from gatewatch.store.values import BEGIN, Talk, Told

Kind = Literal["score", "rate", "amount", "told"]
_RATES = {name: marks.bits([name]) for name in ("thumbs_down", "retried", "abandoned", "escalated", "guardrail")}
_SIZES: dict[str, Callable[[Row], float | None]] = {
    "latency_s": lambda row: row.latency_s,
    "first_token_s": lambda row: row.first_token_s,
    "cost": lambda row: row.cost,
    "output_tokens": lambda row: None if row.output_tokens is None else float(row.output_tokens),
}
_SLOWEST = ("latency_s", "first_token_s")
_EVENTS = {name for name, _ in EVENTS.values()}


class Outcome(Struct, frozen=True, order=True):
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


class Unit(Struct, frozen=True):
    """A conversation: its session's id, or its request's; the arm that it is of ("" for none, None where its turns are
    of several); and of each outcome that it says something of, (value, probability with which that was seen)."""

    name: str
    arm: str | None
    values: dict[Outcome, tuple[float, float]]


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
    found = {Outcome("error", "rate"): (sum(bool(row.error) for row in turns) / len(turns), share)}
    for mark, bit in _RATES.items():
        found[Outcome(mark, "rate")] = (float(any((row.marks | row.late) & bit for row in turns)), share)
    for size, of in _SIZES.items():
        known = [value for row in turns if (value := of(row)) is not None]
        if known:
            value = max(known) if size in _SLOWEST else sum(known) / len(known)
            found[Outcome(size, "amount")] = (value, share)
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
    return Unit(name, arms.pop(), found)


def _told(told: Told) -> tuple[Outcome | None, float]:
    """What one value is an outcome of. Labels of people are none: what they were asked for was chosen."""
    if told.source == "human":
        return None, 0.0
    if told.source != "feedback":
        return Outcome(told.scorer, "score", told.fingerprint, told.source), told.value
    if told.scorer in _EVENTS:
        number = _number(told.label)
        return (None, 0.0) if number is None else (Outcome(f"{told.scorer} value", "told"), number)
    return Outcome(told.scorer, "told"), 1 + 4 * told.value if told.scorer == "rating" else told.value


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None
