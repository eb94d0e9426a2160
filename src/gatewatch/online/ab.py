"""Which variant is better: differences to a control, with intervals that hold however often they are looked at."""

from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec import Struct

from gatewatch.online.outcomes import Outcome, Unit, units
from gatewatch.online.trends import trend
from gatewatch.online.window import By
from gatewatch.stats.intervals import Interval
from gatewatch.stats.peeking import always_valid, units_to_tell
from gatewatch.stats.special import gammaincc
from gatewatch.store.base import Store

MOST_ARMS = 10
"""So many arms are compared, those with the most conversations; of others there is only how many."""
SRM = 0.001
"""With a smaller p-value of the declared split, it is not what happened."""
_CONFIDENCE = 0.95


class Effect(Struct, frozen=True):
    """An arm beside the control: the means of its `n` units and of the control's, weighted, the difference, and its
    always-valid interval; None while that cannot be trusted, and `why` says what is missing. A unit is a conversation,
    or all those of a user.

    `needs` is about how many units it takes in all to tell a difference of this size from none, where that cannot be
    told yet.
    """

    arm: str
    n: int
    n_control: int
    mean: float | None
    control: float | None
    difference: float | None = None
    interval: Interval | None = None
    needs: int | None = None
    why: str = ""

    @property
    def told(self) -> bool:
        """Whether there is a difference: 0 is not in the interval."""
        return self.interval is not None and not self.interval.low <= 0.0 <= self.interval.high


class Result(Struct, frozen=True):
    """One outcome: each arm beside the control."""

    outcome: Outcome
    effects: tuple[Effect, ...]


class Experiment(Struct, frozen=True):
    """The arms of a flow over a window, in seconds since the epoch.

    units: how many conversations each arm has. `mixed` had turns of several arms, and `outside` of none; both are left
        out.
    users: how many users there are of several conversations, all of one arm: those are one unit, since a user is no
        independent witness of himself, and whoever sent him to an arm chose once.
    split_p: how likely so uneven a split of units is by chance, if it was to be as declared (chi-square); None where
        nothing was declared.
    """

    flow: str
    by: By
    since: float
    until: float
    control: str
    units: dict[str, int]
    results: tuple[Result, ...]
    mixed: int = 0
    outside: int = 0
    users: int = 0
    split: dict[str, float] = {}
    split_p: float | None = None


class Column(NamedTuple):
    """Of each conversation of an arm that says something of an outcome: what, how likely that was seen, and whose it
    is, by number; -1 where no user is known."""

    values: "array[float]"
    shares: "array[float]"
    users: "array[int]"


class Users:
    """Who spoke: of each user, by number, the arm and how many conversations are of it."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._arms: list[str | None] = []  # None: of several
        self._counts: list[int] = []

    def add(self, unit: Unit) -> int:
        """A user's number, for one more conversation; -1 for none."""
        if not unit.user:
            return -1
        number = self._numbers.setdefault(unit.user, len(self._numbers))
        if number == len(self._arms):
            self._arms.append(unit.arm)
            self._counts.append(0)
        elif self._arms[number] != unit.arm:
            self._arms[number] = None
        self._counts[number] += 1
        return number

    def joined(self, column: Column) -> list[tuple[float, float]]:
        """The units of an arm: (value, probability). A user's is the weighted mean of theirs, and weighs as much as
        they do together: the mean of all is the same, and its variance that of users."""
        found, of_users = [], dict[int, tuple[float, float]]()
        for value, share, user in zip(*column, strict=True):
            if user < 0 or self._arms[user] is None or self._counts[user] == 1:
                found.append((value, share))
            else:
                weight, total = of_users.get(user, (0.0, 0.0))
                of_users[user] = weight + 1.0 / share, total + value / share
        return found + [(total / weight, 1.0 / weight) for weight, total in of_users.values()]

    def units(self, conversations: Mapping[str, int]) -> Counter[str]:
        """How many units each arm has, of so many conversations."""
        found = Counter(conversations)
        for arm, count in zip(self._arms, self._counts, strict=True):
            if arm is not None:
                found[arm] -= count - 1
        return found

    @property
    def several(self) -> int:
        """How many users there are of several conversations of one arm."""
        each = zip(self._arms, self._counts, strict=True)
        return sum(arm is not None and count > 1 for arm, count in each)


def experiment(
    store: Store,
    flow: str,
    *,
    by: By,
    since: float,
    until: float,
    control: str = "",
    scorer: str = "",
    split: Mapping[str, float] = {},
    seen: Callable[[Unit], object] | None = None,
) -> Experiment:
    """Compare the arms of a flow over the conversations that began in a window.

    Three numbers are kept for each conversation and outcome, and nothing else of it but the names of users.

    Args:
        store: where it is kept.
        flow: the flow.
        by: what makes an arm: the variant, the version or the slice.
        since: the window's start.
        until: the window's end.
        control: the arm that others are held against; by default the one with the most conversations.
        scorer: only this scorer, and no other outcome.
        split: the share of each arm as it was meant to be; in any unit.
        seen: is called with every conversation of an arm.

    Raises:
        ValueError: when there is no such control, or the split leaves out an arm that has conversations.
    """
    counts: Counter[str] = Counter()
    columns: dict[Outcome, dict[str, Column]] = {}
    mixed, outside, users = 0, 0, Users()
    for unit in units(store, flow, by=by, since=since, until=until):
        if not unit.arm:
            mixed, outside = mixed + (unit.arm is None), outside + (unit.arm is not None)
            continue
        counts[unit.arm] += 1
        user = users.add(unit)
        if seen is not None:
            seen(unit)
        for outcome, (value, share) in unit.values.items():
            if scorer and (outcome.name, outcome.kind) not in {(scorer, "score"), (scorer, "told")}:
                continue
            column = columns.setdefault(outcome, {}).setdefault(unit.arm, Column(array("d"), array("d"), array("q")))
            column.values.append(value)
            column.shares.append(share)
            column.users.append(user)
    if control and control not in counts:
        raise ValueError(f"no conversation is of {control!r}")
    if split and (other := counts.keys() - split.keys()):
        raise ValueError(f"the split does not name {sorted(other)[0]!r}, which has conversations")
    largest = [arm for arm, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0]))]
    control = control or (largest[0] if largest else "")
    arms = [arm for arm in largest if arm != control][: MOST_ARMS - 1]
    flaws = _flaws(store, flow, by, since, until) if columns else {}
    results = []
    for outcome in sorted(columns, key=_order):
        kept = columns.pop(outcome)  # let go of as soon as it is compared
        told = {arm: users.joined(each) for arm, each in kept.items()}
        mine = {
            arm: flaws.get((outcome.name, outcome.fingerprint, outcome.source, arm), "") for arm in (control, *arms)
        }
        results.append(Result(outcome, effects({arm: told.get(arm, []) for arm in (control, *arms)}, control, mine)))
    return Experiment(
        flow,
        by,
        since,
        until,
        control,
        dict(counts.most_common()),
        tuple(each for each in results if not _silent(each)),
        mixed,
        outside,
        users.several,
        dict(split),
        split_p(users.units(counts), split) if split and counts else None,
    )


def effects(
    arms: Mapping[str, Sequence[tuple[float, float]]], control: str, flaws: Mapping[str, str] = {}
) -> tuple[Effect, ...]:
    """Each arm beside the control.

    All its intervals of an outcome hold at once: of k arms each is one of 1 - 0.05 / (k - 1) (Bonferroni).

    Args:
        arms: (value, probability with which it was seen, in (0, 1]) of each conversation, by arm.
        control: the arm that the others are held against.
        flaws: why nothing can be said of an arm.

    Raises:
        ValueError: for a probability out of (0, 1].
    """
    confidence = 1.0 - (1.0 - _CONFIDENCE) / max(1, len(arms) - 1)
    found = []
    for arm, values in arms.items():
        if arm == control:
            continue
        got = always_valid(arms[control], values, confidence=confidence)
        why = flaws.get(control) or flaws.get(arm) or got.why
        interval = None if why else got.interval
        open_ = interval is not None and interval.low <= 0.0 <= interval.high
        needs = units_to_tell(got, got.difference or 0.0, confidence=confidence) if open_ else None
        found.append(Effect(arm, got.n_b, got.n_a, got.b, got.a, got.difference, interval, needs, why))
    return tuple(found)


def split_p(counts: Mapping[str, int], split: Mapping[str, float]) -> float:
    """The p-value of a declared split, by chi-square: how likely counts are as far from it as these, or farther.

    Source: Fabijan et al. (2019), "Diagnosing sample ratio mismatch in online controlled experiments".

    Raises:
        ValueError: unless all shares are above 0 and there are two or more.
    """
    if len(split) < 2 or not all(share > 0 for share in split.values()):
        raise ValueError("a split has two or more shares, all above 0")
    every, whole = sum(counts.get(arm, 0) for arm in split), sum(split.values())
    if not every:
        return 1.0
    expected = {arm: every * share / whole for arm, share in split.items()}
    statistic = sum((counts.get(arm, 0) - each) ** 2 / each for arm, each in expected.items())
    return gammaincc((len(split) - 1) / 2, statistic / 2)


def _flaws(store: Store, flow: str, by: By, since: float, until: float) -> dict[tuple[str, str, str, str], str]:
    """Why there is no estimate of a scorer on an arm, by scorer, fingerprint, source and arm."""
    found = trend(store, flow, since=since, until=until, by=(by,))
    return {
        (each.scorer, each.fingerprint, each.source, part.name): part.total.incomplete
        for each in found.scorers
        for part in each.parts
        if part.total.incomplete
    }


def _silent(result: Result) -> bool:
    """Whether an outcome is one that never happened, such as a mark that nobody sets."""
    means = [mean for each in result.effects for mean in (each.mean, each.control)]
    return result.outcome.kind == "rate" and not any(means) and bool(means)


def _order(outcome: Outcome) -> tuple[int, Outcome]:
    return ("score", "told", "rate", "amount").index(outcome.kind), outcome
