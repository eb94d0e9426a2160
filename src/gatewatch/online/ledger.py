"""The ledger: what became of each request with each scorer, and why. It is not kept: it follows from what is."""

from collections.abc import Sequence
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from gatewatch.core.rates import Epoch, Facts, probability, rate
from gatewatch.core.score import Score, Source
from gatewatch.online.sample import facts_of, facts_of_session, share_of_session
from gatewatch.store.base import Store
from gatewatch.store.rows import KeptScore, Row, Session, TaskState, Work

Fate = Literal[
    "scored", "scorer error", "sampled out", "waiting", "over budget", "failed", "no payload", "expired", "not decided"
]


class Entry(Struct, frozen=True):
    """What became of a request with one scorer: with what probability it was to be scored, and why it was or was not.

    A request was to be scored if its `u` is below `pi`. Where it, or its session, was sent with a probability below 1,
    that is `sent`, and part of `pi`: it was to be scored if its `u` is below pi / sent.
    """

    scorer: str
    fingerprint: str
    fate: Fate
    pi: float
    why: str = ""
    score: Score | None = None
    sent: float | UnsetType = UNSET


class Ledger(Struct, frozen=True):
    """A request, what became of it with each scorer, and all that others said of it."""

    row: Row
    entries: tuple[Entry, ...]
    said: tuple[KeptScore, ...]


def ledger(store: Store, row: Row) -> Ledger:
    """What became of a request."""
    kept = store.scores(row.seq)
    tasks = {(task.scorer, task.fingerprint): task for task in store.tasks(row.seq)}
    by_ruler = {_said_by(each): each for each in kept}
    session = store.find_session(row.flow, row.session) if row.session else None
    entries = []
    for work in store.works():
        if work.flow != row.flow or work.source == "signal":
            continue
        decided = _of_session(store, work, session) if work.of_sessions else _of_request(store, work, row)
        ruler = work.scorer, work.fingerprint
        chance = decided.pi * decided.sent
        sent = decided.sent if decided.sent < 1.0 else UNSET
        said = by_ruler.pop((*ruler, work.source), None)
        if said is not None:
            score = said.score
            made: Fate = "scorer error" if score.status == "scorer_error" else "scored"
            entries.append(Entry(*ruler, made, said.pi, decided.shares, score, sent))
        elif ruler in tasks:
            task = tasks[ruler]
            why = task.reason or f"try {task.attempts + 1}"
            entries.append(Entry(*ruler, _FATES[task.state], task.pi, why, sent=sent))
        elif work.of_sessions:
            fate, why = _no_session(store, work, row, session, decided)
            entries.append(Entry(*ruler, fate, chance, why, sent=sent))
        else:
            fate, why = _no_score(work, row, decided)
            entries.append(Entry(*ruler, fate, chance, why, sent=sent))
    rest = [each for each in kept if _said_by(each) in by_ruler]
    return Ledger(row, tuple(entries), tuple(rest))


_FATES: dict[TaskState, Fate] = {
    "waiting": "waiting",
    "leased": "waiting",
    "over_budget": "over budget",
    "no_payload": "no payload",
    "failed": "failed",
    "expired": "expired",
}


class _Decided(Struct, frozen=True):
    """By which rules it was decided, with which probability, and with which had every payload been there; and the
    probability with which it was sent, which is no part of these."""

    epochs: Sequence[Epoch]
    pi: float
    held: float
    shares: str
    sent: float = 1.0


def _of_request(store: Store, work: Work, row: Row) -> _Decided:
    epochs = [each for each in store.epochs(work.id, row.seq, row.seq) if each.first <= row.seq <= each.last]
    facts = facts_of(row)
    pi = probability(facts, epochs, kept=row.kept)
    return _Decided(epochs, pi, probability(facts, epochs), _shares(facts, epochs), row.share)


def _of_session(store: Store, work: Work, session: Session | None) -> _Decided:
    if session is None:
        return _Decided((), 0.0, 0.0, "")
    moved = session.moved
    epochs = [each for each in store.epochs(work.id, moved, moved) if each.first <= moved <= each.last]
    rows = store.session(session.flow, session.id)
    facts = facts_of_session(rows)
    pi = probability(facts, epochs)
    return _Decided(epochs, pi, pi, _shares(facts, epochs), share_of_session(rows))


def _no_session(store: Store, work: Work, row: Row, session: Session | None, decided: _Decided) -> tuple[Fate, str]:
    """What became of a session that this request has no score of."""
    if session is None:
        return "not decided", "it is of no session"
    if session.first != row.seq:
        first = next((each.id for each in store.session(row.flow, row.session) if each.seq == session.first), "")
        return "not decided", f"what is said of its session stands at {first or 'its first turn'}"
    if session.moved > work.planned:
        return "not decided", "its session has not ended"
    return "sampled out", decided.shares


def _no_score(work: Work, row: Row, decided: _Decided) -> tuple[Fate, str]:
    """What became of a request that has no score."""
    if not decided.epochs:
        why = "no worker has come to it yet" if row.seq > work.planned else "its payload was thinned before"
        return "not decided", why
    if row.u >= decided.held:
        return "sampled out", decided.shares
    if row.payload == "none":
        return "no payload", "none was captured"
    if row.payload == "gone" or row.u >= decided.pi:
        return "no payload", "it was gone when a rule matched"
    return "waiting", "decided, and not begun"


def _said_by(kept: KeptScore) -> tuple[str, str, Source]:
    return kept.score.name, kept.score.fingerprint, kept.score.source


def _shares(facts: Facts, epochs: Sequence[Epoch]) -> str:
    """By which shares something was decided on."""
    said = []
    for epoch in epochs:
        most = rate(epoch.rules, facts, facts.marks | facts.late)
        lowered = f", lowered to {most * epoch.multiplier:.3g} by the budget" if epoch.multiplier < 1 else ""
        said.append(f"share {most:.3g}{lowered}")
    return "; ".join(dict.fromkeys(said))
