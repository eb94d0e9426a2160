"""One of two runs as a report names it."""

from gatewatch.offline.compare import COMMIT
from gatewatch.offline.outcomes import Outcomes
from gatewatch.offline.summary import percentiles
from gatewatch.offline.verdict import Side


def side(outcomes: Outcomes) -> Side:
    """The facts of a run or a baseline that a report shows."""
    return Side(
        run=outcomes.run,
        label=outcomes.label,
        task=outcomes.task,
        dataset=f"{outcomes.dataset.path}@{outcomes.dataset.version}",
        commit=outcomes.components.get(COMMIT, ""),
        cases=len(outcomes.cases),
        trials=outcomes.trials,
        rows=outcomes.rows,
        failed=outcomes.failed,
        cost=outcomes.task_cost,
        judge_cost=outcomes.judge_cost,
        latency_s=outcomes.latency_s or percentiles(outcomes.latencies),
        pinned=outcomes.pinned,
    )
