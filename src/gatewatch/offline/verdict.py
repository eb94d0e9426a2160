"""What a gate says: a verdict, the figures that it rests on, and the rows that moved. Plain data for every report."""

from typing import Literal

from msgspec import Struct

from gatewatch.core.money import Cost

Word = Literal["PASS", "REGRESSED", "UNDECIDED", "NOT_COMPARABLE"]
VERDICT_KIND = "gatewatch.verdict"
VERDICT_VERSION = 1

EXIT_PASS, EXIT_FAILED, EXIT_NO_VERDICT, EXIT_BROKEN = 0, 1, 3, 4


class Flips(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The flip layer of one scorer.

    Of `eligible` cases (enough stored outcomes, mostly passed), `flipped` failed at first in the candidate, `confirmed`
    failed three times of three. `p` is the probability of so many under no change; `fewest` how many would block.
    """

    eligible: int
    flipped: int = 0
    confirmed: int = 0
    p: float = 1.0
    fewest: int | None = None


class Figures(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How one scorer moved, over all paired cases or over one slice.

    `n` pairs are of `groups` origins. `delta` is candidate less baseline, `interval` its two-sided 95 % interval,
    `lower` its one-sided 95 % lower bound. `p` is the one-sided mid-p of the sign-flip test that the mean fell;
    `p_adjusted` is after Holm over the cells that it stands among; `rose` says that the mean rose, as sure as a fall
    has to be to block: by the mirrored test, after Holm over the same cells. `wins` and `losses` count the cases whose
    value rose and fell, `fixed` and `broke` those that crossed the pass mark, `errors` the pairs that scorer errors
    took (`lost_share` their share), `dropped` those of which the scorer has nothing to say any more. `blocked_by` names
    the layers that found it regressed. `mde` is the smallest fall that this many cases detect with 80 % power, `needed`
    how many cases would decide, if nothing changed.
    """

    verdict: Word
    gating: bool = True
    reasons: tuple[str, ...] = ()
    n: int = 0
    groups: int = 0
    baseline: float | None = None
    candidate: float | None = None
    delta: float | None = None
    interval: tuple[float, float] | None = None
    lower: float | None = None
    method: str = ""
    p: float | None = None
    p_adjusted: float | None = None
    rose: bool = False
    wins: int = 0
    losses: int = 0
    ties: int = 0
    fixed: int = 0
    broke: int = 0
    errors: int = 0
    lost_share: float = 0.0
    skipped: int = 0
    dropped: int = 0
    blocked_by: tuple[Literal["flips", "mean"], ...] = ()
    sd: float | None = None
    mde: float | None = None
    needed: int | None = None
    flips: Flips | None = None


class RowDiff(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One case under one scorer that moved, or that a layer of the gate speaks of.

    `before` and `after` are means over trials. `outcomes` has every value that the candidate was given for the case,
    first to last, re-runs among them, where there are several. `confirmed` is whether the case failed three times of
    three (None: it was not tried again). `flaky` says that one side alone passed and failed. `accepted` is the reason
    of an exception. `why` says which layer blocks because of the row, if one does.
    """

    id: str
    scorer: str
    effect: Literal["loss", "win", "tie", "new"]
    before: float | None = None
    after: float | None = None
    slice: str = ""
    crossed: Literal["", "broke", "fixed"] = ""
    must_pass: bool = False
    confirmed: bool | None = None
    flaky: bool = False
    outcomes: tuple[float, ...] = ()
    accepted: str = ""
    why: str = ""


class Layer(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One layer of the gate: whether it is on, what it found, or why it is off."""

    name: str
    on: bool
    blocks: bool = False
    said: str = ""


class Side(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One of the two runs, as a report names it, its dataset as path@version.

    Percentiles are in seconds, over answers; the cost is of all its rows.
    """

    run: str
    label: str = ""
    task: str = ""
    dataset: str = ""
    commit: str = ""
    cases: int = 0
    trials: int = 1
    rows: int = 0
    failed: int = 0
    cost: Cost | None = None
    judge_cost: Cost | None = None
    latency_s: dict[str, float | None] = {}
    pinned: str = ""


class Ceiling(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A ceiling on cost (US dollars a case, the mean) or latency (seconds, the 95th percentile), and how it was kept.

    It blocks only when `lower`, the one-sided 95 % lower bound, lies above it.
    """

    name: str
    limit: float
    value: float | None = None
    lower: float | None = None
    blocks: bool = False
    said: str = ""


class Accepted(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An exception that the gate took account of, as it stands in accepted.toml."""

    where: str
    what: str
    reason: str
    until: str
    owner: str
    state: Literal["holds", "expired", "idle"] = "holds"


class OpenCase(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A case that was promoted before its fix was there, and what became of it.

    `state` is "open" until its day, "expired" after it, and "locked" where the baseline shows its fix: it must pass
    then. `passes` says whether all of its `tries` passed; None: no scorer with a pass mark has a value for it.
    """

    id: str
    until: str
    owner: str = ""
    state: Literal["open", "expired", "locked"] = "open"
    passes: bool | None = None
    tries: int = 0


class Verdict(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the gate says of a candidate beside a baseline, with all that it rests on."""

    verdict: Word
    reasons: tuple[str, ...]
    rule: str
    suite: str = ""
    baseline: Side | None = None
    candidate: Side | None = None
    changed: dict[str, tuple[str, str]] = {}
    attribution: str = ""
    remarks: tuple[str, ...] = ()
    layers: tuple[Layer, ...] = ()
    scorers: dict[str, Figures] = {}
    slices: dict[str, dict[str, Figures]] = {}
    explore: tuple[tuple[str, str, float], ...] = ()
    rows: tuple[RowDiff, ...] = ()
    new: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()
    paired: int = 0
    ceilings: tuple[Ceiling, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    open: tuple[OpenCase, ...] = ()
    reach: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    reruns: int = 0
    rerun_cost: Cost | None = None
    identical: bool = False
    stopped: str = ""
    refused: bool = False
    broken: bool = False
    undecided: Literal["warn", "fail", "spend"] = "warn"
    max_drop: float = 0.05
    seed: int = 0

    @property
    def mde(self) -> float | None:
        """The smallest fall that the first gating scorer could have shown."""
        return next((each.mde for each in self.scorers.values() if each.gating), None)

    @property
    def exit_code(self) -> int:
        """0 pass, or undecided where that only warns; 1 regressed; 3 no verdict; 4 the candidate's run broke."""
        if self.broken:
            return EXIT_BROKEN
        if self.verdict == "REGRESSED":
            return EXIT_FAILED
        if self.verdict == "NOT_COMPARABLE" or self.refused:
            return EXIT_NO_VERDICT
        if self.verdict == "UNDECIDED" and self.undecided == "fail":
            return EXIT_NO_VERDICT
        return EXIT_PASS
