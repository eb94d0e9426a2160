"""A verdict as people read it in a terminal or in the log of a CI job.

What comes from a model, a dataset or a project is put in as plain text, line by line, never as markup.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from gatewatch.offline.report import number
from gatewatch.offline.reports.cases import details, others
from gatewatch.offline.reports.fact import LABEL, Fact
from gatewatch.offline.reports.forest import WIDTH, Scale, scale_of
from gatewatch.offline.reports.moves import slices_moved
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.reports.words import (
    GLYPHS,
    changes,
    direction,
    facts,
    headline,
    interval,
    pairs,
    plain,
    pp,
    probability,
    says,
    title,
)
from gatewatch.offline.verdict import Figures, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

STYLES = {"PASS": "green", "REGRESSED": "red", "UNDECIDED": "magenta", "NOT_COMPARABLE": "yellow"}
_WAYS = {"fell": "red", "rose": "green", "slid": "", "noise": "", "none": "dim"}
_SLICES_SHOWN = 8
_NAME = 12  # a scorer's name is folded to so many columns before anything else is left out
_GAP = 2
Columns = dict[str, tuple[str, list["Text"]]]


def as_text(verdict: Verdict, texts: Mapping[str, RowTexts] | None = None, *, width: int = 100) -> str:
    """The report as plain text, `width` columns wide; what is gone from an answer stands in [-...-], what is new in {+...+}."""
    from rich.console import Console

    out = io.StringIO()
    console = Console(file=out, width=width, no_color=True, highlight=False, force_terminal=False)
    for part in renderables(verdict, texts or {}, width=width, marks=True):
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))


def renderables(
    verdict: Verdict, texts: Mapping[str, RowTexts], *, width: int, marks: bool = False
) -> "Iterator[RenderableType]":
    """The parts of the report, in order, for a rich console.

    Args:
        verdict: what the gate says.
        texts: of the cases whose texts are at hand.
        width: of the console, in columns.
        marks: put signs around what differs between two texts, for where neither colour nor strokes are to be seen.
    """
    yield from _head(verdict)
    yield from _said(verdict)
    yield from _labelled("changed", changes(verdict))
    if verdict.scorers:
        yield from _scorers(verdict, width)
    yield from _labelled("note", map(plain, verdict.remarks), style="yellow")
    yield from _slices(verdict, width)
    yield from _gap()
    for label, lines in facts(verdict):
        yield from _labelled(label, lines, gap=False)
    yield from details(verdict, texts, marks=marks)
    yield from others(verdict, width)
    yield from _labelled("to decide", map(plain, verdict.reach))
    yield from _labelled("next", map(plain, verdict.next), style="dim")


def _gap() -> "Iterator[Text]":
    from rich.text import Text

    yield Text("")


def _labelled(label: str, lines: Iterable[str], *, style: str = "", gap: bool = True) -> "Iterator[RenderableType]":
    from rich.text import Text

    for place, line in enumerate(lines):
        if gap and not place:
            yield from _gap()
        yield Fact(label if not place else "", Text(line, style=style))


def _head(verdict: Verdict) -> "Iterator[Text]":
    from rich.text import Text

    head = Text(plain(verdict.suite) or "gate", style="bold")
    head.append(f"  {title(verdict.baseline)} → {title(verdict.candidate)}", style="not bold")
    yield head
    yield Text(pairs(verdict), style="dim")


def _said(verdict: Verdict) -> "Iterator[RenderableType]":
    from rich.text import Text

    yield from _gap()
    style = STYLES[verdict.verdict]
    word = verdict.verdict.replace("_", " ")
    yield Text(f"{GLYPHS[verdict.verdict]} {word}", style=f"bold {style}").append(
        f"  {headline(verdict)}", style="not bold default"
    )
    for reason in verdict.reasons:
        yield Fact("  ·", Text(plain(reason)), indent=4)
    if verdict.stopped:
        yield Fact("  !", Text(plain(verdict.stopped), style="yellow"), indent=4)
    if verdict.rule:
        yield Fact("", Text(plain(verdict.rule), style="dim"), indent=4)


# Tables of figures


def _scorers(verdict: Verdict, width: int) -> "Iterator[RenderableType]":
    scale = scale_of(verdict.scorers.values(), verdict.max_drop)
    rows = [((name,), each) for name, each in verdict.scorers.items()]
    yield from _gap()
    yield from _fitted(_columns(("scorer",), rows, scale, values=True), width, scale)


def _slices(verdict: Verdict, width: int) -> "Iterator[RenderableType]":
    from rich.text import Text

    found = slices_moved(verdict)
    if not found:
        return
    scale = scale_of((each for _, _, each in found[:_SLICES_SHOWN]), verdict.max_drop)
    rows = [((part, name), each) for part, name, each in found[:_SLICES_SHOWN]]
    heads = ("slice", "scorer")
    if len(verdict.scorers) == 1:
        heads, rows = ("slice",), [((names[0],), each) for names, each in rows]  # type: ignore[assignment,misc]
    yield from _gap()
    yield from _fitted(_columns(heads, rows, scale, values=False), width, None)
    if len(found) > _SLICES_SHOWN:
        yield Text(f"... and {len(found) - _SLICES_SHOWN:,} more slices that moved", style="dim")


def _columns(
    heads: tuple[str, ...], rows: list[tuple[tuple[str, ...], Figures]], scale: Scale, *, values: bool
) -> Columns:
    """The cells of a table of figures, by column; what is left out first where it is too wide comes by its name."""
    from rich.text import Text

    ways = [_WAYS[direction(each)] if values or direction(each) == "fell" else "" for _, each in rows]
    every = [each for _, each in rows]

    def texts(cells: Iterable[str], styles: Iterable[str] | None = None) -> list[Text]:
        return [Text(cell, style=style) for cell, style in zip(cells, styles or [""] * len(rows), strict=True)]

    found: Columns = {
        head: (head, texts(plain(names[place]) or "—" for names, _ in rows)) for place, head in enumerate(heads)
    }
    if values:
        found["baseline"] = "baseline", texts(number(each.baseline) for each in every)
        found["candidate"] = "candidate", texts(number(each.candidate) for each in every)
    else:
        found["n"] = "n", texts(f"{each.n:,}" for each in every)
    low, high = scale.ends
    found |= {
        "delta": ("Δ pp", texts((pp(each.delta) for each in every), ways)),
        "interval": ("95 % CI", texts(interval(each.interval) for each in every)),
        "forest": (f"{low}{f'{high} pp':>{WIDTH - len(low)}}", texts((scale.strip(each) for each in every), ways)),
        "losses": ("▼", texts(f"{each.losses:,}" for each in every)),
        "wins": ("▲", texts(f"{each.wins:,}" for each in every)),
        "p": ("p", texts(probability(each.p_adjusted) for each in every)),
        "says": ("", texts((says(each) for each in every), [_says_style(each) for each in every])),
    }
    return found


def _says_style(figures: Figures) -> str:
    return STYLES[figures.verdict] if figures.gating else "dim"


def _fitted(columns: Columns, width: int, legend: Scale | None) -> "Iterator[RenderableType]":
    """A table of as many columns as there is room for."""
    from rich.text import Text

    shown = dict(columns)
    for drop in ("", "heads", "forest", "p", "baseline", "candidate", "interval", "losses", "wins", "n"):
        if drop == "heads":
            shown |= {
                name: (short, shown[name][1])
                for name, short in (("baseline", "base"), ("candidate", "cand"))
                if name in shown
            }
        else:
            shown.pop(drop, None)
        if _wide(shown) <= width:
            break
    yield _table(shown)
    if legend is not None and "forest" in shown:
        allowed = f" · ┊ {-legend.max_drop * 100:g} pp, ruled out by a PASS".replace("-", "\u2212")
        said = "● change, ○ maybe noise · ─ 95 % interval · │ no change"
        yield Text(said + (allowed if legend.max_drop > 0 else ""), style="dim")


def _wide(columns: Columns) -> int:
    found = 0
    for name, (head, cells) in columns.items():
        widest = max([len(head), *(cell.cell_len for cell in cells)])
        found += min(widest, _NAME) if name in ("scorer", "slice") else widest
    return found + _GAP * (len(columns) - 1)


def _table(columns: Columns) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style="bold"
    )
    for name, (head, cells) in columns.items():
        if name in ("scorer", "slice"):
            table.add_column(Text(head), overflow="fold", min_width=min(_NAME, max(c.cell_len for c in cells)))
        else:
            side = "left" if name in ("says", "forest") else "right"
            table.add_column(Text(head), justify=side, no_wrap=True)  # type: ignore[arg-type]
    for cells in zip(*(cells for _, cells in columns.values()), strict=True):
        table.add_row(*cells)
    return table


__all__ = ["LABEL", "as_text", "renderables"]
