"""A case on both sides of a comparison, whole: what was asked, expected and answered, what each scorer said and why."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.money import Cost
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.trace import Usage
from gatewatch.offline.joined import Joined, JoinedRow
from gatewatch.offline.journal import row_at
from gatewatch.offline.outcomes import Outcomes, Trial
from gatewatch.offline.reports.calldiff import CallPair, call_diff
from gatewatch.offline.reports.jsondiff import JsonDiff, json_diff
from gatewatch.offline.reports.textdiff import By, TextDiff, text_diff
from gatewatch.scorers.agent import calls_made

PAYLOAD = 65_536
"""How many characters of a text are told where not all of it is asked for."""
CASE_KIND = "gatewatch.case_pair"


class Text(Struct, frozen=True, omit_defaults=True):
    """A text, of which the first 65,536 characters may be all that is told; `length` is how many it has in all."""

    text: str
    length: int
    json: bool = False

    @property
    def cut(self) -> bool:
        """Whether there is more of it."""
        return len(self.text) < self.length


class CaseSide(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one side did with the case, in one trial: cost is in US dollars, latency in seconds."""

    run: str
    trial: int = 0
    trials: int = 1
    output: Text | None = None
    error: str = ""
    error_kind: str = ""
    latency_s: float | None = None
    cost: Cost | None = None
    usage: Usage | None = None
    versions: dict[str, str] = {}
    trace: str = ""
    spans: int = 0
    notes: tuple[str, ...] = ()


class ScorePair(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a scorer said of both sides, in the trials that are shown.

    `split` says that the votes of a judge went far apart on a side.
    """

    scorer: str
    source: str = "rule"
    pass_at: float | None = None
    before: Score | None = None
    after: Score | None = None
    split: bool = False


class CasePair(Struct, frozen=True, kw_only=True):
    """A case on both sides: the row as lists have it, then all of it."""

    kind: str = CASE_KIND
    version: int = 1
    row: JoinedRow
    input: Text | None
    expected: Text | None
    baseline: CaseSide | None
    candidate: CaseSide | None
    scores: list[ScorePair]
    output: TextDiff | None
    output_json: JsonDiff | None
    calls: list[CallPair]


def case_pair(joined: Joined, case: str, *, trial: int = 0, by: By = "word", whole: bool = False) -> CasePair:
    """A case of a comparison, read again from where it lies.

    Args:
        joined: the comparison.
        case: its id.
        trial: which trial of each side, from 0, in the order in which they were made; the last where there are fewer.
        by: what the outputs are compared by.
        whole: whether texts are told in full.

    Raises:
        InputError: there is no such case.
    """
    place = joined.places.get(case)
    if place is None:
        what = f"there is no case {case[:100]!r} in these runs"
        raise InputError(
            Problem("case", what, f"there are {len(joined.ids):,}, such as {joined.ids[0]!r}" if joined.ids else "")
        )
    before, after = rows_of_case(joined, case, trial)
    main = after or before
    trace = None if main is None else main.trace
    expected = next((row.expected for row in (after, before) if row is not None and row.expected is not None), None)
    texts = [_output(row) for row in (before, after)]
    both = before is not None and after is not None
    made = [calls_made(row.trace) if row is not None and row.trace is not None else [] for row in (before, after)]
    return CasePair(
        row=joined.rows([place])[0],
        input=None if trace is None else _text(trace.input, whole),
        expected=None if expected is None else _text(expected, whole),
        baseline=_side(joined.before, joined.origin, before, case, whole),
        candidate=_side(joined.after, joined.after, after, case, whole),
        scores=[_score(joined, name, before, after) for name in joined.scorers],
        output=text_diff(texts[0], texts[1], by) if both else None,
        output_json=json_diff(texts[0], texts[1]) if both and texts[0] != texts[1] else None,
        calls=call_diff(*made),
    )


def rows_of_case(joined: Joined, case: str, trial: int = 0) -> tuple[Row | None, Row | None]:
    """Both sides' rows of a case, as their journals have them; None where a side has none, or its journal is gone."""
    return _row(joined.before, joined.origin, case, trial), _row(joined.after, joined.after, case, trial)


def _row(side: Outcomes, source: Outcomes | None, case: str, trial: int) -> Row | None:
    outcome, known = side.cases.get(case), None if source is None else source.cases.get(case)
    if outcome is None or known is None or source is None or source.path is None or known.hash != outcome.hash:
        return None
    row = _read(source.path, known.trials[min(trial, len(known.trials) - 1)])
    return None if row is None or row.trace is None else row


def _side(side: Outcomes, source: Outcomes | None, row: Row | None, case: str, whole: bool) -> CaseSide | None:
    """What is told of a side; of one whose journal is gone little more than that there is one."""
    outcome = side.cases.get(case)
    if outcome is None:
        return None
    known = None if source is None else source.cases.get(case)
    trials = len((known or outcome).trials)
    if row is None or row.trace is None:
        return CaseSide(run=side.run, trials=trials)
    trace, fault = row.trace, row.trace.error
    return CaseSide(
        run=side.run,
        trial=row.trial,
        trials=trials,
        output=None if fault is not None and trace.output is None else _text(trace.output, whole),
        error="" if fault is None else fault.message,
        error_kind="" if fault is None else fault.kind,
        latency_s=trace.latency_s,
        cost=trace.cost,
        usage=trace.usage,
        versions=trace.versions,
        trace=trace.id,
        spans=len(trace.spans),
        notes=row.notes,
    )


def _read(path: Path, trial: Trial) -> Row | None:
    try:
        return row_at(path, trial.places)
    except (OSError, ValueError, RecursionError):
        return None


def _output(row: Row | None) -> str:
    return "" if row is None or row.trace is None else codec.text_of(row.trace.output)


def _text(value: Any, whole: bool) -> Text:
    text = codec.text_of(value)
    return Text(text if whole else text[:PAYLOAD], len(text), not isinstance(value, str))


def _score(joined: Joined, name: str, before: Row | None, after: Row | None) -> ScorePair:
    ref = joined.after.scorers.get(name) or joined.before.scorers[name]
    found: Sequence[Score | None] = [None if row is None else row.scores.get(name) for row in (before, after)]
    return ScorePair(
        scorer=name,
        source=ref.source,
        pass_at=ref.pass_at,
        before=found[0],
        after=found[1],
        split=any(each is not None and each.split for each in found),
    )
