"""One of two runs as a report names it."""

from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.summary import percentiles
from gatewatch.offline.verdict import Side


def side(outcomes: Outcomes) -> Side:
    """The facts of a run or a baseline that a report shows."""
    return Side(
        run=outcomes.run,
        label=outcomes.label,
        task=outcomes.task,
        cases=len(outcomes.cases),
        trials=outcomes.trials,
        rows=outcomes.rows,
        failed=outcomes.failed,
        cost=outcomes.task_cost,
        judge_cost=outcomes.judge_cost,
        latency_s=outcomes.latency_s or percentiles(outcomes.latencies),
        pinned=outcomes.pinned,
    )
