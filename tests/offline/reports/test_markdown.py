import re
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from gatewatch.offline.reports.markdown import as_markdown, fenced, marker, md
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.verdict import Verdict, Word
from offline.reports.making import (
    HOSTILE,
    TEXT,
    TEXTS,
    WORDS,
    every,
    hostile,
    hostile_texts,
    passed,
    regressed,
    row,
    undecided,
)

OURS = {
    *("h3", "p", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "code", "pre", "details", "summary"),
    *("strong", "sub"),
}
"""The elements that the report is made of: any other comes from its content."""


class Rendered(HTMLParser):
    """What Markdown makes of a report: its elements, and the text outside of code."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.prose = ""
        self.code = ""
        self.closed = True
        # As GitHub does it: with HTML as it stands, tables, and nothing linked that we do not look for below.
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.closed = self.closed and bool(self.open) and self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "code" in self.open or "pre" in self.open:
            self.code += data
        else:
            self.prose += data


def check(text: str, *, limit: int = 65_536) -> Rendered:
    """That a report is whole, and that nothing in it is more than text."""
    assert len(text) <= limit
    found = Rendered(text)
    assert found.elements <= OURS, found.elements - OURS
    assert found.attributes <= {"class", "style"}, found.attributes  # of code blocks and of tables
    assert found.closed
    assert not found.open
    for pattern in (r"@\w", r"#\d", r"GH-\d", r"://", r"www\."):
        assert not re.search(pattern, found.prose, re.IGNORECASE), pattern
    assert not open_fence(text)
    return found


def open_fence(text: str) -> str:
    """The fence of the code block that is open at the end, if one is."""
    fence = ""
    for line in text.split("\n"):
        ticks = re.match(r" {0,3}(`{3,}|~{3,})", line)
        if ticks and not fence:
            fence = ticks[1]
        elif ticks and ticks[1].startswith(fence) and not line.replace(fence[0], "").strip():
            fence = ""
    return fence


class TestOrder:
    def test_what_comes_after_what(self) -> None:
        text = as_markdown(regressed(reach=("more cases",)), TEXTS)
        words = [
            *(
                "<!-- gatewatch:support -->\n",
                "### ✕ REGRESSED · support",
                "A must-pass case fails;",
                "- must-pass case refund-7",
            ),
            *(
                "**changed**",
                "⚠",
                "| scorer |",
                "**cost**",
                "**latency**",
                "**blocking**",
                "<details>",
                "```diff",
                "slices moved",
            ),
            *("Layers, power", "**To decide**", "**Next**", "<sub>REGRESSED if"),
        ]
        places = [text.index(word) for word in words]
        assert places == sorted(places)
        assert text.startswith("<!-- gatewatch:support -->\n")

    def test_a_row_of_the_table(self) -> None:
        line = next(line for line in as_markdown(regressed()).splitlines() if line.startswith("| **exact**"))
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[1:5] == ["0.958", "0.950", "−0.8", "[−2.0,\u00a0+0.4]"]
        assert re.fullmatch(r"`\u00a0+┊\u00a0+──○┼\u00a0+`", cells[5])
        assert cells[6:] == ["0.22", "3", "1", "✓\u00a0noise"]

    def test_the_worst_rows_with_what_differs(self) -> None:
        text = as_markdown(regressed(), TEXTS)
        assert "<summary>✕ <code>refund-7</code> · exact 1.000 → 0.000 · helpful 1.000 → 0.000 · must-pass" in text
        assert "\n- You can return boots within 30 days of purchase, as long as they are unused.\n+ You can" in text
        assert '\n-   "tool": "lookup"\n+   "tool": "search"\n' in text
        assert "TimeoutError: 30 s" in text

    def test_undecided_says_what_would_decide(self) -> None:
        text = as_markdown(undecided())
        assert "### ~ UNDECIDED · support\n\nToo few cases to tell whether helpful fell" in text
        assert "run 165 more cases" in text

    @pytest.mark.parametrize("verdict", every())
    def test_it_is_well_formed(self, verdict: Verdict) -> None:
        check(as_markdown(verdict, TEXTS))


class TestLimit:
    def test_whole_rows_are_left_out(self) -> None:
        verdict = regressed(rows=tuple(row(f"case-{n}") for n in range(50)))
        texts = {f"case-{n}": RowTexts(before="one " * 2000, after="other " * 2000) for n in range(50)}
        text = as_markdown(verdict, texts, rows=50, limit=20_000)
        check(text, limit=20_000)
        shown = text.count("<code>case-")
        assert 1 <= shown < 20
        assert f"... and {50 - shown} more rows that moved" in text
        assert len(text) > 10_000, "there is room for more than that"

    def test_as_many_rows_as_asked_for(self) -> None:
        verdict = passed(rows=tuple(row(f"case-{n}") for n in range(50)))
        assert as_markdown(verdict, rows=3).count("<code>case-") == 3
        assert "... and 47 more rows that moved" in as_markdown(verdict, rows=3)
        assert "50 rows moved" in as_markdown(verdict, rows=0)

    def test_what_blocks_is_listed_beyond_the_rows_that_are_shown(self) -> None:
        verdict = regressed(rows=tuple(row(f"case-{n}", why="B") for n in range(1500)))
        text = as_markdown(verdict)
        check(text)
        assert all(f"<code>case-{n}</code>" in text for n in range(1500))

    @given(st.integers(0, 70_000), st.sampled_from(["a", HOSTILE, "@" * 500]))
    @settings(max_examples=30, deadline=None)
    def test_any_limit(self, limit: int, text: str) -> None:
        check(as_markdown(hostile(text), hostile_texts(text), limit=limit), limit=limit)

    @pytest.mark.parametrize("limit", [100, 300, 1000, 3000, 8000])
    def test_little_room(self, limit: int) -> None:
        text = as_markdown(regressed(), TEXTS, limit=limit)
        check(text, limit=limit)
        assert "REGRESSED" in text
        assert text.startswith("<!-- gatewatch:support -->\n")

    def test_very_many_of_everything(self) -> None:
        many = tuple(f"{HOSTILE} {n}" for n in range(2000))
        verdict = regressed(
            reasons=many,
            remarks=many,
            next=many,
            rows=tuple(row(name, name, why="A") for name in many[:500]),
            scorers={f"{name}": regressed().scorers["helpful"] for name in many[:500]},
            slices={name: regressed().scorers for name in many[:100]},
        )
        text = as_markdown(verdict)
        check(text)
        assert "more" in text


class TestMarker:
    @pytest.mark.parametrize("suite", ["support", "a.b_c-d", "x1"])
    def test_of_a_usual_name(self, suite: str) -> None:
        assert marker(suite) == f"<!-- gatewatch:{suite} -->"

    @given(TEXT)
    @example("a--b")
    @example("-->")
    @settings(max_examples=100, deadline=None)
    def test_of_any_name(self, suite: str) -> None:
        inner = marker(suite).removeprefix("<!--").removesuffix("-->")
        assert re.fullmatch(r" gatewatch:[\w.-]+ ", inner, re.ASCII)
        assert "--" not in inner

    def test_two_names_have_two_markers(self) -> None:
        assert marker("a b") != marker("a  b") != marker("a--b")


class TestHostileText:
    @pytest.mark.parametrize("word", WORDS)
    def test_it_is_inert(self, word: Word) -> None:
        found = check(as_markdown(hostile(word=word), hostile_texts()))
        assert "<script>alert(1)</script>" in found.prose, "and to be read"
        assert "![x](http:\u200b//evil/p.png?q=)" in found.prose
        assert "@\u200beveryone #\u200b123" in found.prose

    def test_an_id_can_be_copied(self) -> None:
        text = as_markdown(passed(rows=(row("orders#12_GH-3"),)))
        assert "<code>orders&#35;12&#95;GH-3</code>" in text
        assert "\u200b" not in check(text).code

    @given(TEXT)
    @example("1. a")
    @example("a\n===\n")
    @example("- [ ] a")
    @settings(max_examples=80, deadline=None)
    def test_any_text(self, text: str) -> None:
        check(as_markdown(hostile(text), hostile_texts(text)))

    @given(TEXT)
    @settings(max_examples=200, deadline=None)
    def test_a_text_by_itself(self, text: str) -> None:
        shown = md(text)
        assert "\n" not in shown
        for around in (
            shown,
            f"- {shown}",
            f"**{shown or '—'}**",
            f"<details><summary>{shown}</summary>\n\na\n\n</details>",
        ):
            check(around)
        assert check(f"| a | b |\n| - | - |\n| {shown} | end |").prose.endswith("end\n\n\n\n")

    @given(st.lists(TEXT, max_size=6))
    @settings(max_examples=150, deadline=None)
    def test_nothing_ends_a_code_block(self, lines: list[str]) -> None:
        found = check(f"a\n\n{fenced(lines, 'diff')}\n\nb")
        assert found.prose.split() == ["a", "b"]
