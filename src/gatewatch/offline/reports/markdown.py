"""A verdict as Markdown: for the comment on a pull request, and for a CI job's summary.

Whatever comes from a model, a dataset or a project is hostile here. Outside of code blocks it is written in such a way
that neither Markdown nor HTML, mentions, references or addresses come of it; inside of them nothing can end the block.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal
from zlib import crc32

from gatewatch.offline.report import number
from gatewatch.offline.reports.forest import Scale, scale_of
from gatewatch.offline.reports.moves import (
    Moved,
    blocking,
    by_case,
    delta,
    glyph,
    ids_of,
    notes,
    outcomes,
    slices_moved,
)
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.reports.worddiff import as_lines, condensed, word_diff
from gatewatch.offline.reports.words import (
    GLYPHS,
    MINUS,
    changes,
    facts,
    headline,
    interval,
    move,
    opened,
    pairs,
    plain,
    pp,
    probability,
    says,
    title,
)
from gatewatch.offline.verdict import Figures, Verdict

_SPECIAL = re.compile(r"[&<>`*_\[\]{}\\|~#@$!^]")
_START = re.compile(r"^(?:[-+=:]|\d(?=\d*[.)]))")  # of a list, or of a line that makes a heading of the one above it
# A space without width keeps apart what GitHub looks for in the text that comes of the Markdown.
_LINKED = re.compile(r"(?<=[@#])|(?<=:)(?=//)|(?<=www)(?=\.)|(?<=GH)(?=-)", re.IGNORECASE)
_LINKED_IN_CODE = re.compile(r"(?<=@)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)  # references are left alone there
_APART = "\u200b"
_TICKS = re.compile("`+")
_SUITE = re.compile(r"[A-Za-z0-9_.]+(?:-[A-Za-z0-9_.]+)*")
_MEASURES = ("cost", "latency", "errors")
_LEVELS = (10_000, 300, 100, 30, 10, 3, 1)
_FEWEST = 120  # the room, in characters, that is kept for saying how many rows were left out
_STRIP = 21
_DIFF_LINES = 60


def marker(suite: str) -> str:
    """The hidden line by which the comment of a suite is found again, to be brought up to date in place."""
    if not _SUITE.fullmatch(suite):  # it could end the comment that it stands in
        kept = "-".join(re.findall(r"[A-Za-z0-9_.]+", suite)[:5])[:40]
        suite = f"{kept}-{crc32(suite.encode(errors='surrogatepass')):08x}" if suite else "gate"
    return f"<!-- gatewatch:{suite} -->"


def as_markdown(
    verdict: Verdict, texts: Mapping[str, RowTexts] | None = None, *, limit: int = 65_536, rows: int = 10
) -> str:
    """The report as GitHub's Markdown, at most `limit` characters long.

    Args:
        verdict: what the gate says.
        texts: of the cases whose texts are at hand.
        limit: of a comment; what has no room is left out, rows first, and it is said how many.
        rows: how many cases are shown in detail.
    """
    for most in _LEVELS:
        head, tail = "\n\n".join(_head(verdict, most)), "\n\n".join(_tail(verdict, most))
        room = limit - len(head) - len(tail) - 5
        if room >= _FEWEST:
            shown = "\n\n".join(_rows(verdict, texts or {}, rows, room))
            return "\n\n".join(part for part in (head, shown, tail) if part) + "\n"
    least = f"{marker(verdict.suite)}\n### {_word(verdict)}\n"
    return least if len(least) <= limit else ""


def md(text: str, most: int = 500, *, linked: re.Pattern[str] = _LINKED) -> str:
    """Text as it is to be read, whatever is in it: on one line, and without any meaning to Markdown or GitHub."""
    shown = linked.sub(_APART, plain(text, most).strip())
    escaped = _SPECIAL.sub(lambda found: f"&#{ord(found[0])};", shown)
    escaped = _START.sub(lambda found: f"&#{ord(found[0])};", escaped)
    return escaped.replace(_APART, "&#8203;")


def _code(text: str, most: int = 100) -> str:
    return f"<code>{md(text, most, linked=_LINKED_IN_CODE) or '—'}</code>"


def _word(verdict: Verdict) -> str:
    return f"{GLYPHS[verdict.verdict]} {verdict.verdict.replace('_', ' ')}"


# Before the rows


def _head(verdict: Verdict, most: int) -> Iterator[str]:
    suite = f" · {md(verdict.suite, 100)}" if verdict.suite else ""
    yield f"{marker(verdict.suite)}\n### {_word(verdict)}{suite}"
    yield f"{_capital(md(headline(verdict), 1000))}."
    yield from _list(verdict.reasons, most)
    if verdict.stopped:
        yield f"⚠ {md(verdict.stopped)}"
    changed = changes(verdict)[: most + 1]
    if changed:
        yield f"**changed** {md(' · '.join(changed), 1000)}"
    yield from _list([f"⚠ {remark}" for remark in verdict.remarks], most)
    yield from _scorers(verdict, most)
    measures = [(label, lines) for label, lines in facts(verdict) if label in _MEASURES]
    if measures:
        yield "\n".join(f"- **{label}** {md(' · '.join(lines))}" for label, lines in measures)
    if verdict.open:
        yield "**open**"
        yield from _list(opened(verdict), most)
    blocked = ids_of(blocking(verdict))
    if blocked:
        more = f" ... and {len(blocked) - 10 * most:,} more" if len(blocked) > 10 * most else ""
        yield f"**blocking** {', '.join(_code(case) for case in blocked[: 10 * most])}{more}"


def _capital(text: str) -> str:
    return text if text.startswith("&") else text[:1].upper() + text[1:]


def _list(lines: Sequence[str], most: int) -> Iterator[str]:
    shown = [f"- {md(line)}" for line in lines[:most]]
    if len(lines) > most:
        shown.append(f"- ... and {len(lines) - most:,} more")
    if shown:
        yield "\n".join(shown)


def _scorers(verdict: Verdict, most: int) -> Iterator[str]:
    if not verdict.scorers:
        return
    scale = scale_of(verdict.scorers.values(), verdict.max_drop)
    rows = [(f"**{md(name, 100) or '—'}**", each) for name, each in verdict.scorers.items()]
    allowed = f", ┊ {MINUS}{verdict.max_drop * 100:g} pp, which a PASS rules out" if verdict.max_drop > 0 else ""
    yield _table("scorer", rows[:most], scale, len(rows) - most)
    yield f"<sub>● change (○ may be noise), ─ 95 % interval, │ no change{allowed}; p by Holm, ▼ losses, ▲ wins</sub>"


def _table(head: str, rows: Iterable[tuple[str, Figures]], scale: Scale, more: int) -> str:
    low, high = scale.ends
    lines = [
        f"| {head} | baseline | candidate | Δ pp | 95 % CI | {low} to {high} pp | p | ▼ | ▲ | verdict |",
        "| :-- | --: | --: | --: | :-: | :-: | --: | --: | --: | :-- |",
    ]
    for name, each in rows:
        mark = scale.strip(each, _STRIP).replace(" ", "\u00a0")
        moved = f"**{pp(each.delta)}**" if each.verdict == "REGRESSED" else pp(each.delta)
        p = probability(each.p_adjusted).replace("<", "&lt;")
        around = _whole(interval(each.interval))
        lines.append(
            f"| {name} | {number(each.baseline)} | {number(each.candidate)} | {moved} | {around} | `{mark}` | {p} "
            f"| {each.losses:,} | {each.wins:,} | {_whole(md(says(each)))} |"
        )
    if more > 0:
        lines.append(f"| ... and {more:,} more | | | | | | | | | |")
    return "\n".join(lines)


def _whole(text: str) -> str:
    """Text that is not to be broken into two lines."""
    return text.replace(" ", "\u00a0")


# The rows


def _rows(verdict: Verdict, texts: Mapping[str, RowTexts], most: int, room: int) -> Iterator[str]:
    """The worst cases, each behind a line that opens it, as many as there is room for."""
    cases = by_case(verdict.rows)
    left = room - _FEWEST
    shown = 0
    for case in cases[:most]:
        block = "\n\n".join(_case(case, texts.get(case.id)))
        if len(block) + 2 > left:
            break
        left -= len(block) + 2
        shown += len(case.rows)
        yield block
    if len(verdict.rows) > shown:
        yield (
            f"... and {len(verdict.rows) - shown:,} more rows that moved"
            if shown
            else (f"{len(verdict.rows):,} rows moved; there is no room for them here")
        )


def _case(case: Moved, texts: RowTexts | None) -> Iterator[str]:
    first = case.rows[0]
    parts = [f"{glyph(first)} {_code(case.id)}"]
    parts += [f"{md(row.scorer, 60)} {move(row.before, row.after)}" for row in case.rows[:3]]
    parts += [md(note, 200) for note in dict.fromkeys(note for row in case.rows for note in notes(row))]
    yield f"<details><summary>{' · '.join(parts)}</summary>"
    lines = [
        f"- **{md(row.scorer, 60) or '—'}** {move(row.before, row.after)}, {delta(row)}" + _after(outcomes(row))
        for row in case.rows[:20]
    ]
    yield "\n".join([*lines, *([f"- slice {_code(first.slice)}"] if first.slice else [])])
    if texts is not None:
        yield from _texts(case, texts)
    yield "</details>"


def _after(tried: str) -> str:
    return f", {md(tried, 200)}" if tried else ""


def _texts(case: Moved, texts: RowTexts) -> Iterator[str]:
    for label, text in (
        ("input", texts.input),
        ("expected", texts.expected),
        ("error before", texts.error_before),
        ("error", texts.error_after),
    ):
        if text:
            yield f"**{label}** {md(text)}"
    if texts.before is not None and texts.after is not None:
        same = texts.before == texts.after
        yield fenced(as_lines(condensed(word_diff(texts.before, texts.after))), "diff")
        if same:
            yield "The answer is the same on both sides."
    else:
        only: tuple[tuple[Literal["del", "ins"], str | None], ...] = ("del", texts.before), ("ins", texts.after)
        for kind, text in only:
            if text is not None:
                yield fenced(as_lines([(kind, text[:2000])]), "diff")
    said = [
        f"- {md(row.scorer, 60)}, {when}: {md(scores[row.scorer][1])}"
        for row in case.rows[:5]
        for when, scores in (("before", texts.scores_before), ("after", texts.scores_after))
        if scores.get(row.scorer, (None, ""))[1]
    ]
    if said:
        yield "\n".join(said)


def fenced(lines: Sequence[str], language: str) -> str:
    """A code block that nothing in it can end; at most sixty lines of it."""
    shown = [plain(line) for line in lines[:_DIFF_LINES]]
    if len(lines) > _DIFF_LINES:
        shown.append(f"  ... and {len(lines) - _DIFF_LINES:,} more lines")
    content = "\n".join(shown)
    fence = "`" * (1 + max([2, *map(len, _TICKS.findall(content))]))
    return f"{fence}{language}\n{content}\n{fence}"


# After the rows


def _tail(verdict: Verdict, most: int) -> Iterator[str]:
    found = slices_moved(verdict)
    if found:
        shown = found[: min(most, 20)]
        scale = scale_of((each for _, _, each in shown), verdict.max_drop)
        rows = [(f"{md(part, 100) or '—'} · {md(name, 60)} · {each.n:,}", each) for part, name, each in shown]
        yield f"<details><summary>{len(found):,} slices moved</summary>"
        yield _table("slice · scorer · n", rows, scale, len(found) - len(shown))
        yield "</details>"
    rest = [(label, line) for label, lines in facts(verdict) if label not in (*_MEASURES, "open") for line in lines]
    if rest:
        yield "<details><summary>Layers, power, cases</summary>"
        lines = [f"- **{label}** {md(line)}" for label, line in rest[:most]]
        yield "\n".join(lines + ([f"- ... and {len(rest) - most:,} more"] if len(rest) > most else []))
        yield "</details>"
    if verdict.reach:
        yield "**To decide**"
        yield from _list(verdict.reach, most)
    if verdict.next:
        yield "**Next**"
        yield "\n".join(f"- {_code(line, 300)}" for line in verdict.next[:most])
    yield f"<sub>{_footer(verdict)}</sub>"


def _footer(verdict: Verdict) -> str:
    parts = [md(verdict.rule, 2000)] if verdict.rule else []
    sides = f"{md(title(verdict.baseline), 200)} → {md(title(verdict.candidate), 200)}"
    return " · ".join([*parts, md(pairs(verdict)), sides, f"seed {verdict.seed}"])
