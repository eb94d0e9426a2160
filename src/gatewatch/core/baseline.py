"""A baseline as it is kept in git: a header line, then one line for each case and scorer. Plain data, no I/O.

The lines carry all that a gate needs on a machine that has nothing else: what each case scored in the run that was
pinned, and its last outcomes in all runs of accepted versions.
"""

from msgspec import Struct

from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.core.score import Status

BASELINE_KIND = "gatewatch.baseline"
BASELINE_VERSION = 1

MOST_OUTCOMES = 10
"""How many past outcomes of a case a baseline keeps, the newest last."""


class BaselineHeader(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a baseline is the baseline of.

    `runs` are the runs whose outcomes stand in it, the main one first; `lines` is how many lines follow. `versions`
    are component versions that the application stated with its answers, `judges` the models that judged, as the
    provider names them, by scorer. `latency_s` has percentiles over answers, `cost` what the task's calls cost and
    `judge_cost` the judges'.
    """

    kind: str
    version: int
    run: str
    suite: str = ""
    task: str
    pinned: str = ""
    reason: str = ""
    trials: int = 1
    dataset: DatasetRef
    components: dict[str, str] = {}
    versions: dict[str, tuple[str, ...]] = {}
    scorers: dict[str, ScorerRef]
    judges: dict[str, tuple[str, ...]] = {}
    runs: tuple[str, ...] = ()
    cost: Cost | None = None
    judge_cost: Cost | None = None
    latency_s: dict[str, float | None] = {}
    lines: int = 0


class BaselineLine(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """One case under one scorer: its value in each trial of the pinned run, and its last outcomes.

    `states` says what became of each trial, where not all were scored; `outputs` has a digest of each trial's output.
    `outcomes` are values of accepted versions, the newest last, those of the pinned run among them.
    """

    case: str
    scorer: str
    hash: str
    values: tuple[float | None, ...]
    states: tuple[Status, ...] = ()
    outputs: tuple[str, ...] = ()
    outcomes: tuple[float, ...] = ()
    slice: str = ""
    cluster: str = ""
    must_pass: bool = False
