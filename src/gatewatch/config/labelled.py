"""The run that people labelled: what it answered, and which of its answers a label is of."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct

from gatewatch.config.judged import thing_of
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.label import LabelLine
from gatewatch.core.run import Purpose, trace_id
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.result import SUFFIX, run_paths
from gatewatch.scorers.base import Scorer

_LABELLED: tuple[Purpose, ...] = ("", "rescore")
"""What a run is made for whose outputs people label."""


class Answers(Struct, frozen=True):
    """What a run answered: a digest of each output by thing (`thing_of`), and the thing of each trace id."""

    path: Path
    run: str
    outputs: dict[str, str]
    traces: dict[str, str]

    def thing(self, line: LabelLine) -> str:
        """What a label is of, or nothing where it is of no output of this run."""
        thing = self.traces.get(line.trace, "") if line.trace else thing_of(line.case, line.trial or 0)
        return thing if line.output in ("", self.outputs.get(thing)) and thing in self.outputs else ""


def answers_of(path: Path) -> Answers:
    """What the run of a journal answered.

    Outputs that were scored again keep the trace ids that they had in the run that made them.

    Raises:
        InputError: when the file is not a run's journal.
    """
    return _answers(path, read_run(path))


def _answers(path: Path, run: Outcomes) -> Answers:
    outputs: dict[str, str] = {}
    traces: dict[str, str] = {}
    runs = _lineage(path)
    for case, outcome in run.cases.items():
        for trial in outcome.trials:
            thing = thing_of(case, trial.trial)
            outputs[thing] = trial.digest
            traces |= {trace_id(each, case, trial.trial): thing for each in runs}
    return Answers(path, run.run, outputs, traces)


def _lineage(path: Path) -> list[str]:
    """A run, and those whose outputs it scored again."""
    header = JournalReader(path).header
    found = [header.run]
    while header.purpose in ("rescore", "calibrate") and header.of not in found:
        found.append(header.of)
        path = path.with_name(f"{header.of}{SUFFIX}")
        if not path.is_file():
            break
        header = JournalReader(path).header
    return found


class _Candidate(Struct, frozen=True):
    answers: Answers
    labelled: dict[str, str]
    told: int


def labelled_run(folder: Path, lines: Sequence[LabelLine], scorer: Scorer) -> Answers:
    """The run that was labelled: the newest of those that have the most of what is labelled.

    Where others have the same outputs, one of them that has the scorer's verdicts is taken, so that nothing is asked
    twice.

    Raises:
        InputError: when no run has any of it.
    """
    found: list[_Candidate] = []
    for path in run_paths(folder):
        try:
            if JournalReader(path).header.purpose not in _LABELLED:
                continue
            run = read_run(path)
            answers = _answers(path, run)
        except InputError:
            continue
        labelled = {thing: answers.outputs[thing] for thing in map(answers.thing, lines) if thing}
        if labelled and (not found or len(labelled) >= len(found[0].labelled)):
            if found and len(labelled) > len(found[0].labelled):
                found.clear()
            found.append(_Candidate(answers, labelled, _told(run, scorer, labelled)))
    if not found:
        what = f"no run has one of the {len({line.case or line.trace for line in lines})} labelled cases"
        raise InputError(Problem(str(folder), what, "make one with `gatewatch run SUITE`, or give --verdicts FILE"))
    same = [each for each in found if each.labelled == found[0].labelled]
    return max(same, key=lambda each: each.told).answers


def _told(run: Outcomes, scorer: Scorer, things: Iterable[str]) -> int:
    """On how many things a run has the scorer's verdict, by the same ruler."""
    ref = run.scorers.get(scorer.name)
    if ref is None or ref.fingerprint != scorer.fingerprint:
        return 0
    told = {
        thing_of(case, trial.trial)
        for case, outcome in run.cases.items()
        for trial in outcome.trials
        if scorer.name in trial.scores and trial.scores[scorer.name].status != "scorer_error"
    }
    return len(told.intersection(things))
