"""A joined diff in a terminal: rows of both sides as a table, and a case of both sides in full."""

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from gatewatch.offline.case_pair import CasePair, CaseSide
    from gatewatch.offline.joined import Cell, Half, Joined

_OUTPUT = 200
_ID, _NAME, _DELTA, _GAP, _LEAST = 28, 24, 9, 3, 16  # columns of the table
_GLYPHS = {"loss": "▼", "win": "▲", "tie": "=", "error": "!"}


def show_window(
    joined: "Joined",
    show: str,
    *,
    scorer: str,
    slice_: str,
    search: str,
    sort: str,
    offset: int,
    limit: int,
    as_json: bool,
) -> None:
    """Print the rows that fit, a window of them, or the object that `GET /v1/compare` answers.

    Raises:
        InputError: there is no such scorer or slice.
    """
    from gatewatch.cli.terminal import console, print_json
    from gatewatch.offline.joined import View
    from gatewatch.offline.joined_json import as_json as told

    view = View(show=show, scorer=scorer, slice=slice_, search=search, sort=sort)  # type: ignore[arg-type]
    found = told(joined, view, offset=offset, limit=limit)
    if as_json:
        print_json(found)
        return
    if not found["rows"]:
        counts = ", ".join(f"{count:,} {name}" for name, count in found["counts"].items())
        click.echo(f"no row fits ({counts})")
        return
    out = console(140)
    out.print(_table(joined, found, out.width))
    if found["next"] is not None:
        click.echo(f"{found['total'] - found['next']:,} more rows: --offset {found['next']}")


def _table(joined: "Joined", found: dict[str, Any], width: int) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from gatewatch.offline.reports.words import plain

    ids = [plain(row.id) for row in found["rows"]]
    beside = min(_ID, max(map(len, ids))) + sum(_GAP + max(_DELTA, len(plain(name, _NAME))) for name in joined.scorers)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("case", overflow="fold", max_width=_ID)
    for side in ("baseline", "candidate"):
        # Without a width of its own the longest output would take all the room.
        table.add_column(side, no_wrap=True, overflow="ellipsis", width=max(_LEAST, (width - beside) // 2 - _GAP))
    for name in joined.scorers:
        table.add_column(Text(plain(name, _NAME)), justify="right", no_wrap=True)
    for row in found["rows"]:
        sides = [
            Text(_said(half), style="yellow" if half and half.failed else "") for half in (row.baseline, row.candidate)
        ]
        table.add_row(Text(plain(row.id)), *sides, *(Text(_cell(row.scores[name])) for name in joined.scorers))
    return table


def _said(half: "Half | None") -> str:
    from gatewatch.offline.reports.words import plain

    return "—" if half is None else plain(half.output, _OUTPUT)


def _cell(cell: "Cell") -> str:
    from gatewatch.offline.reports.words import pp

    glyph = _GLYPHS.get(cell.state, "—")
    return glyph if cell.delta is None or cell.state == "tie" else f"{glyph} {pp(cell.delta)}"


def show_case(joined: "Joined", case: str, *, as_json: bool) -> None:
    """Print a case of both sides in full, or the object that `GET /v1/compare/case/ID` answers.

    Raises:
        InputError: there is no such case.
    """
    from gatewatch.cli.terminal import console, print_json, while_heard
    from gatewatch.offline.case_pair import case_pair

    pair = case_pair(joined, case)
    if as_json:
        print_json(pair)
        return
    out = console(100)
    with while_heard():
        for line in _case(pair):
            out.print(line, soft_wrap=True)


def _case(pair: "CasePair") -> Any:
    from rich.text import Text

    from gatewatch.offline.reports.words import move, plain

    def fact(label: str, text: str) -> Text:
        return Text(f"{label:<11}", style="dim").append(
            "\n           ".join(map(plain, text.split("\n"))), style="not dim"
        )

    yield Text(plain(pair.row.id), style="bold")
    for label, found in (("input", pair.input), ("expected", pair.expected)):
        if found is not None:
            yield fact(label, found.text)
    for label, side in (("baseline", pair.baseline), ("candidate", pair.candidate)):
        yield fact(label, _answer(side))
    if pair.output is not None and pair.row.changed:
        yield _diff(pair)
    for score in pair.scores:
        one, other = (None if each is None else each.value for each in (score.before, score.after))
        yield fact(score.scorer, move(one, other))
        for sign, each in (("−", score.before), ("+", score.after)):
            if each is not None and each.explanation:
                yield fact("", f"{sign} {each.explanation}")


def _answer(side: "CaseSide | None") -> str:
    if side is None:
        return "— (the case is not there)"
    if side.error:
        return f"{side.error_kind}: {side.error}"
    return "— (its journal is not at hand)" if side.output is None else side.output.text


def _diff(pair: "CasePair") -> Any:
    from rich.text import Text

    from gatewatch.offline.reports.words import plain

    line = Text("differs    ", style="dim")
    styles = {"same": "not dim", "del": "not dim red strike", "ins": "not dim green underline"}
    for kind, text in pair.output.parts if pair.output is not None else ():
        shown = plain(text)
        line.append({"del": f"[-{shown}-]", "ins": f"{{+{shown}+}}"}.get(kind, shown), style=styles[kind])
    return line
