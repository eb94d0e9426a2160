"""The pinned baseline of a suite: `baselines/SUITE.jsonl`, a text file in git that can be reviewed and merged by line.

A header line, then a line for each case and scorer, sorted, so that one case that changed is one line of a diff. It
carries all that a gate needs where nothing else is: no journal, no store.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from gatewatch.core import codec, shape
from gatewatch.core.baseline import BASELINE_KIND, BASELINE_VERSION, MOST_OUTCOMES, BaselineHeader, BaselineLine
from gatewatch.core.clock import now, stamp
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.money import Cost
from gatewatch.core.run import RUN_ID
from gatewatch.core.score import Status, same_models
from gatewatch.offline.outcomes import CaseOutcome, Mark, Outcomes, Trial
from gatewatch.offline.summary import percentiles

FOLDER = "baselines"
_RUNS_KEPT = 500
_CONFLICT = (b"<<<<<<<", b"=======", b">>>>>>>", b"|||||||")


def baseline_path(root: Path, name: str) -> Path:
    """Where the baseline of a suite lies in a project."""
    return root / FOLDER / f"{name}.jsonl"


def baseline_name(run: Outcomes) -> str:
    """What the baseline of a run is called: as its suite, or, of a run without one, as the run or its dataset.

    Raises:
        InputError: when it has none of these.
    """
    named = run.suite or (run.label if run.label != run.run else "")
    if not named and not run.dataset.path.startswith("("):
        named = Path(run.dataset.path).stem
    slug = re.sub(r"[^a-z0-9._-]+", "-", named.lower()).strip("-._")[:100]
    if not slug:
        what = "has no name that its baseline could be called by"
        raise InputError(Problem(run.run, what, 'give the run one: run(..., name="...")'))
    return slug


def is_baseline(path: Path) -> bool:
    """Whether a file is a baseline rather than a run's journal, by its first line."""
    try:
        with path.open("rb") as file:
            return not file.readline(8).startswith(b'{"crc":')
    except OSError:
        return False


# Writing


def make_baseline(
    run: Outcomes,
    *,
    more: Sequence[Outcomes] = (),
    past: Sequence[Outcomes] = (),
    previous: Outcomes | None = None,
    reason: str = "",
) -> tuple[BaselineHeader, list[BaselineLine]]:
    """The baseline that a run makes.

    Args:
        run: the run.
        more: runs that were made to give it more trials.
        past: earlier runs of the same version, the oldest first.
        previous: the suite's baseline so far, whose outcomes go on where case and scorer are the same.
        reason: why it is pinned.
    """
    known = () if previous is None else previous.runs
    cells = [(case, scorer) for case in sorted(run.cases) for scorer in sorted(run.scorers)]
    outcomes = {cell: _outcomes(run, *cell, previous, [*past, run, *more]) for cell in cells}
    for each in more:
        run.pool(each)
    lines = [
        _line(run.cases[case], case, scorer, outcomes[case, scorer])
        for case, scorer in cells
        if any(scorer in trial.scores for trial in run.cases[case].trials)
    ]
    header = BaselineHeader(
        kind=BASELINE_KIND,
        version=BASELINE_VERSION,
        run=run.run,
        suite=run.suite,
        task=run.task,
        pinned=stamp(now()),
        reason=reason,
        trials=max((len(each.trials) for each in run.cases.values()), default=1),
        dataset=run.dataset,
        components=run.components,
        versions={name: tuple(sorted(found)) for name, found in sorted(run.versions.items())},
        scorers=run.scorers,
        judges={name: tuple(sorted(found)) for name, found in sorted(run.judges.items())},
        runs=tuple(dict.fromkeys([*run.runs, *(name for each in reversed(past) for name in each.runs), *known]))[
            :_RUNS_KEPT
        ],
        cost=run.task_cost,
        judge_cost=run.judge_cost,
        latency_s={name: value and float(f"{value:.4g}") for name, value in percentiles(run.latencies).items()},
        lines=len(lines),
    )
    return header, lines


def _line(outcome: CaseOutcome, case: str, scorer: str, outcomes: Sequence[float]) -> BaselineLine:
    marks = [trial.scores.get(scorer, Mark(status="skipped")) for trial in outcome.trials]
    states = tuple(mark.status for mark in marks)
    return BaselineLine(
        case=case,
        scorer=scorer,
        hash=outcome.hash,
        values=tuple(None if mark.value is None else mark.value for mark in marks),
        states=states if set(states) != {"scored"} else (),
        outputs=tuple(trial.digest for trial in outcome.trials),
        outcomes=tuple(outcomes[-MOST_OUTCOMES:]),
        slice=outcome.slice,
        cluster=outcome.cluster,
        must_pass=outcome.must_pass,
    )


def _outcomes(
    run: Outcomes, case: str, scorer: str, previous: Outcomes | None, runs: Sequence[Outcomes]
) -> list[float]:
    """What a case was given under a scorer in all accepted versions, the oldest first; no run's trials twice."""
    hash_ = run.cases[case].hash
    found: list[float] = []
    known: set[str] = set()
    if previous is not None and _same(previous, run, scorer):
        before = previous.cases.get(case)
        if before is not None and before.hash == hash_:
            found += before.history.get(scorer, ())
            known = set(previous.runs)
    for each in runs:
        earlier = each.cases.get(case)
        if known.isdisjoint(each.runs) and earlier is not None and earlier.hash == hash_ and _same(each, run, scorer):
            found += earlier.values(scorer)
    return found


def _same(one: Outcomes, other: Outcomes, scorer: str) -> bool:
    """Whether two runs used the same ruler under a name."""
    ref = one.scorers.get(scorer)
    models = one.judges.get(scorer, set()), other.judges.get(scorer, set())
    return ref is not None and ref.fingerprint == other.scorers[scorer].fingerprint and same_models(*models)


def write_baseline(path: Path, header: BaselineHeader, lines: Iterable[BaselineLine]) -> None:
    """Write a baseline in one step: a reader sees the old one or the new one, whole.

    Raises:
        InputError: when it cannot be written.
    """
    _put(path, (codec.encode(each) + b"\n" for each in (header, *lines)))


def put_baseline(path: Path, data: bytes) -> None:
    """Write a baseline that was made elsewhere, in one step, after a look at whether it is one.

    Raises:
        InputError: with all that is wrong in it; or it cannot be written.
    """
    _put(path, (data,), look=True)


def _put(path: Path, parts: Iterable[bytes], *, look: bool = False) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if look:
            read_baseline(beside)
        beside.replace(path)
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from None
    finally:
        with suppress(OSError):
            beside.unlink()


# Reading


def read_baseline(path: Path) -> Outcomes:
    """The outcomes that a baseline carries.

    Raises:
        InputError: with all that is wrong in the file: not a baseline, a newer one, conflict marks, lines given twice.
    """
    try:
        raw = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    conflicts = [
        Problem(f"{path}:{number}", "a merge conflict is not resolved", "settle it, or pin the baseline anew")
        for number, line in enumerate(raw, start=1)
        if line.startswith(_CONFLICT)
    ]
    if conflicts:
        raise InputError(conflicts)
    header = header_of(path, raw[0])
    found = _empty(path, header)
    problems: list[Problem] = []
    places: dict[tuple[str, str], int] = {}
    for number, line in enumerate(raw[1:], start=2):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        parsed = _parsed(line, where)
        if isinstance(parsed, list):
            problems += parsed
            continue
        first = places.setdefault((parsed.case, parsed.scorer), number)
        if first != number:
            again = f"case {parsed.case!r} under {parsed.scorer} is given in line {first} already"
            problems.append(Problem(where, again, "keep one of the two, or pin the baseline anew"))
            continue
        problems += _take(found, parsed, where)
    if not problems and header.lines and len(places) != header.lines:
        what = f"has {len(places)} lines, and its header says {header.lines}"
        problems.append(Problem(f"{path}:1", what, "lines were lost or added: pin the baseline anew"))
    if problems:
        raise InputError(problems)
    found.failed = sum(
        any(mark.status in ("task_error", "timeout") for mark in trial.scores.values())
        for outcome in found.cases.values()
        for trial in outcome.trials
    )
    return found


def header_of(path: Path, data: bytes) -> BaselineHeader:
    """The header of a baseline, from its first line or all of it.

    Raises:
        InputError: it has none, or one that a newer Gatewatch wrote.
    """
    where, line = f"{path}:1", data.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
    try:
        stated = codec.decode(line, dict[str, Any])
    except (ValueError, RecursionError) as error:
        what = "is empty" if not line.strip() else f"not the header of a baseline: {error}"
        raise InputError(Problem(where, what, "pin the baseline anew")) from None
    if stated.get("kind") != BASELINE_KIND:
        raise InputError(Problem(where, f"is a {stated.get('kind')}, not a {BASELINE_KIND}"))
    version = stated.get("version", 1)
    if not isinstance(version, int) or version > BASELINE_VERSION:
        what = f"was written by a newer Gatewatch (format {version}; this one reads up to {BASELINE_VERSION})"
        raise InputError(Problem(where, what, "upgrade gatewatch to read it"))
    try:
        found = codec.decode(line if "version" in stated else codec.encode({**stated, "version": 1}), BaselineHeader)
    except ValueError as error:
        raise InputError(Problem(where, f"not the header of a baseline: {error}")) from None
    if not RUN_ID.fullmatch(found.run):
        raise InputError(Problem(where, f"{found.run!r} is no run's id", "pin the baseline anew"))
    return found


def _empty(path: Path, header: BaselineHeader) -> Outcomes:
    found = Outcomes(
        label="baseline",
        run=header.run,
        suite=header.suite,
        task=header.task,
        dataset=header.dataset,
        scorers=header.scorers,
        components=header.components,
        trials=header.trials,
        path=path,
    )
    found.pinned = header.pinned or "pinned"
    found.runs = header.runs or (header.run,)
    found.versions = {name: set(each) for name, each in header.versions.items()}
    found.judges = {name: set(each) for name, each in header.judges.items()}
    found.latency_s = header.latency_s
    cost = header.cost or Cost(unknown=1)
    found.paid, found.unpriced = cost.amount, cost.unknown
    found.judge_cost = header.judge_cost or Cost()
    return found


def _parsed(line: bytes, where: str) -> BaselineLine | list[Problem]:
    try:
        return codec.decode(line, BaselineLine)
    except msgspec.ValidationError:
        try:
            flaws = shape.convert(codec.parse(line), BaselineLine)
        except (ValueError, RecursionError) as error:
            return [Problem(where, f"not JSON: {error}", "pin the baseline anew")]
        return [Problem(f"{where}: {at}" if at else where, what, hint) for at, what, hint in _listed(flaws)]
    except json.JSONDecodeError as error:
        return [Problem(f"{where}:{error.colno}", f"not JSON: {error.msg}", "pin the baseline anew")]
    except (ValueError, RecursionError) as error:
        return [Problem(where, f"not JSON: {error}", "pin the baseline anew")]


def _listed(flaws: BaselineLine | list[shape.Flaw]) -> Iterator[shape.Flaw]:
    yield from flaws if isinstance(flaws, list) else [("", "not a line of a baseline", "")]


def _take(found: Outcomes, line: BaselineLine, where: str) -> list[Problem]:
    """Put a line to the case that it is of."""
    for value in (*line.values, *line.outcomes):
        if value is not None and not 0.0 <= value <= 1.0:
            return [Problem(where, f"a value is in 0..1, got {value:g}")]
    outcome = found.cases.get(line.case)
    if outcome is None:
        outcome = CaseOutcome(line.hash, line.slice, line.cluster, line.must_pass, [])
        found.cases[line.case] = outcome
    if any(state == "scored" and value is None for value, state in zip(line.values, line.states, strict=False)):
        return [Problem(f"{where}: values", "a trial is scored and has no value", "pin the baseline anew")]
    if outcome.hash != line.hash:
        return [Problem(where, f"case {line.case!r} has another hash than in a line above", "pin the baseline anew")]
    scored: tuple[Status, ...] = ("scored",)
    states = line.states or scored * len(line.values)
    if len(states) != len(line.values):
        return [Problem(f"{where}: states", f"has {len(states)} of them for {len(line.values)} values")]
    for number, (value, state) in enumerate(zip(line.values, states, strict=True)):
        if number == len(outcome.trials):
            digest = line.outputs[number] if number < len(line.outputs) else ""
            outcome.trials.append(Trial(line.case, number, digest=digest))
            found.rows += 1
        outcome.trials[number].scores[line.scorer] = Mark(value, state)
    outcome.history[line.scorer] = line.outcomes
    return []
