from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings

from gatewatch.offline.reports import html, page
from gatewatch.offline.reports.html import as_html
from gatewatch.offline.reports.texts import RowTexts
from gatewatch.offline.verdict import Verdict
from offline.reports.making import (
    BEFORE,
    TEXT,
    TEXTS,
    WORDS,
    every,
    hostile,
    hostile_texts,
    many_rows,
    passed,
    regressed,
    row,
    undecided,
)

OURS = {
    *("html", "head", "meta", "title", "style", "body", "main", "section", "div", "span", "b", "bdi", "p", "ul", "li"),
    *("h1", "h2", "small", "table", "thead", "tbody", "tr", "th", "td", "dl", "dt", "dd", "details", "summary", "code"),
    *("del", "ins", "footer", "svg", "g", "line", "circle", "text"),
}
ATTRIBUTES = {
    *("lang", "charset", "name", "content", "http-equiv", "class", "open", "width", "height", "viewbox", "role"),
    *("aria-label", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "text-anchor", "stroke-width"),
}


class Read(HTMLParser):
    """A page as it is read: its elements, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""
        self.details = 0
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in OURS, tag
        assert {name for name, _ in attrs} <= ATTRIBUTES, attrs
        self.details += tag == "details"
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def handle_comment(self, data: str) -> None:
        pytest.fail("a comment")

    def unknown_decl(self, data: str) -> None:
        pytest.fail("a declaration")


class TestOneFile:
    def test_it_asks_nothing_of_the_network_and_runs_nothing(self) -> None:
        text = as_html(regressed(), TEXTS)
        policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
        for word in (
            "<script",
            "<link",
            "<img",
            "<iframe",
            "src=",
            "href=",
            "url(",
            "@import",
            "http:",
            "https:",
            " style=",
        ):
            assert word not in text, word
        assert "prefers-color-scheme:dark" in text

    @pytest.mark.parametrize("verdict", every())
    def test_it_is_well_formed(self, verdict: Verdict) -> None:
        Read(as_html(verdict, TEXTS))

    def test_the_colours_that_carry_meaning_are_the_houses(self) -> None:
        for colour in ("#0f825e", "#7f230b", "#7860a0", "#24418d", "#4ae6d6", "#ec6e38", "#989898", "#6daaf8"):
            assert colour in page.CSS


class TestOrder:
    def test_what_comes_after_what(self) -> None:
        text = Read(as_html(regressed(), TEXTS)).text
        words = (
            "support",
            "✕ REGRESSED",
            "A must-pass case fails",
            "Scorers",
            "changed",
            "Slices that moved",
            "Cases that fell",
        )
        places = [text.index(word) for word in (*words, "Cases that rose", "Next")]
        assert places == sorted(places)

    def test_a_change_that_may_be_noise_has_no_colour(self) -> None:
        text = as_html(regressed())
        assert '<td class="num fell">−6.3</td>' in text
        assert '<td class="num rose">+2.1</td>' in text
        assert '<td class="num noise">−0.8</td>' in text
        assert ".noise" not in page.CSS
        assert '<span class="chip"><span class="rose">✓</span> noise</span>' in text

    def test_marks_say_what_they_show(self) -> None:
        text = as_html(regressed())
        assert 'aria-label="−6.3 percentage points, 95 % interval [−10.1, −2.5]"' in text
        assert text.count('class="hollow"') == 2 + 4

    def test_undecided(self) -> None:
        text = Read(as_html(undecided())).text
        assert "~ UNDECIDED" in text
        assert "To decide:" in text


class TestRows:
    def test_two_sides_and_what_differs(self) -> None:
        text = as_html(regressed(), TEXTS)
        assert "within <del>30</del> days of purchase, <del>as long as they are unused</del>. Send" in text
        assert "within <ins>14</ins> days of purchase, <ins>for store credit only</ins>. Send" in text
        assert "<del>&quot;tool&quot;: &quot;lookup&quot;</del>" in text
        assert "The window is wrong." in text
        assert "TimeoutError: 30 s" in text

    def test_the_first_that_fell_is_open(self) -> None:
        assert as_html(regressed()).count('open="open"') == 1
        assert 'open="open"' not in as_html(passed())

    def test_many(self) -> None:
        found = Read(as_html(passed(rows=many_rows(3000))))
        assert found.details == 200 + 1, "and one for the facts"
        assert "case-199 " in found.text.replace("helpful", " ")
        assert "... and 800 more rows" in found.text
        assert "case-2199" in found.text
        assert "case-2200" not in found.text

    def test_large_texts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(html, "_BUDGET", 200_000)
        texts = {
            f"case-{n}": RowTexts(input="i" * 60_000, before=BEFORE * 400, after=f"x {BEFORE * 400}")
            for n in range(100)
        }
        text = as_html(passed(rows=many_rows(100)), texts)
        assert len(text) < 300_000
        assert "(60,000 characters in all)" in text
        assert "Other rows that moved" in text

    def test_nothing_moved(self) -> None:
        assert "No row moved" in as_html(passed(rows=(), identical=True))


class TestHostileText:
    def test_it_is_inert(self) -> None:
        for word in WORDS:
            text = Read(as_html(hostile(word=word), hostile_texts())).text
        assert "<script>alert(1)</script></details>" in text
        assert "\\x1b[31mred" in text
        assert "\\u202eturned" in text

    @given(TEXT)
    @settings(max_examples=60, deadline=None)
    def test_any_text(self, text: str) -> None:
        found = as_html(hostile(text), hostile_texts(text))
        Read(found)
        found.encode()
        assert "\x00" not in found

    def test_it_can_be_written(self, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text(as_html(passed(rows=(row("\ud800"),))), encoding="utf-8")
