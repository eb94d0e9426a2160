"""How what models and users write is shown: nothing hides, nothing runs, nothing is without end."""

import pytest

from gatewatch.checks.hostile import HOSTILE
from gatewatch.web.pages.templating import environment
from gatewatch.web.pages.texts import brief, clipped, pretty, visible


def test_what_cannot_be_seen_is_seen() -> None:
    assert visible("a\x1b[31mb\x00") == "a⟦U+001B⟧[31mb⟦U+0000⟧"
    assert visible("\u202eabc\u2066") == "⟦U+202E⟧abc⟦U+2066⟧"
    assert visible("\ud800") == "⟦U+D800⟧"
    assert visible("a\U000e0041b") == "a⟦U+E0041⟧b"
    assert visible("one\r\ntwo\n\tthree") == "one\ntwo\n\tthree"
    assert visible("\U0001f469\u200d\U0001f4bb") == "\U0001f469\u200d\U0001f4bb"
    assert visible({"a": 1}) == '{"a":1}'
    assert visible(None) == ""


@pytest.mark.parametrize("text", HOSTILE)
def test_every_hostile_text_can_be_sent(text: str) -> None:
    for shown in (visible(text), brief(text), clipped(visible(text), 10), pretty(visible(text))):
        assert shown.encode("utf-8").decode() == shown


def test_a_text_is_cut_between_letters() -> None:
    assert clipped("ä" * 100, 51) == "ä" * 25
    assert clipped("a" * 51, 51) == "a" * 51
    assert clipped("short") == "short"
    assert len(clipped("x" * 4_000_000)) == 65_536


def test_the_beginning_in_one_line() -> None:
    assert brief("one\n  two\tthree") == "one two three"
    assert brief("x" * 500, 10) == "x" * 9 + "…"
    assert brief(" " * 5000 + "late", 10).endswith("…")


def test_json_is_indented_and_other_texts_stay() -> None:
    assert pretty('{"a":[1]}') == pretty({"a": [1]})
    assert "\n" in pretty({"a": [1]})
    for text in ("plain", "{no json", "[" * 70_000, '{"a": NaN}', "[" * 3000):
        assert pretty(text) == text


def test_markup_is_text() -> None:
    template = environment().from_string(
        '{% from "macros/parts.html" import code, diff, one_line, text %}'
        "{{ text(it) }}{{ one_line(it) }}{{ code(it) }}{{ diff([('-', it), ('+', it)]) }}"
    )
    html = template.render(it='<img src=x onerror="alert(1)">')
    assert "<img" not in html and html.count("&lt;img src=x onerror=&#34;alert(1)&#34;&gt;") == 5


def test_a_long_text_says_where_the_rest_is() -> None:
    template = environment().from_string('{% from "macros/parts.html" import text %}{{ text(it, "/whole") }}')
    html = template.render(it="y" * 4_000_000)
    assert len(html) < 66_000 and '<a href="/whole" data-swap>show all</a> (4.00 MB)' in html
    assert "show all" not in template.render(it="y" * 65_536)
