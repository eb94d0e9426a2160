"""How often would this gate block a change that changes nothing? Answered from stored trials of one version.

Each case's trials are dealt out anew, again and again: one is the candidate's, the others are the baseline's and its
history, and what falls is tried again with any of them. The gate that ships judges each deal.
"""

from collections.abc import Mapping, Sequence
from random import Random

from msgspec import Struct

from gatewatch.core.baseline import MOST_OUTCOMES
from gatewatch.offline.accept import Exceptions
from gatewatch.offline.compare import Comparison
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import CaseOutcome, Outcomes, Trial
from gatewatch.offline.rule import Rule
from gatewatch.stats.intervals import Interval, wilson

DEALS = 500
LEAST_TRIALS = 3
"""How many stored trials of a case are needed."""


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


def selftest(
    run: Outcomes, rule: Rule, *, exceptions: Exceptions | None = None, deals: int = DEALS, seed: int = 0
) -> SelfTest:
    """Judge changes that change nothing, made of the trials of a run.

    Args:
        run: a run whose cases have at least `LEAST_TRIALS` trials each; others are left out.
        rule: the gate's.
        exceptions: what was accepted.
        deals: how many changes to judge.
        seed: of the deals.

    Raises:
        ValueError: when no case has trials enough, or the gate cannot judge such runs at all; it says why.
    """
    cases = {case: outcome for case, outcome in run.cases.items() if len(outcome.trials) >= LEAST_TRIALS}
    if not cases:
        raise ValueError(f"no case has {LEAST_TRIALS} trials")
    random = Random(seed)
    words: dict[str, int] = {}
    reruns = 0
    for _ in range(deals):
        before, after = _dealt(run, cases, random)

        def again(wanted: Sequence[str], times: int) -> Outcomes:
            return _of(run, {case: [random.choice(cases[case].trials) for _ in range(times)] for case in wanted})

        verdict = decide(Comparison(before, after), rule, again=again, exceptions=exceptions)
        if verdict.verdict == "NOT_COMPARABLE":
            raise ValueError("; ".join(verdict.reasons))
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


def _dealt(run: Outcomes, cases: Mapping[str, CaseOutcome], random: Random) -> tuple[Outcomes, Outcomes]:
    """A baseline, and a candidate of the same version."""
    mine: dict[str, list[Trial]] = {}
    theirs: dict[str, list[Trial]] = {}
    past: dict[str, list[Trial]] = {}
    for case, outcome in cases.items():
        first, *rest = random.sample(outcome.trials, len(outcome.trials))
        # As long as the baseline's would be, of trials that the candidate's is none of.
        past[case] = [*rest, random.choice(rest)][-MOST_OUTCOMES:]
        theirs[case], mine[case] = [first], past[case][-1:]
    before, after = _of(run, mine), _of(run, theirs)
    before.pinned = "dealt"
    for case, trials in past.items():
        before.cases[case].history = {
            name: tuple(mark.value for trial in trials if (mark := trial.scores.get(name)) and mark.value is not None)
            for name in run.scorers
        }
    after.components = {**run.components, "deal": "anew"}  # another version, by name, that is the same
    return before, after


def _of(run: Outcomes, trials: Mapping[str, list[Trial]]) -> Outcomes:
    """A run of some trials, without digests: a gate that passes what is identical would not be put to the test."""
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
        outcome = run.cases[case]
        bare = [Trial(case, number, scores=trial.scores) for number, trial in enumerate(each)]
        found.cases[case] = CaseOutcome(
            outcome.hash, outcome.slice, outcome.cluster, outcome.must_pass, bare, open=outcome.open
        )
        found.rows += len(bare)
    found.planned = True  # it stands for a whole run, whatever part of one it is
    return found
