"""What a suite's gate can see, and how often it would block what changed nothing: said before anything is paid for."""

from gatewatch.config.load import FILE, shortest
from gatewatch.config.project import Project
from gatewatch.config.rules import rule_of
from gatewatch.config.runs import suite_settings
from gatewatch.config.sides import exceptions_of, side_named
from gatewatch.core.case import in_tier
from gatewatch.core.errors import InputError, NoVerdict
from gatewatch.offline.baseline import baseline_path
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.pooling import runs_of_version
from gatewatch.offline.reach import Reach, cost_of_row, fewest_flips, noise_of, reach, trials_of
from gatewatch.offline.result import SUFFIX, find_run
from gatewatch.offline.selftest import SelfTest, selftest


def gate_reach(project: Project, name: str) -> Reach:
    """What the gate of a suite can see now, and what seeing more costs, for its first gating scorer.

    Raises:
        InputError: with what is wrong in the suite, its dataset or its baseline.
    """
    suite = suite_settings(project, name)
    rule = rule_of(suite.gate, suite.scorers, f"{FILE}: suites.{name}.gate")
    dataset = open_dataset(shortest(project.root / suite.dataset))
    before = side_named(project, "baseline", name) if baseline_path(project.root, name).is_file() else None
    scorer = (rule.primary or suite.scorers or ("",))[0]
    alone = None if before is None else fewest_flips(before, scorer, rule.alpha / 2)
    return reach(
        cases=sum(in_tier(case, suite.tier) for case in dataset),
        noise=noise_of(before, scorer),
        trials_before=trials_of(before),
        alpha=rule.alpha if alone is None else rule.alpha / 2,
        max_drop=rule.max_drop,
        cost=_cost_of_row(project, name, before),
        fewest_flips=alone,
    )


def _cost_of_row(project: Project, name: str, before: Outcomes | None) -> float | None:
    """What a row costs: as in the newest run of the suite, or as the baseline states it."""
    try:
        found = cost_of_row(read_run(find_run(project.runs, name)))
    except InputError:  # it was never run here
        found = None
    return cost_of_row(before) if found is None and before is not None else found


def gate_selftest(project: Project, name: str) -> SelfTest:
    """How often a suite's gate would block a change that changes nothing, from stored runs of its baseline's version.

    Only trials that were asked for anew count: none whose reply may have come from the reply cache.

    Raises:
        NoVerdict: when there are too few stored trials to tell.
        InputError: with what is wrong in the suite, or when it was never run.
    """
    suite = suite_settings(project, name)
    rule = rule_of(suite.gate, suite.scorers, f"{FILE}: suites.{name}.gate")
    reference = name
    if baseline_path(project.root, name).is_file():
        before = side_named(project, "baseline", name)
        reference = before.run
        if not (project.runs / f"{before.run}{SUFFIX}").is_file():
            raise NoVerdict(
                f"the self-test has nothing to go by: the run {before.run}, which the baseline is, is not stored here"
            )
    run = read_run(find_run(project.runs, reference))
    for each in runs_of_version(project.runs, run):
        run.pool(each)
    try:
        return selftest(run, rule, exceptions=exceptions_of(project, name))
    except ValueError as error:
        buy = f"`gatewatch baseline pin {run.run} --trials 8` buys trials"
        raise NoVerdict(f"the self-test has nothing to go by: {error} in stored runs of one version; {buy}") from None
