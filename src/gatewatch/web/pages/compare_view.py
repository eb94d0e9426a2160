"""What the Compare screen shows, made ready for its templates: the verdict, a line for each scorer, and rows."""

from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote

from msgspec import Struct

from gatewatch.offline.joined import Cell, Half, Joined, JoinedRow, Show, Sort, View
from gatewatch.offline.joined_json import worst_slice
from gatewatch.offline.reports.words import changes, direction, headline, plain, probability, says, title
from gatewatch.offline.verdict import Figures, Side
from gatewatch.web.pages.numbers import MINUS, WAYS, delta, duration, money, number
from gatewatch.web.pages.texts import brief

FILTERS: dict[Show, str] = {
    "regressed": "▼ Regressed",
    "improved": "▲ Improved",
    "changed": "Other output",
    "errors": "! Errors",
    "new": "+ New, gone",
    "all": "All",
}
ORDERS: dict[Sort, str] = {
    "worst": "worst first",
    "significance": "gravest first",
    "cost": "dearer first",
    "latency": "slower first",
    "run": "as the run has them",
}
SIGNS = {
    "PASS": ("pass", "✓"),
    "REGRESSED": ("fail", "✕"),
    "UNDECIDED": ("unsure", "~"),
    "NOT_COMPARABLE": ("warning", "≠"),
}
_WIDEST = 0.5  # one scorer of three cases must not press all the others together
_COMPACT, _ROOMY = 100, 400
_SHOWN_S = 1e-3  # differences of latency are in whole milliseconds
_TYPICAL = 2.0  # how many standard deviations of a difference stand out
_SCORERS_BESIDE = 8


class Line(Struct, frozen=True):
    """A scorer in the strip: its figures, which way it moved, and what it says in a word; `p` is empty where no case
    moved, of which a test has nothing to say."""

    name: str
    figures: Figures
    way: str
    says: str
    p: str
    css: str
    sign: str


class Mark(Struct, frozen=True):
    """A score of a row: its class, its text, and its title."""

    css: str
    text: str
    title: str


class Shown(Struct, frozen=True):
    """A row as the table has it."""

    place: int
    id: str
    href: str
    slice: str
    input: str
    before: str
    after: str
    failed: tuple[bool, bool]
    signs: str
    said: str
    marks: list[Mark]
    latency: str
    cost: str


class Head(Struct, frozen=True):
    """What stands over the table."""

    css: str
    sign: str
    word: str
    said: str
    worst: dict[str, Any] | None
    lines: list[Line]
    reach: float
    allowance: float
    facts: list[tuple[str, str]]
    notes: list[str]
    sides: tuple[str, str]


def head_of(joined: Joined) -> Head:
    """The verdict, in words and figures."""
    verdict = joined.verdict
    css, sign = SIGNS[verdict.verdict]
    lines = [
        Line(
            name,
            each,
            WAYS[direction(each)],
            says(each),
            probability(each.p_adjusted) if each.wins or each.losses else "",
            *(SIGNS[each.verdict] if each.gating else ("dim", "·")),
        )
        for name, each in verdict.scorers.items()
    ]
    ends = [abs(end) for each in verdict.scorers.values() for end in each.interval or ()]
    apart = verdict.verdict == "NOT_COMPARABLE"
    reasons = verdict.reasons if apart or verdict.verdict == "UNDECIDED" else ()
    return Head(
        css=css,
        sign=sign,
        word=verdict.verdict.replace("_", " ").capitalize(),
        said=f"{headline(verdict)}: {plain(reasons[0], 300)}" if apart and reasons else headline(verdict),
        worst=_worst(joined),
        lines=lines,
        reach=min(_WIDEST, max([1.2 * verdict.max_drop, *ends])),
        allowance=verdict.max_drop,
        facts=_facts(joined),
        notes=[*reasons[apart:], *verdict.reach, *verdict.remarks],
        sides=(title(verdict.baseline), title(verdict.candidate)),
    )


def _worst(joined: Joined) -> dict[str, Any] | None:
    """The worst slice, and which way it went."""
    found = worst_slice(joined)
    if found is None:
        return None
    return found | {"way": WAYS[direction(joined.verdict.slices[found["slice"]][found["scorer"]])]}


def _facts(joined: Joined) -> list[tuple[str, str]]:
    """What stands beside the scorers: cost, latency, errors, what changed."""
    verdict = joined.verdict
    before, after = verdict.baseline, verdict.candidate
    found: list[tuple[str, str]] = []
    if before is not None and after is not None:
        if _priced(before) or _priced(after):
            found.append(("Cost", _moved(_per_row(before), _per_row(after), money, " a row")))
        found += [
            ("p95", _moved(before.latency_s.get("p95"), after.latency_s.get("p95"), duration)),
            ("Errors", f"{before.failed:,} → {after.failed:,} of {after.rows:,} rows"),
        ]
    said = changes(verdict)
    return [*found, *([("Changed", said[0])] if said else [])]


def columns_of(joined: Joined) -> set[str]:
    """Those of the columns "slice", "latency" and "cost" that have something to say in some row."""
    sides = [each for each in (joined.verdict.baseline, joined.verdict.candidate) if each is not None]
    slow = [each.latency_s.get("p95") or 0.0 for each in sides]
    return {
        *(["slice"] if joined.slices else []),
        *(["latency"] if max(slow, default=0.0) >= _SHOWN_S else []),
        *(["cost"] if sum(map(_priced, sides)) == 2 else []),
    }


def _priced(side: Side) -> bool:
    """Whether anything is known to have been paid on a side."""
    return side.cost is not None and side.cost.amount > 0


def _per_row(side: Side) -> float | None:
    total = None if side.cost is None else side.cost.total
    return None if total is None or not side.rows else total / side.rows


def _moved(before: float | None, after: float | None, write: Any, unit: str = "") -> str:
    more = ""
    if before and after is not None:
        more = f" ({delta(after / before - 1, '%')})"
    return f"{write(before)} → {write(after)}{unit if after is not None else ''}{more}"


def case_path(case: str, place: int) -> str:
    """The path of a case: by its id, or, where that has half of a surrogate pair, which no address can have, by its
    place."""
    try:
        return f"/compare/case/{quote(case, safe='')}"
    except UnicodeEncodeError:
        return f"/compare/at/{place}"


def scorers_of(joined: Joined, view: View) -> list[str]:
    """The scorers that have a column: all of them, but where they are many the first, and the one that is chosen."""
    names = joined.scorers[:_SCORERS_BESIDE]
    return names if not view.scorer or view.scorer in names else [*names[:-1], view.scorer]


def rows_of(
    joined: Joined, view: View, places: Any, link: Any, *, density: str, query: Mapping[str, Any]
) -> list[Shown]:
    """A window of rows; `link(path, **query)` makes addresses, each of which has the given query."""
    names = scorers_of(joined, view)
    most = _COMPACT if density == "compact" else _ROOMY
    usual = {name: (joined.verdict.scorers[name].sd if name in joined.verdict.scorers else None) for name in names}
    return [
        _shown(row, int(place), names, usual, link(case_path(row.id, int(place)), **query), most)
        for place, row in zip(places, joined.rows(places), strict=True)
    ]


def _shown(
    row: JoinedRow, place: int, names: list[str], usual: Mapping[str, float | None], href: str, most: int
) -> Shown:
    before, after = row.baseline, row.candidate
    signs, said = _flags(row)
    return Shown(
        place=place,
        id=brief(row.id, 60),
        href=href,
        slice=brief(row.slice, 40),
        input=brief(row.input, most),
        before=_output(before, most),
        after="=" if _alike(row) else _output(after, most),
        failed=(before is not None and before.failed, after is not None and after.failed),
        signs=signs,
        said=said,
        marks=[mark_of(row.scores[name], usual[name], flaky=row.flaky) for name in names],
        latency=_more(row, "latency_s", "s"),
        cost=_more(row, "cost", "$"),
    )


def _alike(row: JoinedRow) -> bool:
    """Whether both sides answered the same, word for word, so that once is enough."""
    one, other = row.baseline, row.candidate
    both = one is not None and other is not None and row.kind == "paired" and not row.changed
    return both and one is not None and other is not None and bool(one.output) and one.output == other.output


def _output(half: Half | None, most: int) -> str:
    return "—" if half is None else brief(half.output, most)


def _flags(row: JoinedRow) -> tuple[str, str]:
    """Signs before a case, and what they say."""
    found = []
    if row.why:
        found.append(("✕", "the gate blocks because of it"))
    if row.must_pass:
        found.append(("!", "must pass"))
    if row.accepted:
        found.append(("✓", f"accepted: {row.accepted}"))
    if row.flaky:
        found.append(("~", "flaky"))
    if row.kind != "paired":
        found.append(("+" if row.kind == "new" else "±" if row.kind == "changed" else "−", f"{row.kind} case"))
    return "".join(sign for sign, _ in found), brief("; ".join(said for _, said in found), 300)


def _more(row: JoinedRow, what: Literal["latency_s", "cost"], unit: str) -> str:
    if row.baseline is None or row.candidate is None:
        return "—"
    before, after = getattr(row.baseline, what), getattr(row.candidate, what)
    if before is None or after is None:
        return "—"
    more = after - before  # two digits: columns are narrow, and this is of one call
    if unit == "$":
        size = f"${number(abs(more), 2)}"
    else:
        size = f"{abs(more) * 1e3:.0f} ms" if abs(more) < 0.9995 else f"{number(abs(more), 2)} s"
    moved = any(digit in size for digit in "123456789")
    return f"{('+' if more > 0 else MINUS) if moved else ''}{size}"


def mark_of(cell: Cell, usual: float | None = None, *, flaky: bool = False) -> Mark:
    """A score of a row. It has a colour where it crossed its pass mark, or moved by more than twice what differences
    usually are; what is flaky has none."""
    before, after = number(cell.before), number(cell.after)
    if cell.state == "error":
        return Mark("error", "! lost", "a scorer failed on one side: no fall, and no rise")
    if cell.state == "none":
        return Mark("missing", "—", "nothing to say on one side, or both")
    if cell.state == "apart":
        known = after if cell.after is not None else before
        return Mark("missing", known, f"{before} → {after}; nothing to compare it with")
    if cell.state == "tie":
        return Mark("same", "=", f"{before} → {after}")
    sign = "▼" if cell.state == "loss" else "▲"
    binary = {cell.before, cell.after} == {0.0, 1.0}
    moved = ("✓→✕" if cell.state == "loss" else "✕→✓") if binary else delta(cell.delta, "pp").removesuffix(" pp")
    stands_out = bool(cell.crossed) or (usual is not None and abs(cell.delta or 0.0) > _TYPICAL * usual)
    css = "unsure" if flaky or not stands_out else "worse" if cell.state == "loss" else "better"
    said = {"broke": ", fell under its pass mark", "fixed": ", rose over its pass mark", "": ""}[cell.crossed]
    return Mark(css, f"{sign} {moved}", f"{before} → {after} ({delta(cell.delta)}){said}{', flaky' if flaky else ''}")
