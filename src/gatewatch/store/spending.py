"""Money by day, flow, scorer and model: added up in memory over a transaction, then written once."""

from typing import Literal

from gatewatch.core.money import Cost
from gatewatch.core.score import Score, models_named
from gatewatch.store.database import Database
from gatewatch.store.rows import SpendCell, Spent
from gatewatch.store.units import MICRO, count, from_nano, nano

_DAY = 86_400


class Spending:
    """What one transaction adds to what was spent."""

    def __init__(self) -> None:
        self._cells: dict[tuple[int, str, str, str, str], list[int]] = {}

    def add(self, at: int, kind: Literal["task", "judge"], flow: str, scorer: str, spent: Spent) -> None:
        """Add what some calls took; `at` is in microseconds. All of them are unknown where the cost is."""
        day = at // MICRO // _DAY * _DAY
        cell = self._cells.setdefault((day, kind, flow, scorer, spent.model), [0] * 5)
        cell[0] += count(spent.calls) or 0
        cell[1] += nano(spent.cost or 0.0)
        cell[2] += (count(spent.calls) or 0) if spent.cost is None else 0
        cell[3] += count(spent.input_tokens) or 0
        cell[4] += count(spent.output_tokens) or 0

    def judged(self, at: int, flow: str, scorer: str, score: Score) -> None:
        """Add what a score took, by the models that its parts name where these make up all of it."""
        for part in _paid(score):
            cost, usage = part.cost or Cost(), part.usage
            model = ", ".join(dict.fromkeys(models_named(part.model).values()))
            tokens = (usage.input_tokens or 0, usage.output_tokens or 0) if usage is not None else (0, 0)
            if cost.amount or not cost.unknown:
                self.add(at, "judge", flow, scorer, Spent(model, 1, cost.amount, *tokens))
                tokens = (0, 0)
            if cost.unknown:
                self.add(at, "judge", flow, scorer, Spent(model, cost.unknown, None, *tokens))

    def write(self, db: Database) -> None:
        """Write it, within the caller's transaction."""
        db.executemany(
            "INSERT INTO spend VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (day, kind, flow, scorer, model)"
            " DO UPDATE SET calls = spend.calls + excluded.calls, cost = spend.cost + excluded.cost,"
            " unknown = spend.unknown + excluded.unknown, input_tokens = spend.input_tokens + excluded.input_tokens,"
            " output_tokens = spend.output_tokens + excluded.output_tokens",
            [(*key, *sums) for key, sums in self._cells.items()],
        )


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
        "SELECT day, kind, flow, scorer, model, calls, cost, unknown, input_tokens, output_tokens FROM spend"
        " WHERE day >= ? AND day < ? ORDER BY day, kind, flow, scorer, model",
        since // _DAY * _DAY,
        until,
    )
    return [SpendCell(*[*row[:6], from_nano(row[6]), *row[7:]]) for row in found]
