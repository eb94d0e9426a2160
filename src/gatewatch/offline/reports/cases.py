"""The rows that moved, in a terminal: the worst in detail, the others in a line each."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from gatewatch.offline.reports.fact import LABEL, Fact
from gatewatch.offline.reports.moves import Moved, blocking, by_case, delta, glyph, ids_of, notes, outcomes
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.reports.worddiff import condensed, word_diff
from gatewatch.offline.reports.words import counted, move, plain
from gatewatch.offline.verdict import RowDiff, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

IN_DETAIL = 5
LINES = 20
_TEXT = 300
_ID = 28
_BAR = "│ "
_INDENT = LABEL + 2


def details(verdict: Verdict, texts: Mapping[str, RowTexts], *, marks: bool) -> "Iterator[RenderableType]":
    """The worst cases that fell, in full."""
    from rich.text import Text

    found = [case for case in by_case(verdict.rows) if case.fell]
    for place, case in enumerate(found[:IN_DETAIL]):
        yield Text("")
        if not place:
            worst = f"the worst {IN_DETAIL} of {len(found):,} cases that fell"
            all_of = f"{counted(len(found), 'case')} fell"
            yield Text(worst if len(found) > IN_DETAIL else all_of, style="bold")
        yield _heading(case)
        yield from _scored(case)
        known = texts.get(case.id)
        if known is not None:
            yield from _texts(case, known, marks=marks)


def _heading(case: Moved) -> "RenderableType":
    from rich.text import Text

    first = case.rows[0]
    said = dict.fromkeys(note for row in case.rows for note in notes(row) if note not in ("broke", "fixed"))
    line = Text(plain(case.id) or "(no id)", style="bold")
    for part in [*said, *([f"slice {plain(first.slice)}"] if first.slice else [])]:
        line.append(f" · {part}", style="not bold dim")
    return Fact(glyph(first), line, indent=2, style=_style(first))


def _scored(case: Moved) -> "Iterator[RenderableType]":
    from rich.cells import cell_len
    from rich.text import Text

    widest = max(cell_len(plain(row.scorer)) for row in case.rows)
    for row in case.rows:
        line = Text(f"{_padded(row.scorer, widest)}  {move(row.before, row.after)}  ")
        line.append(f"{delta(row):>9}", style=_style(row))
        for part in (row.crossed, outcomes(row)):
            if part:
                line.append(f"  {part}")
        yield Fact("", line, indent=2)


def _padded(text: str, width: int) -> str:
    from rich.cells import cell_len

    shown = plain(text)
    return shown + " " * (width - cell_len(shown))


def _style(row: RowDiff) -> str:
    """The colour of a change: none for one that may be noise."""
    if (row.flaky or row.accepted) and not row.why:
        return "magenta"
    if row.why:
        return "red"
    return {"loss": "red", "win": "green"}.get(row.effect, "")


def _texts(case: Moved, texts: RowTexts, *, marks: bool) -> "Iterator[RenderableType]":
    from rich.text import Text

    for label, text in (("input", texts.input), ("expected", texts.expected)):
        if text:
            yield Fact(f"  {label}", Text(plain(text, _TEXT)), indent=_INDENT, bar=_BAR)
    if texts.before is not None and texts.after is not None:
        yield Fact("  answer", _difference(texts.before, texts.after, marks=marks), indent=_INDENT, bar=_BAR)
    else:
        for label, text in (("before", texts.before), ("after", texts.after)):
            if text is not None:
                yield Fact(f"  {label}", Text(plain(text, _TEXT)), indent=_INDENT, bar=_BAR)
    for label, error in (("error was", texts.error_before), ("error", texts.error_after)):
        if error:
            yield Fact(f"  {label}", Text(plain(error, _TEXT), style="yellow"), indent=_INDENT, bar=_BAR)
    because = "  because"
    for row in case.rows:
        for scores, when in ((texts.scores_before, "before"), (texts.scores_after, "after")):
            said = scores.get(row.scorer, (None, ""))[1]
            if said:
                line = Text(f"{plain(row.scorer)}, {when}: {plain(said, _TEXT)}", style="dim")
                yield Fact(because, line, indent=_INDENT, bar=_BAR)
                because = ""


def _difference(before: str, after: str, *, marks: bool) -> "Text":
    """Both answers in one text: what is gone struck out, what is new underlined."""
    from rich.text import Text

    if before == after:
        return Text(f"{plain(after, _TEXT)}  (the same on both sides)")
    found = Text()
    for kind, text in condensed(word_diff(before, after), around=60, most=400, total=1500):
        shown = "\n".join(plain(line) for line in text.split("\n"))
        if kind == "same":
            found.append(shown)
            continue
        inner = shown.strip()
        if marks:
            shown = shown.replace(inner, f"[-{inner}-]" if kind == "del" else f"{{+{inner}+}}") if inner else shown
        found.append(shown, style="strike red" if kind == "del" else "underline green")
    return found


def others(verdict: Verdict) -> "Iterator[RenderableType]":
    """The other rows that moved, a line each; then the ids of all that block."""
    from rich.cells import cell_len
    from rich.text import Text

    cases = by_case(verdict.rows)
    told = {case.id for case in [case for case in cases if case.fell][:IN_DETAIL]}
    rest = [row for case in cases if case.id not in told for row in case.rows]
    if rest:
        yield Text("")
        yield Text("other rows that moved" if told else "rows that moved", style="bold")
    names = [(plain(row.id, _ID) or "(no id)", plain(row.scorer, _ID)) for row in rest[:LINES]]
    widest = [max(map(cell_len, column)) for column in zip(*names, strict=True)]
    for row, (case, scorer) in zip(rest, names, strict=False):
        line = Text(f"{_padded(case, widest[0])}  {_padded(scorer, widest[1])}  {move(row.before, row.after)}  ")
        line.append(f"{delta(row):>9}", style=_style(row))
        for part in [*notes(row), *filter(None, [plain(row.slice, _ID), outcomes(row)])]:
            line.append(f"  {part}", style="dim")
        yield Fact(glyph(row), line, indent=2, style=_style(row))
    if len(rest) > LINES:
        yield Text(f"  ... and {len(rest) - LINES:,} more", style="dim")
    blocked = ids_of(blocking(verdict))
    if blocked:
        yield Text("")
        yield Fact("blocking", Text(", ".join(plain(case) or "(no id)" for case in blocked)))
