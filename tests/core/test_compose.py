from unicodedata import normalize

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.compose import MOST_MARKS, composed, stream_safe


@given(st.text())
def test_ordinary_text_is_composed_as_it_always_was(text: str) -> None:
    assert composed(text) == normalize("NFC", text)
    assert composed(text, "NFKC") == normalize("NFKC", text)


def test_a_run_of_marks_is_broken_up() -> None:
    hostile = "a" + "\u0301\u0327" * 50_000
    found = composed(hostile)
    assert found.count("\u034f") >= 3000
    assert max(map(len, found.split("\u034f"))) <= MOST_MARKS + 1
    assert stream_safe("漢字" * 100) == "漢字" * 100
    assert stream_safe("a" + "\u0301" * MOST_MARKS) == "a" + "\u0301" * MOST_MARKS
