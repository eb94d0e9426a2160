"""Judge drift: requests that a judge scored are frozen, and scored again each day by the same judge. When their scores
move, it is the judge that changed, and not the application.

Canaries are taken evenly over the ranks of their scores, so that their mean is that of the traffic, and what a noisy
judge said too low is made up for by what it said too high: taken evenly over the values they would seem to move each
time they are scored again (see docs/design/watching.md).
"""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from statistics import fmean
from typing import Literal

from msgspec import Struct

from gatewatch.core.watch import Alert, Evidence
from gatewatch.online.monitor import DAY_S, HOUR_S, Monitor, Watch
from gatewatch.stats.canary import LEAST as SMALLEST
from gatewatch.stats.canary import Canary, judge_changed
from gatewatch.store.base import Store
from gatewatch.store.canaries import CanaryCheck, Candidate
from gatewatch.store.watching import Stream

NUMBER, LEAST = 60, 30
"""How many canaries a set has, and with how many it can tell anything."""
EVERY_S = DAY_S
FRESH_S = HOUR_S
"""How old a check may be that clears a judge of a quality alarm."""
FALSE_ALARM_DAYS = 90.0
_CALM = 0.1  # a change is over when p is above this again: at the level of the alarm itself it would come and go
_LOOKED_AT = 2000
_FOLDED = 4

JudgeState = Literal["ok", "changed", "unknown"]


class Verdict(Struct, frozen=True):
    """What a check says: when it was made, the mean of its canaries when they were frozen and now, the test, and below
    which `level` of p a judge is called changed."""

    at: float
    before: float
    after: float
    test: Canary
    level: float

    @property
    def changed(self) -> bool:
        """Whether the judge is another."""
        return self.test.n >= LEAST and self.test.changed

    @property
    def calm(self) -> bool:
        """Whether a change that was found before is over."""
        return self.test.p > _CALM or abs(self.test.effect) < SMALLEST


def judges(monitor: Monitor) -> tuple[Watch, ...]:
    """The scorers of a monitor that can have canaries: they ask a model, of one request."""
    return tuple(each for each in monitor.watches if not no_canaries(each))


def no_canaries(watch: Watch) -> str:
    """Why a scorer has no canaries; "" for one that can have some."""
    if not watch.scorer.models:
        return "it asks no model"
    return "it looks at whole sessions, which are not frozen" if watch.of_session else ""


def freeze(store: Store, stream: Stream, now: float, *, anew: bool = False) -> int:
    """Freeze canaries of a stream, once its reference is known, and say how many there are then.

    Nothing is done where enough are frozen already, unless they are to be frozen `anew`, since the judge was changed on
    purpose; nor where there are too few scores whose payload is there: 0 then. Call it again later.
    """
    found = store.canary_set(stream.id)
    if found is not None and found.n >= LEAST and not anew:
        return found.n
    chosen = chosen_of(store.candidates(stream, _LOOKED_AT))
    return store.freeze(stream, {each.seq: each.value for each in chosen}, now) if len(chosen) >= LEAST else 0


def chosen_of(candidates: Sequence[Candidate], most: int = NUMBER) -> list[Candidate]:
    """Some of the candidates, evenly over their ranks by score, and by slice among equal scores: the lowest and the
    highest are among them. Which of the equal ones is left to a hash of their number."""
    ordered = sorted(candidates, key=lambda each: (each.value, each.slice, _drawn(each.seq)))
    if len(ordered) <= most:
        return ordered
    return [ordered[round(place * (len(ordered) - 1) / (most - 1))] for place in range(most)]


def _drawn(seq: int) -> bytes:
    return blake2b(seq.to_bytes(8, "big"), digest_size=8).digest()


def verdict(check: CanaryCheck) -> Verdict | None:
    """What a check says; None where nothing is left to compare.

    The level is one false alarm in 90 days, whatever is checked: the number of checks of that day divides it.
    """
    return _compared(check) if check.pairs else None


@lru_cache(maxsize=1000)
def _compared(check: CanaryCheck) -> Verdict:
    before, after = [frozen for frozen, _ in check.pairs], [new for _, new in check.pairs]
    test = judge_changed(before, after, checks_per_day=check.checks, days=FALSE_ALARM_DAYS)
    return Verdict(check.at, fmean(before), fmean(after), test, 1.0 / (FALSE_ALARM_DAYS * check.checks))


def judged(store: Store, stream: int) -> tuple[bool, Verdict | None]:
    """Whether the judge of a stream is taken for changed, and what its last check said (None: there was none)."""
    changed, last = False, None
    for check in store.canary_checks(stream, _FOLDED):
        last = verdict(check)
        if last is not None:
            changed = last.changed or (changed and not last.calm)
    return changed, last


def judge_state(store: Store, stream: Stream, now: float) -> JudgeState:
    """Whether the judge of a stream is what it was: as far as a check of the last hour tells ("ok"), or "changed" since
    a check found that and none took it back; "unknown" where it has no canaries or they were not scored lately."""
    changed, last = judged(store, stream.id)
    if changed:
        return "changed"
    fresh = last is not None and last.test.n >= LEAST and now - last.at <= FRESH_S
    return "ok" if fresh else "unknown"


def want_check(store: Store, stream: Stream, now: float) -> bool:
    """Have the canaries of a stream scored as soon as may be, if that was not done in the last hour; say whether a
    check can be waited for at all: there are canaries, and the judge was not found changed."""
    found = store.canary_set(stream.id)
    if found is None or found.n < LEAST:
        return False
    if judge_state(store, stream, now) == "unknown":
        store.want_check(stream.id, now)
    return True


def cleared(store: Store, stream: Stream) -> str:
    """How far a check clears the judge of a stream, to be said beside an alarm: a small change escapes 60 canaries."""
    _, last = judged(store, stream.id)
    if last is None or last.test.interval is None:
        return unchecked(store, stream)
    low, high = last.test.interval.low * 100, last.test.interval.high * 100
    moved = f"moved by {last.test.effect * 100:+.1f} points (95 %: {low:+.1f} to {high:+.1f})"
    return f"the judge was checked: {last.test.n} frozen requests {moved}"


def unchecked(store: Store, stream: Stream) -> str:
    """Why nothing is known of the judge of a stream, to be said beside an alarm that goes out without."""
    found = store.canary_set(stream.id)
    if found is None:
        return "the judge was not checked: no canaries are frozen"
    if found.n < LEAST:
        return f"the judge was not checked: of its canaries only {found.n} are left"
    return f"the judge was not checked: {found.reason or 'its canaries were not scored in time'}"


def key_of(stream: Stream) -> str:
    """The cause that alerts of a stream's judge are of."""
    return f"{stream.flow}/judge/{stream.scorer}"


def judge_alert(store: Store, stream: Stream, now: float, before: Alert | None = None) -> Alert | str:
    """What there is to say of a stream's judge: an alert that is to be opened or brought up, why the one that is open
    is over, or "" for nothing. It follows from what is stored, so that it does not matter how often it is asked for:
    a check is told of once, and not again when somebody resolved its alert.

    Args:
        store: where the canaries are.
        stream: whose judge it is.
        now: the time, in seconds since the epoch.
        before: the alert of `key_of(stream)` that is not resolved, if there is one.
    """
    changed, last = judged(store, stream.id)
    if not changed or last is None:
        return "" if before is None else _over(store, stream, before, last)
    if not last.changed:
        return ""
    if before is None:
        every = store.alerts(flow=stream.flow, every=True)
        before = next((each for each in every if each.key == key_of(stream)), None)
    if before is not None and before.updated >= last.at:
        return ""
    test, how = last.test, "more strictly" if last.test.effect < 0 else "more leniently"
    return Alert(
        key=key_of(stream),
        flow=stream.flow,
        kind="judge",
        name=stream.scorer,
        title=f"the judge of {stream.scorer} changed: it scores {how}, by {abs(test.effect) * 100:.1f} points",
        opened=now,
        updated=now,
        evidence=Evidence(
            n=test.n,
            before=last.before,
            after=last.after,
            effect=test.effect,
            low=None if test.interval is None else test.interval.low,
            high=None if test.interval is None else test.interval.high,
            onset=last.at,
            note=f"the same frozen requests, scored again by the same judge: p = {test.p:.2g}, below {last.level:.2g}",
        ),
    )


def _over(store: Store, stream: Stream, before: Alert, last: Verdict | None) -> str:
    if last is not None:
        return "its canaries score as they did when they were frozen" if last.at > before.updated else ""
    found = store.canary_set(stream.id)
    return "its canaries were frozen anew" if found is not None and found.frozen >= before.updated else ""
