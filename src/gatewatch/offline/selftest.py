"""How often would this gate block a change that changes nothing? Answered from stored trials of one version.

Each case's trials are dealt out anew, again and again: one is the candidate's, the others are the baseline's and its
history, and what falls is tried again with those that are left. The gate that ships judges each deal.
"""

from collections.abc import Mapping, Sequence
from random import Random

from msgspec import Struct

from gatewatch.core.baseline import MOST_OUTCOMES
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import CaseOutcome, Outcomes, Trial
from gatewatch.offline.rule import Rule
from gatewatch.stats.intervals import Interval, wilson

DEALS = 500
LEAST_TRIALS = 3
"""How many stored trials of a case are needed: one for each side, and one to try again with."""


class SelfTest(Struct, frozen=True, kw_only=True):
    """How a gate judged changes that changed nothing.

    `trials` is how many stored trials a case has, at least and at most; `blocked`, `undecided` and `passed` count
    deals, `reruns` is the share of calls that went into trying again.
    """

    deals: int
    blocked: int
    undecided: int
    passed: int
    cases: int
    trials: tuple[int, int]
    reruns: float
    interval: Interval


def selftest(run: Outcomes, rule: Rule, *, deals: int = DEALS, seed: int = 0) -> SelfTest:
    """Judge changes that change nothing, made of the trials of a run.

    Args:
        run: a run whose cases have at least `LEAST_TRIALS` trials each; others are left out.
        rule: the gate's.
        deals: how many changes to judge.
        seed: of the deals.

    Raises:
        ValueError: when no case has trials enough.
    """
    cases = {case: outcome for case, outcome in run.cases.items() if len(outcome.trials) >= LEAST_TRIALS}
    if not cases:
        raise ValueError(f"no case has {LEAST_TRIALS} trials")
    random = Random(seed)
    words: dict[str, int] = {}
    reruns = 0
    for _ in range(deals):
        before, after, rest = _dealt(run, cases, random)

        def again(wanted: Sequence[str], times: int, rest: Mapping[str, list[Trial]] = rest) -> Outcomes:
            return _some(run, {case: [random.choice(rest[case]) for _ in range(times)] for case in wanted})

        verdict = decide(Comparison(before, after), rule, again=again)
        words[verdict.verdict] = words.get(verdict.verdict, 0) + 1
        reruns += verdict.reruns
    counts = [len(outcome.trials) for outcome in cases.values()]
    blocked = words.get("REGRESSED", 0)
    return SelfTest(
        deals=deals,
        blocked=blocked,
        undecided=words.get("UNDECIDED", 0),
        passed=words.get("PASS", 0),
        cases=len(cases),
        trials=(min(counts), max(counts)),
        reruns=reruns / deals / len(cases),
        interval=wilson(blocked, deals),
    )


def _dealt(
    run: Outcomes, cases: Mapping[str, CaseOutcome], random: Random
) -> tuple[Outcomes, Outcomes, dict[str, list[Trial]]]:
    """A baseline, a candidate, and what is left of each case to try again with."""
    before, after = _some(run, {}), _some(run, {})
    before.pinned = "dealt"
    rest: dict[str, list[Trial]] = {}
    for case, outcome in cases.items():
        trials = random.sample(outcome.trials, len(outcome.trials))
        after.cases[case] = _case(outcome, trials[:1])
        mine = _case(outcome, trials[1:2])
        past = trials[1 : 1 + MOST_OUTCOMES]
        mine.history = {
            name: tuple(mark.value for trial in past if (mark := trial.scores.get(name)) and mark.value is not None)
            for name in run.scorers
        }
        before.cases[case] = mine
        rest[case] = trials[2:]
    after.components = {**run.components, "deal": "anew"}  # another version, by name, that is the same
    return before, after, rest


def _case(outcome: CaseOutcome, trials: list[Trial]) -> CaseOutcome:
    # Of digests none is kept: a gate that passes for identical outputs would not be put to the test.
    bare = [Trial(trial.case, number, scores=trial.scores) for number, trial in enumerate(trials)]
    return CaseOutcome(outcome.hash, outcome.slice, outcome.cluster, outcome.must_pass, bare)


def _some(run: Outcomes, trials: Mapping[str, list[Trial]]) -> Outcomes:
    found = Outcomes(
        label=run.label,
        run=run.run,
        suite=run.suite,
        task=run.task,
        dataset=run.dataset,
        scorers=run.scorers,
        components=run.components,
        trials=1,
    )
    for case, each in trials.items():
        found.cases[case] = _case(run.cases[case], each)
        found.rows += len(each)
    return found
