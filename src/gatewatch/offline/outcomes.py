"""What became of each case: as much of a run as a comparison needs, read quickly from its journal.

A run may have a hundred thousand rows, so that only a few fields of each are decoded, and of an output only a digest is
kept. The texts that a report shows are read again from where they lie.
"""

import gc
from array import array
from collections.abc import Collection, Iterable
from hashlib import blake2b
from math import fsum
from operator import attrgetter
from pathlib import Path
from typing import Annotated
from zlib import crc32

import msgspec
from msgspec import Raw, Struct

from gatewatch.core import codec
from gatewatch.core.case import Open
from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, Purpose, RunHeader, ScorerRef
from gatewatch.core.score import Status
from gatewatch.core.trace import Fault
from gatewatch.offline.journal import JournalReader
from gatewatch.stats.intervals import Estimate, MeanEstimate

DIGEST_SIZE = 8
_VERSIONS_KEPT = 20
_NULL = Raw(b"null")


class Mark(Struct, gc=False):
    """A score, as far as a comparison looks at it."""

    value: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    status: Status = "scored"
    model: str = ""
    cost: Cost | None = None


class Answer(Struct, gc=False):
    """A trace, as far as a comparison looks at it."""

    output: Raw = _NULL
    error: Fault | None = None
    latency_s: float | None = None
    cost: Cost | None = None
    versions: dict[str, str] = {}


class Trial(Struct, gc=False):
    """One trial of a case: a digest of its output, its scores, and where in the journal its records lie."""

    case: str
    trial: int = 0
    hash: str = ""
    slice: str = ""
    cluster: str = ""
    must_pass: bool = False
    open: Open | None = None
    trace: Answer | None = None
    scores: dict[str, Mark] = {}
    awaits: tuple[str, ...] = ()
    digest: str = ""
    places: tuple[int, ...] = ()


class CaseOutcome(Struct, gc=False):
    """A case: its trials in the order in which they were made, and, from a baseline, its past outcomes by scorer.

    `tries` has every trial in that order, those of a single case that was tried again among them; empty where there
    are none of those. Means are over `trials` alone: what is tried again was chosen for having failed. `open` is of a
    candidate's case that may fail yet.
    """

    hash: str
    slice: str
    cluster: str
    must_pass: bool
    trials: list[Trial]
    history: dict[str, tuple[float, ...]] = {}
    tries: list[Trial] = []
    open: Open | None = None

    def value(self, scorer: str) -> float | None:
        """The mean over the trials that have a value, or None when none has."""
        if len(self.trials) == 1:
            mark = self.trials[0].scores.get(scorer)
            return None if mark is None else mark.value
        values = self.values(scorer)
        return sum(values) / len(values) if values else None

    def values(self, scorer: str) -> list[float]:
        """The values of the trials that have one, in order."""
        if len(self.trials) == 1:
            mark = self.trials[0].scores.get(scorer)
            return [] if mark is None or mark.value is None else [mark.value]
        marks = (trial.scores.get(scorer) for trial in self.trials)
        return [mark.value for mark in marks if mark is not None and mark.value is not None]

    def lost(self, scorer: str) -> float:
        """The share of trials whose score is not there because the scorer failed (or was cut off), in 0..1."""
        if not self.trials:
            return 0.0
        found = ((trial.scores.get(scorer), trial.awaits) for trial in self.trials)
        count = sum(scorer in awaits if mark is None else mark.status == "scorer_error" for mark, awaits in found)
        return count / len(self.trials)

    def skipped(self, scorer: str) -> float:
        """The share of trials that the scorer had nothing to say of, in 0..1."""
        marks = [trial.scores.get(scorer) for trial in self.trials]
        return sum(mark is not None and mark.status == "skipped" for mark in marks) / max(1, len(marks))

    def tried(self, scorer: str) -> list[float]:
        """The values of all that was tried, in order: what was tried again for having failed, too."""
        if not self.tries:
            return self.values(scorer)
        marks = (trial.scores.get(scorer) for trial in self.tries)
        return [mark.value for mark in marks if mark is not None and mark.value is not None]


class Outcomes:
    """The outcomes of a run, or of a baseline, by case."""

    def __init__(
        self,
        *,
        label: str,
        run: str,
        suite: str,
        task: str,
        dataset: DatasetRef,
        scorers: dict[str, ScorerRef],
        components: dict[str, str],
        trials: int,
        path: Path | None = None,
    ) -> None:
        self.label = label
        self.run = run
        self.suite = suite
        self.task = task
        self.dataset = dataset
        self.scorers = scorers
        self.components = components
        self.trials = trials
        self.path = path
        self.pinned = ""
        self.runs: tuple[str, ...] = (run,)
        self.independent = True
        self.purpose: Purpose = ""
        self.made_for = ""
        self.cases: dict[str, CaseOutcome] = {}
        self.versions: dict[str, set[str]] = {}
        self.judges: dict[str, set[str]] = {}
        self.rows = self.failed = 0
        self.stopped = ""
        self.planned = False
        self.latencies = array("d")
        self.latency_s: dict[str, float | None] = {}
        self.costs = array("d")
        self.paid, self.unpriced = 0.0, 0
        self.judge_cost = Cost()

    @classmethod
    def of(cls, header: RunHeader, path: Path | None = None) -> "Outcomes":
        """Outcomes without cases yet, of the run that a header tells of."""
        found = cls(
            label=header.name or header.run,
            run=header.run,
            suite=header.suite,
            task=header.task,
            dataset=header.dataset,
            scorers=header.scorers,
            components=header.components,
            trials=header.trials,
            path=path,
        )
        found.independent, found.purpose = header.independent, header.purpose
        found.made_for = header.of
        if header.purpose in ("rescore", "calibrate"):  # the outputs of that run, which are no new outcomes
            found.runs = (header.run, header.of)
        return found

    @property
    def expected_rows(self) -> int:
        """How many rows a complete run has."""
        return self.dataset.cases * self.trials

    @property
    def most_trials(self) -> int:
        """The most trials of one case that there are."""
        return max(map(len, map(attrgetter("trials"), self.cases.values())), default=0)

    def most_outcomes(self, scorer: str) -> int:
        """The most outcomes that are known of one case under a scorer."""
        cases = self.cases.values()
        if not any(map(attrgetter("history"), cases)):
            return self.most_trials
        return max(len(each.history.get(scorer, ())) or len(each.trials) for each in cases)

    def mark(self, scorer: str) -> float | None:
        """From which value on a trial passes: as the suite says, or 1 where every value is 0 or 1; else None."""
        ref = self.scorers.get(scorer)
        if ref is None or ref.pass_at is not None:
            return None if ref is None else ref.pass_at
        values = [value for outcome in self.cases.values() for value in outcome.values(scorer)]
        return 1.0 if values and all(value in (0.0, 1.0) for value in values) else None

    def estimate(self, scorer: str, *, confidence: float = 0.95, besides: Collection[str] = ()) -> Estimate:
        """The mean over all cases that have a value, `besides` some, with its interval."""
        found = MeanEstimate()
        for case, outcome in self.cases.items():
            value = outcome.value(scorer)
            if value is not None and case not in besides:
                found.add(value, outcome.cluster)
        return found.result(confidence=confidence)

    @property
    def complete(self) -> bool:
        """Whether every row is there, with every score."""
        return self.rows >= self.expected_rows and not any(
            name not in trial.scores
            for outcome in self.cases.values()
            for trial in outcome.trials
            if trial.awaits
            for name in trial.awaits
        )

    @property
    def all_failed(self) -> bool:
        """Whether the task, or every scorer, has nothing but errors to show."""
        if self.rows == self.failed:
            return True
        marks = (mark for each in self.cases.values() for trial in each.trials for mark in trial.scores.values())
        return bool(self.scorers) and not any(mark.status in ("scored", "skipped") for mark in marks)

    def add(self, trial: Trial, answer: Answer) -> None:
        """Take in a trial and what is known of its answer."""
        outcome = self.cases.get(trial.case)
        if outcome is None:
            self.cases[trial.case] = CaseOutcome(
                trial.hash, trial.slice, trial.cluster, trial.must_pass, [trial], open=trial.open
            )
        else:
            outcome.trials.append(trial)
        self.rows += 1
        if answer.error is not None:
            self.failed += 1
        elif answer.latency_s is not None and trial.open is None:  # what is open is under no ceiling
            self.latencies.append(answer.latency_s)
        if answer.cost is None:
            self.unpriced += 1
        elif answer.cost.unknown or trial.open is not None:
            self.unpriced += answer.cost.unknown
            self.paid += answer.cost.amount
        else:
            self.costs.append(answer.cost.amount)
        if answer.versions:
            self._state(answer.versions)

    def _state(self, versions: dict[str, str]) -> None:
        for name, version in versions.items():
            found = self.versions.setdefault(name, set())
            if len(found) < _VERSIONS_KEPT:
                found.add(version)

    @property
    def task_cost(self) -> Cost:
        """What the task's calls cost."""
        return Cost(self.paid + fsum(self.costs), self.unpriced)

    def try_again(self, more: "Outcomes") -> None:
        """Take in trials of cases that were tried again for having failed: they are no part of any mean."""
        for case, outcome in more.cases.items():
            mine = self.cases[case]
            mine.tries = [*(mine.tries or mine.trials), *outcome.trials]

    def judged(self, name: str, mark: Mark) -> None:
        """Take note of what a score cost, and of the model that gave it."""
        if mark.cost is not None:
            self.judge_cost += mark.cost
        if mark.model:
            self.judges.setdefault(name, set()).add(mark.model)

    def pool(self, other: "Outcomes") -> None:
        """Take in the trials that another run of the same version made of the same cases, with what they cost."""
        for case, outcome in other.cases.items():
            mine = self.cases.get(case)
            if mine is not None and mine.hash == outcome.hash:
                mine.trials += outcome.trials
                if mine.tries:
                    mine.tries += outcome.trials
        self.runs = (*self.runs, *other.runs)
        for name, models in other.judges.items():
            self.judges[name] = self.judges.get(name, set()) | models
        self.count(other)

    def count(self, other: "Outcomes") -> None:
        """Take in what another run's rows cost, and how long they took."""
        self.rows += other.rows
        self.failed += other.failed
        self.latencies.extend(other.latencies)
        self.costs.extend(other.costs)
        self.paid += other.paid
        self.unpriced += other.unpriced
        self.judge_cost += other.judge_cost


_decoder = msgspec.json.Decoder(Trial)
_HEAD = b'","row":'
_SEED = crc32(b"row")


def read_run(path: Path) -> Outcomes:
    """The outcomes of a run, from its journal. What is torn or damaged is left out.

    Raises:
        InputError: when the file is not a run's journal.
    """
    found = Outcomes.of(JournalReader(path).header, path)
    collecting = gc.isenabled()
    gc.disable()  # all that is made here stays: to look for what does not would take as long as the reading
    try:
        with path.open("rb") as file:
            _read(file, found)
    finally:
        if collecting:
            gc.enable()
    return found


def _read(lines: Iterable[bytes], found: Outcomes) -> None:
    at, decode, cases = 0, _decoder.decode, found.cases
    for line in lines:
        place, at = at, at + len(line)
        # As `codec.unframe` does it, written out: a call for each of a hundred thousand rows can be felt.
        payload = line[24:-2]
        if line[16:24] != _HEAD or line[8:16] != b"%08x" % crc32(payload, _SEED) or line[-2:] != b"}\n":
            continue
        try:
            trial = decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            try:
                trial = _with_surrogates(payload)
            except ValueError:
                continue
        trial.places = (place,)
        answer = trial.trace
        if answer is None or trial.case in cases:
            before = _before(cases, trial)
            if before is not None:
                _merge(found, before, trial)
                continue
            if answer is None:
                continue
        trial.digest = digest_of(answer.output, answer.error)
        trial.trace = None
        found.add(trial, answer)
        for name, mark in trial.scores.items():
            if mark.cost is not None or mark.model:
                found.judged(name, mark)


def _with_surrogates(payload: bytes) -> Trial:
    """A row that has half of a surrogate pair in it, which JSON can say and UTF-8 cannot."""
    parsed = codec.parse(payload)
    trace = parsed.get("trace") if isinstance(parsed, dict) else None
    output = trace.pop("output", None) if isinstance(trace, dict) else None
    found = msgspec.convert(parsed, Trial)
    if found.trace is not None:
        found.trace.output = Raw(codec.encode(output))
    return found


def _before(cases: dict[str, CaseOutcome], trial: Trial) -> Trial | None:
    """The trial that an earlier record is of, if there is one."""
    outcome = cases.get(trial.case)
    same = () if outcome is None else (each for each in outcome.trials if each.trial == trial.trial)
    return next(iter(same), None)


def _merge(found: Outcomes, first: Trial, piece: Trial) -> None:
    """Put a later piece of a row to the row; a whole row that is given twice counts once."""
    if piece.trace is not None:
        return
    first.places += piece.places
    for name, mark in piece.scores.items():
        if name not in first.scores:
            first.scores[name] = mark
            found.judged(name, mark)


def digest_of(output: Raw | bytes, error: Fault | None) -> str:
    """Sixteen hex digits over an output as it is written, and over what went wrong, if anything did."""
    found = blake2b(output, digest_size=DIGEST_SIZE)
    if error is not None:
        found.update(error.message.encode(errors="surrogatepass"))
    return found.hexdigest()
