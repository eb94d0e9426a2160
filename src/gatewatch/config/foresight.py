"""What a suite's gate can see, and how often it would block what changed nothing: said before anything is paid for."""

from gatewatch.config.load import FILE, shortest
from gatewatch.config.project import Project
from gatewatch.config.rules import rule_of
from gatewatch.config.runs import suite_settings
from gatewatch.config.sides import side_named
from gatewatch.core.case import in_tier
from gatewatch.core.errors import NoVerdict
from gatewatch.offline.baseline import baseline_path
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import runs_of_version
from gatewatch.offline.reach import cost_of_row, fewest_flips, reach_lines, spread
from gatewatch.offline.result import find_run
from gatewatch.offline.selftest import LEAST_TRIALS, SelfTest, selftest


def gate_reach(project: Project, name: str) -> list[str]:
    """What the gate of a suite can see now, and what seeing more costs, for its first gating scorer.

    Raises:
        InputError: with what is wrong in the suite, its dataset or its baseline.
    """
    suite = suite_settings(project, name)
    rule = rule_of(suite.gate, suite.scorers, f"{FILE}: suites.{name}.gate")
    dataset = open_dataset(shortest(project.root / suite.dataset))
    cases = sum(in_tier(case, suite.tier) for case in dataset)
    before = side_named(project, "baseline", name) if baseline_path(project.root, name).is_file() else None
    scorer = (rule.primary or suite.scorers or ("",))[0]
    alone = None if before is None else fewest_flips(before, scorer, suite.pass_at.get(scorer), rule.alpha / 2)
    return reach_lines(
        cases=cases,
        spread=spread(before, scorer),
        alpha=rule.alpha if alone is None else rule.alpha / 2,
        max_drop=rule.max_drop,
        cost=_cost_of_row(project, name, before),
        fewest_flips=alone,
    )


def _cost_of_row(project: Project, name: str, before: Outcomes | None) -> float | None:
    """What a row costs: as in the newest run of the suite that paid, or as the baseline states it."""
    try:
        found = cost_of_row(read_run(find_run(project.runs, name)))
    except Exception:  # there is no such run: a figure that is not there is no reason to fail
        found = None
    return found or (None if before is None else cost_of_row(before))


def gate_selftest(project: Project, name: str) -> SelfTest:
    """How often a suite's gate would block a change that changes nothing, from stored runs of its newest version.

    Only trials that were asked for anew count: none whose reply may have come from the reply cache.

    Raises:
        NoVerdict: when there are too few stored trials to tell.
        InputError: with what is wrong in the suite, or when it was never run.
    """
    suite = suite_settings(project, name)
    rule = rule_of(suite.gate, suite.scorers, f"{FILE}: suites.{name}.gate")
    best: Outcomes | None = None
    reference = name
    if baseline_path(project.root, name).is_file():
        before = side_named(project, "baseline", name)
        if (project.runs / f"{before.run}.jsonl").is_file():
            reference = before.run
    best = read_run(find_run(project.runs, reference))
    for each in runs_of_version(project.runs, best):
        best.pool(each)
    try:
        return selftest(best, rule)
    except ValueError:
        most = max(len(outcome.trials) for outcome in best.cases.values())
        raise NoVerdict(
            f"the self-test needs {LEAST_TRIALS} stored trials of a case under one version, there "
            f"{'is 1' if most == 1 else f'are {most}'}: `gatewatch baseline pin {best.run} --trials 5` buys them"
        ) from None
