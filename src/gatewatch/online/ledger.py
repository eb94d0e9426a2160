"""The ledger: what became of each request with each scorer, and why. It is not kept: it follows from what is."""

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from gatewatch.core.rates import Epoch, probability
from gatewatch.core.score import Score, Source
from gatewatch.online.sample import facts_of
from gatewatch.store.base import Store
from gatewatch.store.rows import KeptScore, Row, Work

Fate = Literal[
    "scored", "scorer error", "sampled out", "waiting", "over budget", "failed", "no payload", "expired", "not decided"
]


class Entry(Struct, frozen=True):
    """What became of a request with one scorer: with what probability it was to be scored, and why it was or was not.

    A request was to be scored if its `u` is below `pi`.
    """

    scorer: str
    fingerprint: str
    fate: Fate
    pi: float
    why: str = ""
    score: Score | None = None


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
    entries = []
    for work in store.works():
        if work.flow != row.flow or work.source == "signal":
            continue
        epochs = [each for each in store.epochs(work.id, row.seq, row.seq) if each.first <= row.seq <= each.last]
        pi = probability(facts_of(row), epochs, kept=row.kept)
        ruler = work.scorer, work.fingerprint
        said = by_ruler.pop((*ruler, work.source), None)
        if said is not None:
            pi, score = said.pi, said.score
            made: Fate = "scorer error" if score.status == "scorer_error" else "scored"
            entries.append(Entry(*ruler, made, pi, _shares(row, epochs), score))
        elif ruler in tasks:
            task = tasks[ruler]
            pi = task.pi
            states: dict[str, Fate] = {
                "leased": "waiting", "over_budget": "over budget", "no_payload": "no payload", "waiting": "waiting",
                "failed": "failed", "expired": "expired",
            }  # fmt: skip
            entries.append(Entry(*ruler, states[task.state], pi, task.reason or f"try {task.attempts + 1}"))
        else:
            fate, why = _not_made(row, work, epochs, pi)
            entries.append(Entry(*ruler, fate, pi, why))
    rest = [each for each in kept if _said_by(each) in by_ruler]
    return Ledger(row, tuple(entries), tuple(rest))


def _said_by(kept: KeptScore) -> tuple[str, str, Source]:
    return kept.score.name, kept.score.fingerprint, kept.score.source


def _not_made(row: Row, work: Work, epochs: Sequence[Epoch], pi: float) -> tuple[Fate, str]:
    if not work.rules:  # only scorers of whole sessions are planned without
        return "not decided", "its session has not ended" if row.session else "it is of no session"
    if not epochs:
        return "not decided", "no worker has come to it yet" if row.seq > work.planned else "it was thinned before"
    if row.u >= pi:
        return "sampled out", _shares(row, epochs)
    if row.payload in ("gone", "none"):
        return "no payload", "it was gone when a rule matched" if row.payload == "gone" else "none was captured"
    return "waiting", "decided, and not begun"


def _shares(row: Row, epochs: Sequence[Epoch]) -> str:
    """By which shares a request was decided on."""
    said = []
    for epoch in epochs:
        matching = [rule for rule in epoch.rules if rule.matches(facts_of(row), row.marks | row.late)]
        most = max((rule.rate for rule in matching), default=0.0)
        lowered = f", lowered to {most * epoch.multiplier:.3g} by the budget" if epoch.multiplier < 1 else ""
        said.append(f"share {most:.3g}{lowered}")
    return "; ".join(dict.fromkeys(said))
