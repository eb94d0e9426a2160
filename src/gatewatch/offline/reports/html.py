"""A verdict as a page of HTML, in one file."""

from collections.abc import Iterator, Mapping, Sequence

from gatewatch.offline.report import number
from gatewatch.offline.reports.forest import Scale, scale_of
from gatewatch.offline.reports.moves import Moved, by_case, delta, glyph, notes, outcomes, slices_moved
from gatewatch.offline.reports.page import Raw, joined, page, tag
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.reports.worddiff import Part, condensed, word_diff
from gatewatch.offline.reports.words import (
    GLYPHS,
    MINUS,
    changes,
    counted,
    direction,
    facts,
    headline,
    interval,
    move,
    pairs,
    pp,
    probability,
    says,
    sure,
    title,
)
from gatewatch.offline.verdict import Figures, RowDiff, Verdict

IN_DETAIL = 200
LINES = 2_000
_BUDGET = 4_000_000  # characters of details: what comes after them is shown in lines
_SLICES, _MORE_SLICES = 12, 200
_REASONS = 50
_FIRST = ("cost", "latency", "errors", "open")
_TEXT = 20_000
_MARK = 260, 20  # the size of a forest mark, in pixels
_EDGE = 8


def as_html(verdict: Verdict, texts: Mapping[str, RowTexts] | None = None) -> str:
    """The report as one HTML file without scripts, which asks nothing of the network.

    At most 200 cases are shown in detail, and 2,000 rows after them in a line each; it says how many are left out.
    """
    name = f"{verdict.suite or 'gate'}: {verdict.verdict.replace('_', ' ')}"
    parts = [_top(verdict), _said(verdict), *_scorers(verdict), *_facts(verdict), *_slices(verdict)]
    return page(name, *parts, *_cases(verdict, texts or {}), *_after(verdict))


def _bdi(text: str) -> Raw:
    return tag("bdi", text)


def _chip(text: str, kind: str = "") -> Raw:
    return tag("span", _bdi(text), class_=f"chip {kind}".strip())


def _own_verdict(figures: Figures) -> Raw:
    """What a scorer says; of a pass only the sign has a colour: a change that may be noise is never green."""
    said = says(figures)
    if figures.gating and figures.verdict == "PASS":
        return tag("span", tag("span", said[:1], class_="rose"), said[1:], class_="chip")
    return _chip(said, f"status {figures.verdict}" if figures.gating else "")


# The head of the page


def _top(verdict: Verdict) -> Raw:
    sides = f"{title(verdict.baseline)} → {title(verdict.candidate)}"
    return tag(
        "div",
        tag("b", _bdi(verdict.suite or "gate")),
        tag("span", _bdi(sides)),
        tag("span", pairs(verdict)),
        class_="top",
    )


def _said(verdict: Verdict) -> Raw:
    said = headline(verdict)
    parts = [
        tag("h1", f"{GLYPHS[verdict.verdict]} {verdict.verdict.replace('_', ' ')}"),
        tag("p", _bdi(f"{said[:1].upper()}{said[1:]}.")),
    ]
    if verdict.reasons:
        more = len(verdict.reasons) - _REASONS
        lines = [tag("li", _bdi(reason)) for reason in verdict.reasons[:_REASONS]]
        parts.append(tag("ul", *lines, *([tag("li", f"... and {more:,} more")] if more > 0 else [])))
    parts += [tag("p", _bdi(f"! {said}"), class_="note") for said in (verdict.stopped, *verdict.remarks) if said]
    if verdict.reach:
        parts.append(tag("p", "To decide:"))
        parts.append(tag("ul", *(tag("li", _bdi(line)) for line in verdict.reach)))
    if verdict.rule:
        parts.append(tag("div", _bdi(verdict.rule), class_="rule"))
    return tag("section", joined(parts), class_=f"verdict {verdict.verdict}")


# Figures


def _scorers(verdict: Verdict) -> Iterator[Raw]:
    if not verdict.scorers:
        return
    scale = scale_of(verdict.scorers.values(), verdict.max_drop)
    yield tag("h2", "Scorers", tag("small", _legend(verdict)))
    yield _figures(("scorer",), [((name,), each) for name, each in verdict.scorers.items()], scale)


def _legend(verdict: Verdict) -> str:
    allowed = f" · dashed {MINUS}{verdict.max_drop * 100:g} pp, which a PASS rules out" if verdict.max_drop > 0 else ""
    return f"● change, ○ may be noise · line 95 % interval{allowed} · p adjusted by Holm"


def _slices(verdict: Verdict) -> Iterator[Raw]:
    found = slices_moved(verdict)
    if not found:
        return
    scale = scale_of((each for _, _, each in found[:_MORE_SLICES]), verdict.max_drop)
    rows = [((part, name), each) for part, name, each in found[:_MORE_SLICES]]
    yield tag("h2", "Slices that moved", tag("small", f"{len(found):,}, the worst first"))
    yield _figures(("slice", "scorer"), rows[:_SLICES], scale)
    if len(rows) > _SLICES:
        left = f", and {len(found) - len(rows):,} that are left out" if len(found) > len(rows) else ""
        summary = tag("summary", tag("span", f"{len(rows) - _SLICES:,} more{left}", class_="dim"))
        inside = tag("div", _figures(("slice", "scorer"), rows[_SLICES:], scale), class_="inside")
        yield tag("details", summary, inside, class_="case facts")


def _figures(heads: tuple[str, ...], rows: Sequence[tuple[tuple[str, ...], Figures]], scale: Scale) -> Raw:
    means = len(heads) == 1
    numbers = ("n", *(("baseline", "candidate") if means else ()), "Δ pp", "95 % CI")
    head = [tag("th", name) for name in heads]
    head += [tag("th", name, class_="num") for name in numbers]
    head += [
        tag("th", _axis(scale)),
        *(tag("th", name, class_="num") for name in ("▼", "▲", "p")),
        tag("th", "verdict"),
    ]
    body = [
        tag("tr", *(tag("td", _bdi(name), class_="name") for name in names), *_cells(each, scale, means=means))
        for names, each in rows
    ]
    return tag("div", tag("table", tag("thead", tag("tr", *head)), tag("tbody", joined(body))), class_="wide")


def _cells(figures: Figures, scale: Scale, *, means: bool) -> Iterator[Raw]:
    way = direction(figures) if means or direction(figures) == "fell" else "noise"
    values = [number(figures.baseline), number(figures.candidate)] if means else []
    for value in (f"{figures.n:,}", *values):
        yield tag("td", value, class_="num")
    yield tag("td", pp(figures.delta), class_=f"num {way}")
    yield tag("td", interval(figures.interval), class_="num dim")
    yield tag("td", _mark(figures, scale))
    for value in (f"{figures.losses:,}", f"{figures.wins:,}", probability(figures.p_adjusted)):
        yield tag("td", value, class_="num")
    yield tag("td", _own_verdict(figures))


def _x(scale: Scale, value: float) -> str:
    return f"{_EDGE + scale.place(value) * (_MARK[0] - 2 * _EDGE):.1f}"


def _svg(label: str, *content: Raw) -> Raw:
    width, height = map(str, _MARK)
    return tag(
        "svg", *content, width=width, height=height, viewBox=f"0 0 {width} {height}", role="img", aria_label=label
    )


def _line(kind: str, x1: str, x2: str, y1: str = "0", y2: str = str(_MARK[1])) -> Raw:
    return tag("line", x1=x1, x2=x2, y1=y1, y2=y2, **({"class_": kind} if kind else {}))


def _lines(scale: Scale) -> Iterator[Raw]:
    if scale.max_drop > 0:
        limit = _x(scale, -scale.max_drop)
        yield _line("limit", limit, limit)
    zero = _x(scale, 0.0)
    yield _line("zero", zero, zero)


def _axis(scale: Scale) -> Raw:
    """The ends of the scale, and 0, above the marks."""
    low, high = scale.ends
    zero = _x(scale, 0.0)
    return _svg(
        f"from {low} to {high} percentage points",
        tag("text", low, x=str(_EDGE), y="13", class_="axis", text_anchor="start"),
        *(
            [tag("text", "0", x=zero, y="13", class_="axis", text_anchor="middle")]
            if 0.15 < scale.place(0) < 0.8
            else []
        ),
        tag("text", f"{high} pp", x=str(_MARK[0] - _EDGE), y="13", class_="axis", text_anchor="end"),
    )


def _mark(figures: Figures, scale: Scale) -> Raw:
    if figures.delta is None:
        return _svg("no pairs", *_lines(scale))
    middle = str(_MARK[1] // 2)
    parts = []
    if figures.interval is not None:
        low, high = (_x(scale, end) for end in figures.interval)
        parts.append(_line("", low, high, middle, middle))
        whole = zip((low, high), figures.interval, strict=True)  # what goes on beyond the scale has no end there
        parts += [_line("", x, x, "7", "13") for x, end in whole if scale.low <= end <= scale.high]
    way = direction(figures)
    hollow = {} if sure(figures) else {"class_": "hollow"}
    parts.append(tag("circle", cx=_x(scale, figures.delta), cy=middle, r="3.5", **hollow))
    label = f"{pp(figures.delta)} percentage points, 95 % interval {interval(figures.interval)}"
    return _svg(label, *_lines(scale), tag("g", *parts, class_=f"mark {way}", stroke_width="1.5"))


def _facts(verdict: Verdict) -> Iterator[Raw]:
    """What changed, and what it costs; the rest of the facts behind a line that opens them."""
    found = facts(verdict)
    rest = [(label, lines) for label, lines in found if label not in _FIRST]
    yield from _list([("changed", changes(verdict)), *((label, lines) for label, lines in found if label in _FIRST)])
    if rest:
        summary = tag("summary", tag("span", f"More: {', '.join(label for label, _ in rest)}", class_="dim"))
        yield tag("details", summary, tag("div", joined([*_list(rest)]), class_="inside"), class_="case facts")


def _list(found: Sequence[tuple[str, Sequence[str]]]) -> Iterator[Raw]:
    parts = []
    for label, lines in found:
        for place, line in enumerate(lines):
            parts += [tag("dt", "" if place else label), tag("dd", _bdi(line))]
    if parts:
        yield tag("dl", joined(parts))


# Rows


def _cases(verdict: Verdict, texts: Mapping[str, RowTexts]) -> Iterator[Raw]:
    cases = by_case(verdict.rows)
    left = _BUDGET
    shown = 0
    section = ""
    for case in cases[:IN_DETAIL]:
        block = _case(case, texts.get(case.id), first=not shown)
        left -= len(block)
        if left < 0:
            break
        head = "Cases that fell" if case.fell else "Cases that rose"
        if head != section:
            of = sum(each.fell is case.fell for each in cases)
            yield tag("h2", head, tag("small", counted(of, "case") + (", the gravest first" if case.fell else "")))
            section = head
        shown += 1
        yield block
    rest = [row for case in cases[shown:] for row in case.rows]
    if rest:
        yield tag("h2", "Other rows that moved", tag("small", counted(len(rest), "row")))
        yield _rows(rest[:LINES])
    if len(rest) > LINES:
        yield tag("p", f"... and {len(rest) - LINES:,} more rows, which the JSON and the CSV have", class_="dim")
    if not verdict.rows and verdict.scorers:
        yield tag("h2", "No row moved")


def _way(row: RowDiff) -> str:
    """The colour of a row's change: none for one that may be noise."""
    if row.why:
        return "loss"
    return "unsure" if row.flaky or row.accepted else row.effect


def _case(case: Moved, texts: RowTexts | None, *, first: bool) -> Raw:
    top = case.rows[0]
    head = [tag("span", glyph(top), class_=f"sign {_way(top)}"), tag("span", _bdi(case.id or "(no id)"), class_="id")]
    for row in case.rows[:4]:
        name = tag("span", _bdi(row.scorer), class_="dim")
        head.append(tag("span", name, f" {move(row.before, row.after)} ", tag("b", delta(row), class_=_way(row))))
    if len(case.rows) > 4:
        head.append(tag("span", f"and {len(case.rows) - 4} more", class_="dim"))
    said = dict.fromkeys(note for row in case.rows for note in notes(row))
    head += [_chip(note) for note in said]
    head += [_chip(f"slice {top.slice}")] if top.slice else []
    inside = [*(_texts(texts) if texts is not None else []), _scores(case, texts or RowTexts())]
    opened = {"open": "open"} if first and case.fell else {}
    return tag("details", tag("summary", *head), tag("div", joined(inside), class_="inside"), class_="case", **opened)


def _labelled(label: str, value: str, kind: str = "text") -> list[Raw]:
    shown = value if len(value) <= _TEXT else f"{value[:_TEXT]} … ({len(value):,} characters in all)"
    return [tag("div", label, class_="label"), tag("div", _bdi(shown), class_=kind)]


def _texts(texts: RowTexts) -> Iterator[Raw]:
    for label, value in (("input", texts.input), ("expected", texts.expected)):
        if value:
            yield from _labelled(label, value)
    one, other = texts.before, texts.after
    parts: list[Part] = []
    if one is not None and other is not None:
        parts = condensed(word_diff(one, other), around=2_000, most=8_000, total=_TEXT)
    elif one is not None or other is not None:
        parts = [("same", (one or other or "")[:_TEXT])]
    if one is None and other is None and not (texts.error_before or texts.error_after):
        return
    sides = [
        _side("baseline", parts if one is not None else [], "del", texts.error_before),
        _side("candidate", parts if other is not None else [], "ins", texts.error_after),
    ]
    yield tag("div", *sides, class_="sides")
    if one == other and one is not None:
        yield tag("div", "The answer is the same on both sides.", class_="label")


def _side(label: str, parts: Sequence[Part], kind: str, error: str) -> Raw:
    inner = [text if found == "same" else tag(kind, text) for found, text in parts if found in ("same", kind)]
    said = [tag("div", label, class_="label")]
    if inner or not error:
        said.append(tag("div", tag("bdi", *inner) if inner else "—", class_="text"))
    if error:
        said.append(tag("div", _bdi(error[:_TEXT]), class_="text error"))
    return tag("div", *said, class_="side")


def _scores(case: Moved, texts: RowTexts) -> Raw:
    """What each scorer that moved said of either side, in the same order on both."""
    head = tag(
        "tr",
        *(tag("th", name) for name in ("scorer", "baseline", "candidate", "tries", "why, baseline", "why, candidate")),
    )
    body = []
    for row in case.rows:
        said = [scores.get(row.scorer, (None, ""))[1][:2_000] for scores in (texts.scores_before, texts.scores_after)]
        cells = [_bdi(row.scorer), number(row.before), number(row.after), outcomes(row) or "—"]
        body.append(tag("tr", *(tag("td", cell) for cell in cells), *(tag("td", _bdi(each or "—")) for each in said)))
    return tag("div", tag("table", tag("thead", head), tag("tbody", *body)), class_="wide scores")


def _rows(rows: Sequence[RowDiff]) -> Raw:
    names = ("", "case", "scorer", "slice")
    head = [tag("th", name) for name in names]
    head += [tag("th", name, class_="num") for name in ("baseline", "candidate", "Δ")] + [tag("th", "")]
    body = [
        tag(
            "tr",
            tag("td", glyph(row), class_=_way(row)),
            tag("td", _bdi(row.id), class_="id name"),
            *(tag("td", _bdi(each)) for each in (row.scorer, row.slice or "—")),
            *(tag("td", number(value), class_="num") for value in (row.before, row.after)),
            tag("td", delta(row), class_=f"num {_way(row)}"),
            tag("td", _bdi(", ".join([*notes(row), *filter(None, [outcomes(row)])])), class_="dim small"),
        )
        for row in rows
    ]
    return tag("div", tag("table", tag("thead", tag("tr", *head)), tag("tbody", joined(body))), class_="wide")


def _after(verdict: Verdict) -> Iterator[Raw]:
    if verdict.next:
        yield tag("h2", "Next")
        yield joined([tag("div", tag("code", _bdi(line))) for line in verdict.next])
    yield tag(
        "footer", "Made by gatewatch gate. ▼ fell, ▲ rose, ✕ blocks, ~ flaky: it passes and fails in one version."
    )
