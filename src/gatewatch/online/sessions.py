"""What a session tells by itself, without a model: asked again, given up, handed to a human."""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from gatewatch.core import marks
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.online.sample import share_of_session
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.session import abandonment, escalation, is_retry, retries, said, turns
from gatewatch.store.rows import Row, Said, Session

_SIGNALS = (turns(), retries(), abandonment(), escalation())


def told_by(session: Session, rows: Sequence[Row], traces: Sequence[Trace]) -> tuple[Said, ...]:
    """The signals of a session that has ended, as scores of its first turn, and the marks of the turns that show them.

    The turn whose answer had to be asked for again is the one that is marked `retried`; the last one `abandoned`.

    Args:
        session: the session.
        rows: its turns, in order.
        traces: what was said in them.
    """
    name = f"session:{session.flow}:{session.id}:{session.turns}"
    scores: list[Score] = []
    whole = replace(traces[-1], error=None)  # that a turn failed is theirs to weigh
    for scorer in _SIGNALS:
        score = apply_inline(scorer, whole, beside={"session": traces})
        if score.status == "scored":
            scores.append(Score(score.value, score.label, "", "scored", scorer.name, "signal", scorer.fingerprint))
    found = {score.name: score.value for score in scores}
    at = rows[-1].at
    every = [Said(f"{name}:scores", at, rows[0].id, scores=tuple(scores), pi=share_of_session(rows))]
    for row, mark in _marked(rows, traces, found):
        every.append(Said(f"{name}:{row.seq}:{mark}", at, row.id, marks=marks.bits([mark])))
    return tuple(every)


def _marked(rows: Sequence[Row], traces: Sequence[Trace], found: dict[str, float | None]) -> Iterator[tuple[Row, str]]:
    asked = [said(trace.input) for trace in traces]
    for place in range(1, len(asked)):
        if is_retry(asked, place):
            yield rows[place - 1], "retried"
    if found.get("abandonment") == 0.0:
        yield rows[-1], "abandoned"
    if found.get("escalation") == 0.0:
        yield rows[-1], "escalated"
