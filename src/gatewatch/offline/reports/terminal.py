"""A verdict as people read it in a terminal or in the log of a CI job.

What comes from a model, a dataset or a project is put in as plain text, line by line, never as markup.
"""

import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from gatewatch.offline.report import number
from gatewatch.offline.reports.cases import details, others
from gatewatch.offline.reports.fact import Fact
from gatewatch.offline.reports.forest import LEAST, WIDTH, Scale, scale_of
from gatewatch.offline.reports.moves import slices_moved
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.reports.words import (
    GLYPHS,
    MINUS,
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
_WAYS = {"fell": "red", "rose": "green", "slid": "", "maybe": "", "noise": "", "none": "dim"}
_SLICES_SHOWN = 8
_REASONS = 20
_LONGEST = 120
_GAP = 2
_DROPS = (
    *(("", 24), ("long heads", 24), ("forest", 24), ("", 16), ("baseline", 16), ("p", 16), ("candidate", 12)),
    *(("interval", 12), ("losses", 12), ("wins", 12), ("n", 12)),
)
"""What is done, in this order, until a table is narrow enough: a column left out, names folded to so many letters."""
_SHORT = {"baseline": "base", "candidate": "cand", "p": "p"}
Columns = dict[str, tuple[str, list["Text"]]]
Rows = Sequence[tuple[tuple[str, ...], Figures]]


def as_text(verdict: Verdict, texts: Mapping[str, RowTexts] | None = None, *, width: int = 100) -> str:
    """The report as plain text, `width` columns wide.

    What is gone from an answer stands in [-...-], what is new in {+...+}.
    """
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
    yield from others(verdict)
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


def _head(verdict: Verdict) -> "Iterator[RenderableType]":
    from rich.text import Text

    name = Text(plain(verdict.suite) or "gate", style="bold")
    yield Fact("", name.append(f"  {pairs(verdict)}", style="not bold dim"), indent=0)
    yield Fact("baseline", Text(title(verdict.baseline)))
    yield Fact("candidate", Text(title(verdict.candidate)))


def _said(verdict: Verdict) -> "Iterator[RenderableType]":
    from rich.text import Text

    yield from _gap()
    word = f"{GLYPHS[verdict.verdict]} {verdict.verdict.replace('_', ' ')}"
    yield Fact(word, Text(headline(verdict)), indent=len(word) + 2, style=f"bold {STYLES[verdict.verdict]}")
    for reason in verdict.reasons[:_REASONS]:
        yield Fact("  ·", Text(plain(reason)), indent=4)
    if len(verdict.reasons) > _REASONS:
        yield Text(f"    ... and {len(verdict.reasons) - _REASONS:,} more", style="dim")
    if verdict.stopped:
        yield Fact("  !", Text(plain(verdict.stopped), style="yellow"), indent=4)
    yield from _labelled("rule", [plain(verdict.rule)] if verdict.rule else [], style="dim")


# Tables of figures


def _scorers(verdict: Verdict, width: int) -> "Iterator[RenderableType]":
    from rich.text import Text

    scale = scale_of(verdict.scorers.values(), verdict.max_drop)
    rows = [((name,), each) for name, each in verdict.scorers.items()]
    table, drawn = _fitted(("scorer",), rows, scale, width, values=True)
    yield from _gap()
    yield table
    if drawn:
        allowed = f" · ┊ {MINUS}{verdict.max_drop * 100:g} pp, to be ruled out" if verdict.max_drop > 0 else ""
        yield Text(f"● change (○ may be noise) · ─ 95 % interval · │ 0{allowed}", style="dim")


def _slices(verdict: Verdict, width: int) -> "Iterator[RenderableType]":
    from rich.text import Text

    found = slices_moved(verdict)
    shown = found[:_SLICES_SHOWN]
    if not shown:
        return
    scale = scale_of((each for _, _, each in shown), verdict.max_drop)
    several = len(verdict.scorers) > 1
    rows = [((part, name) if several else (part,), each) for part, name, each in shown]
    table, _ = _fitted(("slice", "scorer") if several else ("slice",), rows, scale, width, values=False)
    yield from _gap()
    yield table
    if len(found) > len(shown):
        yield Text(f"... and {len(found) - len(shown):,} more that moved", style="dim")


def _columns(heads: tuple[str, ...], rows: Rows, *, values: bool) -> Columns:
    """The cells of a table of figures, by column."""
    every = [each for _, each in rows]
    found: Columns = {
        head: (head, [_text(_name(names[place])) for names, _ in rows]) for place, head in enumerate(heads)
    }
    if values:
        found["baseline"] = "baseline", [_text(number(each.baseline)) for each in every]
        found["candidate"] = "candidate", [_text(number(each.candidate)) for each in every]
    else:
        found["n"] = "n", [_text(f"{each.n:,}") for each in every]
    return found | {
        "delta": ("Δ pp", [_text(pp(each.delta), _way(each, values)) for each in every]),
        "interval": ("95 % CI", [_text(interval(each.interval)) for each in every]),
        "forest": ("", [_text(" " * LEAST) for _ in every]),
        "losses": ("▼", [_text(f"{each.losses:,}") for each in every]),
        "wins": ("▲", [_text(f"{each.wins:,}") for each in every]),
        "p": ("p (Holm)", [_text(probability(each.p_adjusted)) for each in every]),
        "says": ("verdict", [_verdict(each) for each in every]),
    }


def _name(name: str) -> str:
    """A name for a column that folds it, wherever that may be."""
    return re.sub(":(?=:)", ": ", plain(name, _LONGEST)) or "—"


def _text(text: str, style: str = "") -> "Text":
    from rich.text import Text

    return Text(text, style=style)


def _way(figures: Figures, rises: bool) -> str:
    """The colour of a change: none for one that may be noise, nor for rises that were not looked for."""
    way = direction(figures)
    return _WAYS[way] if way != "rose" or rises else ""


def _mark(strip: str, style: str) -> "Text":
    found = _text(strip, style)
    found.highlight_regex("[│┊]", "dim default")
    return found


def _verdict(figures: Figures) -> "Text":
    """What a scorer says; of a pass only the sign has a colour: a change that may be noise is never green."""
    said, style = says(figures), STYLES[figures.verdict]
    if not figures.gating:
        return _text(said, "dim")
    if figures.verdict != "PASS":
        return _text(said, style)
    return _text(said[:1], style).append(said[1:], style="default")


def _fitted(
    heads: tuple[str, ...], rows: Rows, scale: Scale, width: int, *, values: bool
) -> "tuple[RenderableType, bool]":
    """A table of as many columns as there is room for, and whether its marks are among them."""
    shown = _columns(heads, rows, values=values)
    names = 0
    for drop, names in _DROPS:
        if drop == "long heads":
            shown |= {name: (short, shown[name][1]) for name, short in _SHORT.items() if name in shown}
        else:
            shown.pop(drop, None)
        if _wide(shown, names) <= width:
            break
    if "forest" in shown:
        room = min(WIDTH, width - _wide(shown, names) + LEAST)
        low, high = scale.ends
        marks = [_mark(scale.strip(each, room), _way(each, values)) for _, each in rows]
        shown["forest"] = f"{low}{high:>{room - len(low)}}", marks
    return _table(shown, names), "forest" in shown


def _wide(columns: Columns, names: int) -> int:
    found = 0
    for name, (head, cells) in columns.items():
        widest = max([len(head), *(cell.cell_len for cell in cells)])
        found += min(widest, names) if name in ("scorer", "slice") else widest
    return found + _GAP * (len(columns) - 1)


def _table(columns: Columns, names: int) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0), header_style="bold"
    )
    for name, (head, cells) in columns.items():
        if name in ("scorer", "slice"):
            table.add_column(Text(head), overflow="fold", min_width=min(names, max(c.cell_len for c in cells)))
        else:
            side = "left" if name in ("says", "forest") else "right"
            table.add_column(Text(head), justify=side, no_wrap=True)  # type: ignore[arg-type]
    for row in zip(*(cells for _, cells in columns.values()), strict=True):
        table.add_row(*row)
    return table
