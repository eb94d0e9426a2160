"""Listening: what no monitor has looked at yet becomes entries of streams, one for each conversation.

A conversation enters once, when it has settled, as it is then. A score of one that goes on is passed over: its session
brings it along when it ends.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from gatewatch.core import marks
from gatewatch.core.rates import Epoch, Facts, Rule, probability
from gatewatch.core.score import Source
from gatewatch.core.watch import RATES
from gatewatch.store.rows import Work
from gatewatch.store.watching import Entry, Fresh, Turn, Unheard

StreamOf = Callable[[str, str, str, Source | Literal[""]], int]
"""The number of a stream by flow, scorer, fingerprint and source."""
EpochsOf = Callable[[Work], Sequence[Epoch]]
"""The rules of a work that were in force for any of what is listened to, but for those of marks and costs (`plain`)."""

_BITS = {name: marks.bits([name]) for name in RATES if name != "error"}
_NONE = (0.0,) * len(_BITS)


def entries(
    unheard: Unheard,
    works: Mapping[int, Work],
    settled_before: Mapping[str, float],
    stream_of: StreamOf,
    epochs_of: EpochsOf,
) -> Iterator[tuple[int, Entry]]:
    """What enters which stream, by the stream's number; entries have no numbers of their own yet.

    Args:
        unheard: what no monitor has looked at.
        works: the works that are listened to, by id.
        settled_before: by flow, when a conversation was last heard of that has settled.
        stream_of: finds a stream, or makes it.
        epochs_of: finds the rules by which something was sampled.
    """
    for fresh in unheard.fresh:
        work = works.get(fresh.work)
        if work is not None and fresh.value is not None and _settled(fresh, settled_before) and _answered(fresh.turn):
            stream = stream_of(work.flow, work.scorer, work.fingerprint, work.source)
            yield stream, _entry(fresh.turn, (fresh.value,), _by_chance(fresh.turn, work, epochs_of))
    for each in unheard.settled:
        first = each.turns[0]
        yield stream_of(first.flow, "", "", ""), _entry(first, signals(each.turns), sampled=True)
        for number, value in each.scores if first.session else ():  # without one, each entered when it was fresh
            work = works.get(number)
            if work is not None and number not in each.left:
                stream = stream_of(work.flow, work.scorer, work.fingerprint, work.source)
                yield stream, _entry(first, (value,), _by_chance(first, work, epochs_of))


def _answered(turn: Turn) -> bool:
    """Whether what a scorer says is of an answer: a failed request is told by its signal, and not by each scorer."""
    return not turn.error or turn.session != ""


def _settled(fresh: Fresh, settled_before: Mapping[str, float]) -> bool:
    if fresh.left:
        return False
    turn = fresh.turn
    return not turn.session or turn.moved < settled_before.get(turn.flow, 0.0)


def _entry(turn: Turn, values: tuple[float | None, ...], sampled: bool) -> Entry:
    """Its time is that of arrival: an application's clock, or a spool that was left over, may be days behind. Half of a
    character that a client cut, which no state could keep, is replaced."""
    part, variant, version = map(_whole, (turn.slice, turn.variant, turn.version))
    traits = {name: _whole(word) for name, word in turn.traits.items()}
    return Entry(0, turn.first, turn.moved, part, variant, version, sampled, values, traits)


def _whole(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def signals(turns: Sequence[Turn]) -> tuple[float | None, ...]:
    """What a conversation says of each of `core.watch.SIGNALS`: the share of turns that failed, whether any has a mark,
    the slowest turn's times, cost and tokens a turn of those that are known."""
    if len(turns) == 1:
        turn = turns[0]
        marks_ = turn.marks
        return (
            float(turn.error != ""),
            *([float(marks_ & bit != 0) for bit in _BITS.values()] if marks_ else _NONE),
            turn.latency_s,
            turn.first_token_s,
            turn.cost,
            None if turn.output_tokens is None else float(turn.output_tokens),
        )
    found = 0
    for turn in turns:
        found |= turn.marks
    return (
        sum(turn.error != "" for turn in turns) / len(turns),
        *(float(bool(found & bit)) for bit in _BITS.values()),
        max((turn.latency_s for turn in turns if turn.latency_s is not None), default=None),
        max((turn.first_token_s for turn in turns if turn.first_token_s is not None), default=None),
        _mean([turn.cost for turn in turns if turn.cost is not None]),
        _mean([turn.output_tokens for turn in turns if turn.output_tokens is not None]),
    )


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _by_chance(turn: Turn, work: Work, epochs_of: EpochsOf) -> bool:
    """Whether a request would have been scored had nothing been special about it: no mark, no cost, no thumb."""
    place = place_of(turn, work)
    epochs = [each for each in epochs_of(work) if each.first <= place <= each.last]
    return turn.u < probability(Facts(turn.slice, turn.variant, turn.tags), epochs)


def place_of(turn: Turn, work: Work) -> int:
    """What a work's epochs number a request by: its number, or when its session was last heard of."""
    return round(turn.moved * 1e6) if work.of_sessions else turn.seq


def plain(epoch: Epoch) -> Epoch:
    """An epoch but for the rules that something special calls for."""
    return Epoch(epoch.first, epoch.last, tuple(filter(_is_plain, epoch.rules)), epoch.multiplier)


def _is_plain(rule: Rule) -> bool:
    return not rule.marks and rule.cost_over is None
