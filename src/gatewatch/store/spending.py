"""Money by day, flow, scorer and model: added up in memory over a transaction, then written once."""

from typing import Literal

from gatewatch.core.lengths import cut
from gatewatch.core.money import Cost
from gatewatch.core.score import Score, models_named
from gatewatch.core.trace import Trace, Usage
from gatewatch.store.database import Database
from gatewatch.store.rows import SpendCell, Spent
from gatewatch.store.units import MICRO, count, down, from_nano, nano, up

_DAY = 86_400
_NOTHING = Usage()
_COLUMNS = "day, kind, flow, scorer, model, calls, cost, unknown, input_tokens, output_tokens, scores"


class Spending:
    """What one transaction adds to what was spent."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, str, str, str, str], list[int]] = {}

    def add(
        self,
        at: int,
        kind: Literal["task", "judge"],
        flow: str,
        scorer: str,
        spent: Spent,
        sign: int = 1,
        *,
        scores: int = 0,
    ) -> None:
        """Add what some calls took, or with `sign` -1 take it back; `at` is in microseconds. All of them are unknown
        where the cost is. `scores` is how many came of it."""
        day = at // MICRO // _DAY * _DAY
        cell = self._cells.setdefault((day, kind, flow, scorer, cut(spent.model)), [0] * 6)
        calls = count(spent.calls) or 0
        cell[0] += sign * calls
        cell[1] += sign * nano(spent.cost or 0.0)
        cell[2] += sign * (calls if spent.cost is None else 0)
        cell[3] += sign * (count(spent.input_tokens) or 0)
        cell[4] += sign * (count(spent.output_tokens) or 0)
        cell[5] += scores

    def judged(self, at: int, flow: str, scorer: str, score: Score, *, kept: bool) -> None:
        """Add what a score took, by the models that its parts name where these make up all of it. One that is not
        `kept` is money without a score."""
        scores = int(kept and score.status != "skipped")
        for part in _paid(score):
            cost, usage = part.cost or Cost(), part.usage
            model = ", ".join(dict.fromkeys(models_named(part.model).values()))
            tokens = (usage.input_tokens or 0, usage.output_tokens or 0) if usage is not None else (0, 0)
            if cost.amount or not cost.unknown:
                self.add(at, "judge", flow, scorer, Spent(model, 1, cost.amount, *tokens), scores=scores)
                tokens, scores = (0, 0), 0
            if cost.unknown:
                self.add(at, "judge", flow, scorer, Spent(model, cost.unknown, None, *tokens), scores=scores)
                scores = 0

    def write(self, db: Database) -> None:
        """Write it, within the caller's transaction."""
        db.executemany(
            f"INSERT INTO spend ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (day, kind, flow, scorer, model)"
            " DO UPDATE SET calls = spend.calls + excluded.calls, cost = spend.cost + excluded.cost,"
            " unknown = spend.unknown + excluded.unknown, input_tokens = spend.input_tokens + excluded.input_tokens,"
            " output_tokens = spend.output_tokens + excluded.output_tokens, scores = spend.scores + excluded.scores",
            [(*key, *sums) for key, sums in self._cells.items()],
        )


def spent_of(trace: Trace) -> tuple[Spent, ...]:
    """What the application's model calls took, by model; of a request that tells of no call, what it states itself."""
    found: dict[str, Spent] = {}
    for span in trace.spans:
        if span.kind == "llm":
            used = span.usage or _NOTHING
            before = found.get(span.model, Spent(span.model, 0, 0.0))
            found[span.model] = Spent(
                span.model,
                before.calls + 1,
                None if before.cost is None or span.cost is None else before.cost + span.cost,
                before.input_tokens + (used.input_tokens or 0),
                before.output_tokens + (used.output_tokens or 0),
            )
    if not found and (trace.cost is not None or trace.usage is not None):
        used = trace.usage or _NOTHING
        cost = None if trace.cost is None else trace.cost.total
        return (Spent("", 1, cost, used.input_tokens or 0, used.output_tokens or 0),)
    return tuple(found.values())


def _paid(score: Score) -> list[Score]:
    """The scores, of all that one is made of, that cost something of their own."""
    if score.cost is None:
        return []
    parts = [each for part in score.parts.values() for each in _paid(part)]
    costs = [part.cost for part in parts if part.cost is not None]
    whole = sum(costs[1:], costs[0]) if costs else Cost()
    same = whole.unknown == score.cost.unknown and abs(whole.amount - score.cost.amount) < 1e-9
    return parts if parts and same else [score]


def spend(db: Database, since: float, until: float) -> list[SpendCell]:
    """Money by day: of those that begin before `until`, from the one on that `since` lies in."""
    found = db.execute(
        f"SELECT {_COLUMNS} FROM spend WHERE day >= ? AND day < ? ORDER BY day, kind, flow, scorer, model",
        down(since, _DAY),
        up(until),
    )
    return [SpendCell(*[*row[:6], from_nano(row[6]), *row[7:]]) for row in found]
