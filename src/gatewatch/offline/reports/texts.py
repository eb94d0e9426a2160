"""The texts behind the rows that moved, read again from where they lie."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.errors import GatewatchError
from gatewatch.core.run import Row, merged
from gatewatch.core.trace import Fault
from gatewatch.offline.journal import JournalReader, row_at
from gatewatch.offline.outcomes import Outcomes, Trial

CAP = 65_536
"""How many characters of a text are kept."""
_HEAD = b'","row":{"case":'
_CRC = 16  # where the head stands in a line: behind `{"crc":"00000000`
_ID = _CRC + len(_HEAD)


class RowTexts(Struct, frozen=True, kw_only=True):
    """The texts of a case: what was asked and expected, what either side answered, and what the scorers said.

    None is a text that is not at hand. Scores are (value, explanation) by scorer, of the trial that the texts are of.
    """

    input: str | None = None
    expected: str | None = None
    before: str | None = None
    after: str | None = None
    scores_before: dict[str, tuple[float | None, str]] = {}
    scores_after: dict[str, tuple[float | None, str]] = {}
    error_before: str = ""
    error_after: str = ""


def texts_of(
    ids: Iterable[str], before: Outcomes, after: Outcomes, *, journal: Path | None = None
) -> dict[str, RowTexts]:
    """The texts of some cases, each of its first trial. What is not there, or damaged, is left out: nothing fails.

    Args:
        ids: the cases.
        before: the baseline.
        after: the candidate.
        journal: the journal of the run that a pinned baseline was made from, as far as it is still there.
    """
    wanted = list(dict.fromkeys(ids))
    old = _scanned(wanted, before, journal) if before.pinned else _placed(wanted, before)
    new = _placed(wanted, after)
    return {case: _texts(old.get(case), new.get(case)) for case in wanted}


def _texts(old: Row | None, new: Row | None) -> RowTexts:
    main = new or old
    trace = main.trace if main is not None else None
    before, error_before = _answer(old)
    after, error_after = _answer(new)
    return RowTexts(
        input=None if trace is None else capped(codec.text_of(trace.input)),
        expected=None if main is None or main.expected is None else capped(codec.text_of(main.expected)),
        before=before,
        after=after,
        scores_before=_scores(old),
        scores_after=_scores(new),
        error_before=error_before,
        error_after=error_after,
    )


def _answer(row: Row | None) -> tuple[str | None, str]:
    """What was answered, and what went wrong. A failure without an answer is no empty text."""
    if row is None or row.trace is None:
        return None, ""
    fault, output = row.trace.error, row.trace.output
    said = None if fault is not None and output is None else capped(codec.text_of(output))
    return said, _said(fault)


def _said(fault: Fault | None) -> str:
    return "" if fault is None else capped(fault.message or fault.kind)


def _scores(row: Row | None) -> dict[str, tuple[float | None, str]]:
    scores = {} if row is None else row.scores
    return {name: (score.value, capped(score.explanation)) for name, score in scores.items()}


def capped(text: str) -> str:
    """A text of at most 65,536 characters, which says how many there were."""
    return text if len(text) <= CAP else f"{text[:CAP]} … ({len(text):,} characters in all)"


# From where the candidate's rows, or those of a run that is the baseline, are known to lie


def _placed(ids: Sequence[str], outcomes: Outcomes) -> dict[str, Row]:
    path = outcomes.path
    if path is None:
        return {}
    found = {}
    for case in ids:
        outcome = outcomes.cases.get(case)
        row = None if outcome is None else _first(path, case, outcome.hash, outcome.trials)
        if row is not None:
            found[case] = row
    return found


def _first(path: Path, case: str, hashed: str, trials: Iterable[Trial]) -> Row | None:
    """The row of the first trial; one whose places are in another file is passed over."""
    for trial in trials:
        if not trial.places:
            continue
        try:
            row = row_at(path, trial.places)
        except (OSError, ValueError, RecursionError):
            continue
        if row is not None and row.trace is not None and (row.case, row.hash) == (case, hashed):
            return row
    return None


# From the journal of a pinned run, whose rows nobody knows the places of


def _scanned(ids: Sequence[str], before: Outcomes, journal: Path | None) -> dict[str, Row]:
    if journal is None or not ids:
        return {}
    try:
        if JournalReader(journal).header.run != before.run:
            return {}
        with journal.open("rb") as file:
            trials = _pieces(file, ids)
    except (OSError, GatewatchError):
        return {}
    found = {}
    for case, rows in trials.items():
        outcome = before.cases.get(case)
        whole = [rows[trial] for trial in sorted(rows) if rows[trial].trace is not None]
        if whole and (outcome is None or whole[0].hash == outcome.hash):
            found[case] = whole[0]
    return found


def _pieces(file: BinaryIO, ids: Sequence[str]) -> Mapping[str, dict[int, Row]]:
    """The rows of some cases by trial, in one pass; the other lines are told by their first bytes and not decoded."""
    wanted = {_plain(case) for case in ids} | {codec.encode(case) for case in ids}
    # An id with an escaped quotation mark in it does not end where the first one stands.
    odd = tuple(written for written in wanted if b"\\" in written)
    found: dict[str, dict[int, Row]] = {}
    for line in file:
        if not line.startswith(_HEAD, _CRC):
            continue
        if line[_ID : line.find(b'"', _ID + 1) + 1] not in wanted and not (odd and line.startswith(odd, _ID)):
            continue
        record = codec.unframe(line)
        try:
            row = None if record is None else codec.decode(record[1], Row)
        except (ValueError, RecursionError):
            continue
        if row is not None:
            trials = found.setdefault(row.case, {})
            first = trials.get(row.trial)
            if first is None or first.trace is None or row.trace is None:
                trials[row.trial] = row if first is None else merged(first, row)
    return found


def _plain(text: str) -> bytes:
    """Text as it is written in a row that has half of a surrogate pair somewhere: in ASCII alone."""
    return json.dumps(text).encode()
