"""Calibrations of a project: made of labels and verdicts, kept in git, and void when the scorer changes."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.judged import Judged, Spoken, from_file, from_run, spoken, thing_of
from gatewatch.config.load import shortest
from gatewatch.config.parts import Parts
from gatewatch.config.project import Project
from gatewatch.config.runs import Part, prepare
from gatewatch.config.settings import SuiteSettings
from gatewatch.core import codec
from gatewatch.core.clock import now, stamp
from gatewatch.core.errors import InputError, NoVerdict, Problem
from gatewatch.core.label import LabelLine, Value
from gatewatch.core.run import ScorerRef
from gatewatch.core.score import models_named
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.result import Prepared, RunResult, find_run, run_paths
from gatewatch.offline.summary import Summary
from gatewatch.offline.tasks.recorded import RecordedTask
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.calibrate import Calibration, Figure, calibrate
from gatewatch.scorers.fingerprint import changed
from gatewatch.scorers.judge import judge, rubric_of
from gatewatch.scorers.label_file import read_labels, read_verdicts
from gatewatch.scorers.labels import Label
from gatewatch.scorers.rubric_file import is_rubric_path
from gatewatch.stats.corrected import rogan_gladen

KIND, VERSION = "gatewatch.calibration", 1
FOLDER = Path("calibrations")

Make = Callable[[Prepared], RunResult]
"""What makes a run of a scorer over stored outputs, after saying what it will cost."""


class Kept(Struct, frozen=True, kw_only=True):
    """A calibration as it is kept in `calibrations/SCORER.json`: of which ruler it is, and what it found.

    `left_out` are labels of what was chosen with a probability that is not known, `elsewhere` those of what has no
    verdict line or row at all.
    """

    kind: str = KIND
    version: int = VERSION
    scorer: str
    fingerprint: str = ""
    parts: dict[str, str] = {}
    models: dict[str, str] = {}
    at: str = ""
    labels: str = ""
    judged: str = ""
    good: str = ""
    pass_at: float | None = None
    left_out: int = 0
    elsewhere: int = 0
    found: Calibration


def calibrate_scorer(
    project: Project,
    reference: str,
    labels: Path,
    *,
    run: str = "",
    verdicts: Path | None = None,
    good: str = "",
    pass_at: float | None = None,
    everything: bool = False,
    make: Make,
) -> Kept:
    """Hold a scorer against people's labels.

    Args:
        project: the project.
        reference: a rubric's path, or the name of a scorer of the project.
        labels: the file of labels.
        run: the run whose outputs are labelled; by default the newest that has the labelled cases.
        verdicts: recorded verdicts, in the place of a run: nothing is asked.
        good: the choice whose rate is meant, where people choose.
        pass_at: from which value on a number is a pass.
        everything: whether the scorer is to be asked about every row of the run, not only about those labelled.
        make: makes the run in which the scorer is asked, where it has to be.

    Raises:
        InputError: with what is wrong in the files, or when no run has what is labelled.
    """
    scorer = None if verdicts is not None and not _names_scorer(project, reference) else named(project, reference)
    name = Path(reference).stem if scorer is None else scorer.name
    every = [(number, line) for number, line in read_labels(labels) if line.scorer in ("", name)]
    lines = [(number, line) for number, line in every if line.pi is not None or line.source in ("", "random")]
    if not lines:
        what = f"has no label for {name!r} that can be used"
        raise InputError(Problem(str(labels), what, "those that were mined count only where their pi is recorded"))
    speak = spoken(scorer)
    if verdicts is not None:
        judged, source = from_file(read_verdicts(verdicts), str(verdicts), speak), str(shortest(verdicts))
    else:
        assert scorer is not None
        only = [line for _, line in lines]
        path = _run_of(project, only, run)
        judged, source = _verdicts(project, scorer, path, only, everything=everything, make=make)
    rubric = None if scorer is None else rubric_of(scorer)
    found, elsewhere = _labels(lines, judged, speak, str(labels))
    good = good or speak.good
    try:
        # Where the scorer was asked of nothing but what is labelled, the labels' weights say what they stand for.
        population = judged.population if len(judged.verdicts) > len(found) else None
        report = calibrate(found, population=population, good=good, pass_at=pass_at)
    except ValueError as error:
        raise InputError(Problem(str(labels), str(error))) from None
    return Kept(
        scorer=name,
        fingerprint="" if scorer is None else scorer.fingerprint,
        parts={} if scorer is None else scorer.identity.parts,
        models=judged.models,
        at=stamp(now()),
        labels=str(shortest(labels)),
        judged=source,
        good=good if rubric is None or rubric.scale.kind in ("choice", "pairwise") else "",
        pass_at=pass_at,
        left_out=len(every) - len(lines),
        elsewhere=elsewhere,
        found=report,
    )


def _names_scorer(project: Project, reference: str) -> bool:
    return is_rubric_path(reference) or reference in project.scorers()


def named(project: Project, reference: str) -> Scorer:
    """The scorer that a rubric's path or a name stands for, with its models.

    Raises:
        InputError: when there is none.
    """
    if is_rubric_path(reference):
        return project.bound(judge(reference))
    return project.scorer(reference, "SCORER")


def _run_of(project: Project, lines: Sequence[LabelLine], run: str) -> Path:
    """The run that was labelled: the one named, or the newest whole one that has a labelled case."""
    if run:
        return find_run(project.runs, run)
    wanted = {line.case or line.trace for line in lines}
    for path in run_paths(project.runs):
        try:
            reader = JournalReader(path)
            if reader.header.purpose in ("", "rescore") and any(
                row.case in wanted or (row.trace is not None and row.trace.id in wanted) for row in reader.rows()
            ):
                return path
        except InputError:
            continue
    what = f"no run has one of the {len(wanted)} labelled cases"
    raise InputError(Problem(str(project.runs), what, "make one with `gatewatch run SUITE`, or give --verdicts FILE"))


def _verdicts(
    project: Project, scorer: Scorer, path: Path, lines: Sequence[LabelLine], *, everything: bool, make: Make
) -> tuple[Judged, str]:
    """What a scorer says of a run's outputs: what it said when the run was made, or what it says now."""
    header = JournalReader(path).header
    ref = header.scorers.get(scorer.name)
    if ref is not None and ref.fingerprint == scorer.fingerprint:
        return from_run(path, scorer), header.run
    stored = read_run(path)
    dataset = open_dataset(shortest(project.root / header.dataset.path))
    task = RecordedTask([stored])
    wanted = {line.case for line in lines if line.case}
    traces = {line.trace for line in lines if line.trace}
    if traces:
        wanted |= {row.case for row in JournalReader(path).rows() if row.trace is not None and row.trace.id in traces}
    only = frozenset(case.id for case in dataset if task.has(case) and (everything or case.id in wanted))
    if not only:
        raise InputError(Problem(stored.run, f"has none of the labelled cases of {dataset.path} as they are now"))
    part = Part(purpose="rescore", of=stored.run, only=only, components=stored.components)
    suite = SuiteSettings(header.dataset.path, "", (scorer.name,), trials=1)
    ready = prepare(
        project, header.suite, suite, Parts(task=task, dataset=dataset, scorers=(scorer,)), label="calibrate", part=part
    )
    assert ready is not None
    # It has one scorer only, so that it stands for no suite.
    made = make(Prepared(ready.plan, replace(ready.header, suite=""), ready.path, ready.done))
    return from_run(made.path, scorer), made.id


def _labels(
    lines: Iterable[tuple[int, LabelLine]], judged: Judged, speak: Spoken, where: str
) -> tuple[list[Label], int]:
    """Labels by thing, with the verdict on each, and how many are of what has none.

    Of a person who spoke twice the later word counts.
    """
    by_thing: dict[str, dict[str, Value]] = {}
    first: dict[str, LabelLine] = {}
    problems, elsewhere = [], 0
    for number, line in lines:
        try:
            value = speak.value(line.value)
        except ValueError as error:
            problems.append(Problem(f"{where}:{number}: value", str(error)))
            continue
        thing = thing_of(line.case, line.trial or 0) if line.case else judged.things.get(line.trace, line.trace)
        if thing not in judged.verdicts:
            elsewhere += 1
            continue
        first.setdefault(thing, line)
        by_thing.setdefault(thing, {})[line.by or f"line {number}"] = value
    if problems:
        raise InputError(problems)
    if not by_thing:
        raise InputError(Problem(where, f"none of its {elsewhere} labels is of what has a verdict", "is it this run?"))
    return [
        replace(
            judged.verdicts[thing],
            people=tuple(people.values()),
            slice=first[thing].slice or judged.verdicts[thing].slice,
            cluster=first[thing].cluster or judged.verdicts[thing].cluster,
            weight=1 / (first[thing].pi or 1.0),
        )
        for thing, people in by_thing.items()
    ], elsewhere


# As files


def calibration_path(root: Path, scorer: str) -> Path:
    """Where the calibration of a scorer is kept."""
    name = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in scorer)
    return root / FOLDER / f"{name}.json"


def write_calibration(root: Path, kept: Kept) -> Path:
    """Keep a calibration, written whole or not at all."""
    path = calibration_path(root, kept.scorer)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(codec.indented(kept).encode() + b"\n")
    aside.replace(path)
    return path


def read_calibration(root: Path, scorer: str) -> Kept | None:
    """The calibration that is kept of a scorer, or None.

    Raises:
        InputError: when the file cannot be read, or a later version wrote it.
    """
    path = calibration_path(root, scorer)
    where = str(shortest(path))
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(Problem(where, f"cannot be read: {error.strerror}")) from None
    again = f"make it anew with `gatewatch calibrate {scorer} --labels FILE`"
    try:
        head: Any = codec.parse(data)
        if isinstance(head, dict) and isinstance(head.get("version"), int) and head["version"] > VERSION:
            what = f"is of version {head['version']}, and this Gatewatch reads up to {VERSION}"
            raise InputError(Problem(where, what, "update Gatewatch"))
        kept = codec.decode(data, Kept)
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(where, f"is no calibration: {error}", again)) from None
    if kept.kind != KIND:
        raise InputError(Problem(where, f"is no calibration, but {kept.kind!r}", again))
    return kept


def standing(root: Path, name: str, ref: ScorerRef, models: Iterable[str] = ()) -> tuple[Kept | None, str]:
    """The calibration of a scorer as a run used it, and why it cannot be relied on, or nothing.

    `models` are the models that answered for it, as its scores name them.
    """
    kept = read_calibration(root, name)
    if kept is None:
        return None, "there is no calibration"
    if kept.fingerprint != ref.fingerprint:
        parts = ", ".join(changed(kept.parts, ref.parts)) or "version"
        return kept, f"its calibration is void: {parts} changed"
    for configured, provider in (pair for each in models for pair in models_named(each).items()):
        before = kept.models.get(configured, provider)
        if before != provider:
            return kept, f"its calibration is void: judged by {before} then, by {provider} now"
    if kept.found.word != "USABLE":
        return kept, f"its calibration says {kept.found.word}: {kept.found.why}"
    return kept, ""


def on_human_scale(root: Path, summary: Summary) -> dict[str, Figure]:
    """What people would say of a run, by each judge that has a calibration to rely on: their pass rate, with its
    interval. Rows whose task gave no answer are bad, by anybody's word.

    Of the run that was labelled it is the calibration's own estimate; of another the judge's pass rate is corrected
    by its errors there (Rogan and Gladen's estimate, Lee's interval), which assumes that it errs as often here. A
    choice has no pass rate, and no figure here.
    """
    found = {}
    for name, scorer in summary.scorers.items():
        ref = summary.header.scorers[name]
        if ref.source != "judge":
            continue
        try:
            kept, why = standing(root, name, ref, [", ".join(scorer.models)] if len(scorer.models) == 1 else ())
        except InputError:  # it says so where it is demanded
            continue
        if kept is None or why or kept.good or kept.pass_at != scorer.pass_at:
            continue
        figure = scorer.figure if scorer.passed is None else scorer.passed
        told = figure.states.get("scored", 0)
        if figure.mean is None or not told or kept.found.sensitivity is None:
            continue
        answered = told / (told + figure.states.get("task_error", 0) + figure.states.get("timeout", 0))
        if kept.judged == summary.header.run and kept.found.corrected is not None:
            of_answers = kept.found.corrected
        elif kept.found.specificity is not None:
            of_answers = _carried(kept.found, min(1.0, figure.mean / answered), max(1, round(figure.n * answered)))
        else:
            continue
        found[name] = Figure(*(answered * end for end in (of_answers.value, of_answers.low, of_answers.high)))
    return found


def _carried(report: Calibration, rate: float, n: int) -> Figure:
    """A judge's pass rate in another run, corrected by its errors on the labels."""
    assert report.sensitivity is not None
    assert report.specificity is not None
    alone = report.effective / sum(report.counts)
    good, bad = (count * alone for count in report.counts)
    sensitivity, specificity = report.sensitivity.value, report.specificity.value
    found = rogan_gladen(rate, n, sensitivity=sensitivity, good=good, specificity=specificity, bad=bad)
    return Figure(found.mean, found.interval.low, found.interval.high)


def require_calibrated(root: Path, scorers: Mapping[str, ScorerRef], judges: Mapping[str, Iterable[str]]) -> None:
    """Make sure that every judge among a run's scorers has a calibration to rely on.

    `judges` has, by scorer, the models that answered, as far as they have.

    Raises:
        NoVerdict: with each that has not, why, and what to do.
    """
    wrong = []
    for name, ref in scorers.items():
        why = standing(root, name, ref, judges.get(name, ()))[1] if ref.source == "judge" else ""
        if why:
            wrong.append(f"{name}: {why} (`gatewatch calibrate {name} --labels FILE`)")
    if wrong:
        raise NoVerdict("\n".join(["the gate demands calibrated judges (require_calibrated)", *wrong]))
