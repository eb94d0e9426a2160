"""Calibrations of a project: made of labels and verdicts, kept in git, and void when the scorer changes."""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.judged import Judged, from_file, from_run, spoken
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
    """A calibration as it is kept in `calibrations/SCORER.json`: of which ruler it is, and what it found."""

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
    lines = [line for line in read_labels(labels) if line.scorer in ("", name)]
    chosen = [line for line in lines if line.pi is None and line.source not in ("", "random")]
    lines = [line for line in lines if line not in chosen]
    if not lines:
        what = f"has no label for {name!r} that can be used"
        raise InputError(Problem(str(labels), what, "those that were mined count only where their pi is recorded"))
    if verdicts is not None:
        judged, source = from_file(read_verdicts(verdicts), str(verdicts)), str(shortest(verdicts))
    else:
        assert scorer is not None
        path = _run_of(project, lines, run)
        judged, source = _verdicts(project, scorer, path, lines, everything=everything, make=make)
    rubric = None if scorer is None else rubric_of(scorer)
    found = _labels(lines, judged, scorer, str(labels))
    good = good or spoken(scorer).good
    try:
        report = calibrate(found, population=judged.population, good=good, pass_at=pass_at)
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
        left_out=len(chosen),
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


def _labels(lines: Iterable[LabelLine], judged: Judged, scorer: Scorer | None, where: str) -> list[Label]:
    """Labels by thing, with the verdict on each; of a person who spoke twice the later word counts."""
    speak = spoken(scorer)
    by_thing: dict[str, dict[str, Value]] = {}
    first: dict[str, LabelLine] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        thing = line.case if line.case else judged.cases.get(line.trace, line.trace)
        first.setdefault(thing, line)
        try:
            value = speak.value(line.value)
        except ValueError as error:
            problems.append(Problem(f"{where}: {thing}", f"value {error}"))
            continue
        by_thing.setdefault(thing, {})[line.by or f"#{number}"] = value
    if problems:
        raise InputError(problems)
    missing = [thing for thing in by_thing if thing not in judged.verdicts]
    if len(missing) == len(by_thing):
        raise InputError(Problem(where, f"none of the {len(missing)} labelled cases has a verdict", "is it this run?"))
    found = []
    for thing, people in by_thing.items():
        if thing not in judged.verdicts:
            continue
        verdict, line = judged.verdicts[thing], first[thing]
        found.append(
            replace(
                verdict,
                people=tuple(people.values()),
                slice=line.slice or verdict.slice,
                cluster=line.cluster or verdict.cluster,
                weight=1.0 if line.pi is None else 1 / line.pi,
            )
        )
    return found


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
    aside.write_bytes(msgspec.json.format(codec.encode(kept), indent=2) + b"\n")
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
    interval.

    Of the run that was labelled it is the calibration's own estimate; of another the judge's pass rate is corrected
    by its errors there (Rogan and Gladen's estimate, Lee's interval), which assumes that it errs as often here.
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
        figure = scorer.passed if kept is not None and kept.pass_at is not None else scorer.figure
        if kept is None or why or figure is None or figure.mean is None or kept.pass_at != scorer.pass_at:
            continue
        report = kept.found
        if kept.judged == summary.header.run and report.corrected is not None:
            found[name] = report.corrected
        elif report.sensitivity is not None and report.specificity is not None and not kept.good:
            good, bad = report.counts
            corrected = rogan_gladen(
                figure.mean,
                figure.n,
                sensitivity=report.sensitivity.value,
                good=good,
                specificity=report.specificity.value,
                bad=bad,
            )
            found[name] = Figure(corrected.mean, corrected.interval.low, corrected.interval.high)
    return found


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
