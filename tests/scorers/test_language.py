from collections import Counter, defaultdict

import pytest

from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.language import SUPPORTED, language, language_of
from shared import rows

NAMED = ["en", "de", "fr", "es", "it", "pt", "nl", "sv", "pl", "ru", "zh", "ja", "ko", "ar"]


def test_the_named_languages_are_found_and_unknown_ones_are_not_guessed() -> None:
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in rows("guard_langid", "sentences.jsonl.gz"):
        found[row["language"]][language_of(row["text"])] += 1
    for code in NAMED:
        assert found[code][code] / found[code].total() >= 0.9, code
    others = [counts for code, counts in found.items() if code not in SUPPORTED | {"nb", "nn"}]
    guessed = sum(count for counts in others for code, count in counts.items() if code != "unknown")
    assert guessed / sum(counts.total() for counts in others) < 0.15


@pytest.mark.parametrize("text", ["", "   \n ", "ok", "12345 67890 12345", "\ud800" * 20, "\x00" * 50])
def test_what_says_too_little_is_unknown(text: str) -> None:
    assert language_of(text) == "unknown"


def test_lines_do_not_matter() -> None:
    assert language_of("Das ist ein Satz,\nund das ist\r\nnoch ein Satz.") == "de"


def test_the_answer_is_in_the_language_of_the_question() -> None:
    scorer = language()
    asked = "Wie lange dauert eine Rückerstattung?"
    same = apply_inline(scorer, Trace(input=asked, output="Sie dauert bis zu fünf Werktage."))
    other = apply_inline(scorer, Trace(input=asked, output="It takes up to five working days."))
    assert (same.value, same.label) == (1.0, "de")
    assert (other.value, other.label, other.explanation) == (0.0, "en", "expected de")
    talk = {"messages": [{"role": "system", "content": "Be brief, please."}, {"role": "user", "content": asked}]}
    assert apply_inline(scorer, Trace(input=talk, output="Sie dauert bis zu fünf Werktage.")).value == 1.0


def test_a_set_of_languages() -> None:
    scorer = language(expected=["en", "fr"])
    assert apply_inline(scorer, Trace(output="Cela prend environ cinq jours ouvrés.")).value == 1.0
    assert apply_inline(scorer, Trace(output="Das dauert etwa fünf Werktage.")).value == 0.0
    unknown = apply_inline(scorer, Trace(output="ok"))
    assert (unknown.value, unknown.status, unknown.label) == (None, "skipped", "unknown")


def test_what_cannot_be_expected() -> None:
    with pytest.raises(ValueError, match="got zu"):
        language(expected=["en", "zu"])
    with pytest.raises(ValueError, match="got the text 'en'"):
        language(expected="en")
    with pytest.raises(ValueError, match=r"confidence must be in 0\.\.1, got 2"):
        language(confidence=2)
