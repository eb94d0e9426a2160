"""Making a calibration: people's labels, the verdicts on what they labelled, and what comes of the two."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.calibrations import Kept, calibrations_of
from gatewatch.config.judged import Judged, Spoken, from_file, from_run, spoken, thing_of
from gatewatch.config.labelled import Answers, answers_of, labelled_run
from gatewatch.config.load import shortest
from gatewatch.config.parts import Parts
from gatewatch.config.project import Project
from gatewatch.config.runs import Part, prepare
from gatewatch.config.settings import SuiteSettings
from gatewatch.core.clock import now, stamp
from gatewatch.core.errors import InputError, Problem, RunBroken
from gatewatch.core.label import LabelLine, Value
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.result import Prepared, RunResult, find_run
from gatewatch.offline.tasks.recorded import RecordedTask
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.calibrate import calibrate
from gatewatch.scorers.fingerprint import changed
from gatewatch.scorers.judge import judge, rubric_of
from gatewatch.scorers.label_file import read_labels, read_verdicts
from gatewatch.scorers.labels import Label, what_is_good
from gatewatch.scorers.rubric_file import is_rubric_path

Make = Callable[[Prepared], RunResult]
"""What makes a run of a scorer over stored outputs, after saying what it will cost."""

_ALIKE = 5  # how many lines with the same mistake are told one by one
_FAILURES = 5


class _Said(Struct, frozen=True):
    """A label: its line's number, the line, and the value on the scorer's scale."""

    number: int
    line: LabelLine
    value: Value


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
    anew: bool = False,
    make: Make,
) -> Kept:
    """Hold a scorer against people's labels.

    Args:
        project: the project.
        reference: a rubric's path, or the name of a scorer of the project.
        labels: the file of labels.
        run: the run whose outputs are labelled; by default the newest that has most of the labelled cases.
        verdicts: recorded verdicts, in the place of a run: nothing is asked.
        good: the choice whose rate is meant, where people choose.
        pass_at: from which value on a number is a pass; by default as the suites that name the scorer say.
        everything: whether the scorer is to be asked about every row of the run, not only about those labelled.
        anew: whether labels that name only their case are of this run's outputs, although an earlier calibration
            took them to be of others.
        make: makes the run in which the scorer is asked, where it has to be.

    Raises:
        InputError: with what is wrong in the files, or when no run has what is labelled.
        RunBroken: when the scorer failed on everything that is labelled.
    """
    scorer = None if verdicts is not None and not _names_scorer(project, reference) else _meant(project, reference)
    name = Path(reference).stem if scorer is None else scorer.name
    every = [(number, line) for number, line in read_labels(labels) if line.scorer in ("", name)]
    lines = [(number, line) for number, line in every if line.pi is not None or line.source in ("", "random")]
    if not lines:
        what = f"has no label for {name!r} that can be used"
        raise InputError(Problem(str(labels), what, "those that were mined count only where their pi is recorded"))
    speak = spoken(scorer)
    marked_by: tuple[str, ...] = ()
    good = good or speak.good
    if pass_at is None and not good:
        pass_at, marked_by = pass_mark(project, name)
    said = _values(lines, speak, str(labels))
    try:  # before anything is paid for
        what_is_good([each.value for each in said], good=good, pass_at=pass_at)
    except ValueError as error:
        raise InputError(Problem(str(labels), str(error))) from None
    of = ""
    outputs: dict[str, str] = {}
    if verdicts is not None:
        judged, source = from_file(read_verdicts(verdicts), str(verdicts), speak), str(shortest(verdicts))
        found, elsewhere = _labels(said, lambda line: thing_of(line.case or line.trace, line.trial or 0), judged)
    else:
        assert scorer is not None
        only = [line for _, line in lines]
        answers = answers_of(find_run(project.runs, run)) if run else labelled_run(project.runs, only, scorer)
        things = {thing for thing in map(answers.thing, only) if thing}
        if not things:
            what = f"none of its {len(only)} labels is of an output of {answers.run}"
            raise InputError(Problem(str(labels), what, "is it this run?"))
        if not anew:
            _refuse_labels_of_others(project.root, name, labels, only, answers)
        judged, source = _verdicts(project, scorer, answers, things, everything=everything, make=make)
        found, elsewhere = _labels(said, answers.thing, judged)
        of, outputs = answers.run, {label.id: answers.outputs[label.id] for label in found}
    if not found:
        what = f"none of its {elsewhere} labels is of what has a verdict"
        raise InputError(Problem(str(labels), what, "is it this run?"))
    failures = _failures(found, judged, name)
    try:
        # Where the scorer was asked of nothing but what is labelled, the labels' weights say what they stand for.
        population = judged.population if len(judged.verdicts) > len(found) else None
        report = calibrate(found, population=population, good=good, pass_at=pass_at)
    except ValueError as error:
        raise InputError(Problem(str(labels), str(error))) from None
    rubric = None if scorer is None else rubric_of(scorer)
    return Kept(
        scorer=name,
        fingerprint="" if scorer is None else scorer.fingerprint,
        parts={} if scorer is None else scorer.identity.parts,
        models=judged.models,
        at=stamp(now()),
        labels=str(shortest(labels)),
        judged=source,
        run=of,
        good=good if rubric is None or rubric.scale.kind in ("choice", "pairwise") else "",
        pass_at=pass_at,
        marked_by=marked_by,
        left_out=len(every) - len(lines),
        elsewhere=elsewhere,
        failures=failures,
        outputs=outputs,
        found=report,
    )


def _names_scorer(project: Project, reference: str) -> bool:
    return is_rubric_path(reference) or reference in project.scorers()


def named(project: Project, reference: str) -> Scorer:
    """The scorer that a rubric's path or a name stands for, with its models.

    Raises:
        InputError: when there is none.
    """
    folder = Path(reference).is_dir() and reference not in project.scorers()
    if is_rubric_path(reference) or folder:  # which says of itself that it is none
        return project.bound(judge(reference))
    return project.scorer(reference, "SCORER")


def _meant(project: Project, reference: str) -> Scorer:
    """As `named`, where a rubric's file must not be mistaken for the project's scorer of that name.

    Raises:
        InputError: when there is none, or the project has one of that name that is configured otherwise.
    """
    scorer = named(project, reference)
    if is_rubric_path(reference) and scorer.name in project.scorers():
        own = project.scorer(scorer.name, "SCORER")
        if own.fingerprint != scorer.fingerprint:
            parts = ", ".join(changed(own.identity.parts, scorer.identity.parts)) or "version"
            what = f"the project's scorer {scorer.name!r} is configured otherwise ({parts}), and has the same name"
            raise InputError(Problem(reference, what, f"calibrate that one: gatewatch calibrate {scorer.name}"))
    return scorer


def pass_mark(project: Project, name: str) -> tuple[float | None, tuple[str, ...]]:
    """The pass mark of a scorer in the suites that name it, where they all have the same, and those suites."""
    suites = {each: suite for each, suite in project.settings.suites.items() if name in suite.scorers}
    marks = {suite.pass_at.get(name) for suite in suites.values()}
    mark = marks.pop() if len(marks) == 1 else None
    return mark, () if mark is None else tuple(suites)


def _refuse_labels_of_others(root: Path, name: str, labels: Path, lines: Iterable[LabelLine], answers: Answers) -> None:
    """Make sure that labels which name only their case were not held against other outputs before.

    Raises:
        InputError: when a calibration of this scorer, or by these labels, was made of other outputs of those cases.
    """
    things = {answers.thing(line) for line in lines if not line.trace and not line.output} - {""}
    used = [each for each in calibrations_of(root) if name == each.scorer or str(shortest(labels)) == each.labels]
    before = max((each for each in used if things & each.outputs.keys()), key=lambda each: each.at, default=None)
    if before is None:
        return
    both = things & before.outputs.keys()
    others = sorted(thing for thing in both if before.outputs[thing] != answers.outputs[thing])
    if others:
        what = f"{len(others)} of {len(both)} labelled outputs are not those of {answers.run} ({', '.join(others[:3])}"
        what += f"{', ...' if len(others) > 3 else ''}): these labels were used for other outputs, in run {before.run}"
        hint = f"give --run {before.run}, or --anew if people labelled the outputs of {answers.run}"
        raise InputError(Problem(str(labels), what, hint))


def _verdicts(
    project: Project, scorer: Scorer, answers: Answers, things: set[str], *, everything: bool, make: Make
) -> tuple[Judged, str]:
    """What a scorer says of a run's outputs: what it said when the run was made, and what it says now of the rest."""
    header = JournalReader(answers.path).header
    ref = header.scorers.get(scorer.name)
    own = from_run(answers.path, scorer) if ref is not None and ref.fingerprint == scorer.fingerprint else None
    wanted = set(answers.outputs) if everything else things
    if own is not None:
        wanted &= own.failures.keys()
    if own is not None and not wanted:
        return own, header.run
    stored = read_run(answers.path)
    task = RecordedTask([stored])
    try:
        dataset = open_dataset(shortest(project.root / header.dataset.path))
        only = frozenset(case.id for case in dataset if task.has(case) and case.id in wanted)
        if not only:
            raise InputError(Problem(stored.run, f"has none of the labelled cases of {dataset.path} as they are now"))
    except InputError:
        if own is not None:  # what it failed on cannot be asked again
            return own, header.run
        raise
    part = Part(purpose="calibrate", of=stored.run, only=only, components=stored.components)
    suite = SuiteSettings(header.dataset.path, "", (scorer.name,), trials=1)
    ready = prepare(project, header.suite, suite, Parts(task=task, dataset=dataset, scorers=(scorer,)), part=part)
    assert ready is not None
    # It has one scorer only, so that it stands for no suite.
    made = make(Prepared(ready.plan, replace(ready.header, suite=""), ready.path, ready.done))
    later = from_run(made.path, scorer)
    return (later, made.id) if own is None else (own.with_later(later), header.run)


def _values(lines: Sequence[tuple[int, LabelLine]], speak: Spoken, where: str) -> list[_Said]:
    """The labels, on the scorer's scale.

    Raises:
        InputError: with all that are not on it; a mistake that many lines have is told once.
    """
    said: list[_Said] = []
    wrong: dict[str, list[tuple[int, str]]] = {}
    for number, line in lines:
        try:
            said.append(_Said(number, line, speak.value(line.value)))
        except ValueError as error:
            wrong.setdefault(str(error).rpartition(", got ")[0], []).append((number, str(error)))
    problems = []
    for alike in wrong.values():
        first, what = alike[0]
        if len(alike) > _ALIKE:
            problems.append(Problem(where, f"{len(alike)} lines, first {first}: value: {what}"))
        else:
            problems += [Problem(f"{where}:{number}: value", each) for number, each in alike]
    if problems:
        raise InputError(problems)
    return said


def _labels(
    said: Iterable[_Said], thing_of_line: Callable[[LabelLine], str], judged: Judged
) -> tuple[list[Label], int]:
    """Labels by thing, with the verdict on each, and how many are of what has none.

    Of a person who spoke twice the later word counts.
    """
    by_thing: dict[str, dict[str, Value]] = {}
    first: dict[str, LabelLine] = {}
    elsewhere = 0
    for each in said:
        thing = thing_of_line(each.line)
        if thing not in judged.verdicts:
            elsewhere += 1
            continue
        first.setdefault(thing, each.line)
        by_thing.setdefault(thing, {})[each.line.by or f"line {each.number}"] = each.value
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


def _failures(found: Sequence[Label], judged: Judged, name: str) -> dict[str, int]:
    """Why the scorer gave no verdict on what is labelled, and how often, the commonest first.

    Raises:
        RunBroken: when it gave none at all.
    """
    counts = Counter(judged.failures[label.id] for label in found if label.id in judged.failures)
    failed = counts.total()
    if failed == len(found):
        raise RunBroken(f"{name} failed on {failed} of {failed} labelled outputs: {counts.most_common(1)[0][0]}")
    return dict(counts.most_common(_FAILURES))
