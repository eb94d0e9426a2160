"""Calibrations of a project: made of labels and verdicts, kept in git, and void when the scorer changes."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.config.load import shortest
from gatewatch.core import codec
from gatewatch.core.errors import InputError, NoVerdict, Problem
from gatewatch.core.run import ScorerRef
from gatewatch.core.score import models_named
from gatewatch.offline.summary import ScorerSummary, Summary
from gatewatch.scorers.calibrate import Calibration, Figure
from gatewatch.scorers.fingerprint import changed
from gatewatch.stats.corrected import rogan_gladen

KIND, VERSION = "gatewatch.calibration", 1
FOLDER = Path("calibrations")


class Kept(Struct, frozen=True, kw_only=True):
    """A calibration as it is kept in `calibrations/SCORER.json`: of which ruler it is, and what it found.

    `run` is the run that was labelled, and `judged` what has the verdicts: that run, one in which the scorer was asked
    about its outputs, or a file. `outputs` has a digest of each labelled output. `marked_by` are the suites that
    `pass_at` was taken from, if it was not given. `left_out` are labels of what was chosen with a probability that is
    not known, `elsewhere` those of what has no verdict line or row at all, `failures` why there is no verdict, and how
    often.
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
    run: str = ""
    good: str = ""
    pass_at: float | None = None
    marked_by: tuple[str, ...] = ()
    left_out: int = 0
    elsewhere: int = 0
    failures: dict[str, int] = {}
    outputs: dict[str, str] = {}
    found: Calibration


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
    return _read(calibration_path(root, scorer), scorer)


def calibrations_of(root: Path) -> list[Kept]:
    """Every calibration of a project that can be read."""
    found = []
    for path in sorted((root / FOLDER).glob("*.json")):
        with suppress(InputError):  # it says so where it is needed
            kept = _read(path, path.stem)
            found += [] if kept is None else [kept]
    return found


def better_kept(root: Path, kept: Kept) -> Kept | None:
    """The calibration that is kept of the same ruler and says more than this one, if there is one.

    More says what decided, and of two alike what has more labels. Another pass mark or choice asks something else.
    """
    try:
        before = read_calibration(root, kept.scorer)
    except InputError:
        return None
    if before is None or (before.fingerprint, before.good, before.pass_at) != (
        kept.fingerprint,
        kept.good,
        kept.pass_at,
    ):
        return None
    if any(before.models.get(name, model) != model for name, model in kept.models.items()):
        return None
    return before if _weight(before) > _weight(kept) else None


def _weight(kept: Kept) -> tuple[bool, int]:
    return kept.found.word != "TOO FEW LABELS", kept.found.labels - kept.found.missing


def _read(path: Path, scorer: str) -> Kept | None:
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


def unreliable(root: Path, summary: Summary) -> dict[str, str]:
    """The judges of a run that no calibration bears out, each with why, and where that stands."""
    found = {}
    for name, scorer in summary.scorers.items():
        ref = summary.header.scorers[name]
        if ref.source != "judge":
            continue
        try:
            kept, why = standing(root, name, ref, _models(scorer))
        except InputError as error:
            found[name] = str(error)
            continue
        if kept is None:
            found[name] = f"not held against people's labels yet (gatewatch calibrate {name} --labels FILE)"
        elif why:
            found[name] = f"{why} ({shortest(calibration_path(root, name))})"
    return found


def _models(scorer: ScorerSummary) -> list[str]:
    """What answered for a scorer, as a score names it; of several nothing is said."""
    return list(scorer.models) if len(scorer.models) == 1 else []


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
            kept, why = standing(root, name, ref, _models(scorer))
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
