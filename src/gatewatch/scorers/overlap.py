"""Scorers of what two texts have in common, as translation and summaries are measured: no model.

All are cheap signals of wording, not of meaning; each needs `expected`, and compares words or characters.
"""

import re
from collections import Counter
from typing import Any

from gatewatch.core.compose import composed
from gatewatch.core.score import Score
from gatewatch.scorers.base import Scorer, built_in

MOST_TOKENS = 2000
"""How many words of each text `rouge_l` compares: its time grows with the product of the lengths."""

MOST_CHARACTERS = 20_000
"""How many characters of each text the others compare."""

_WORD = re.compile(r"\w+")
_ARTICLE = frozenset({"a", "an", "the"})


def token_f1(*, name: str = "token_f1") -> Scorer:
    """Make a scorer of the words that output and expected text share: the harmonic mean of precision and recall, in
    0..1.

    Words are compared without case, punctuation and the English articles, each as often as it occurs. Two texts
    without a word are the same.

    Source: Rajpurkar et al., SQuAD, arXiv 1606.05250 (its F1, with words as runs of letters and digits).
    """

    def score(output: str, expected: str) -> float:
        given, wanted = (Counter(_words(text)) for text in (output, expected))
        shared = (given & wanted).total()
        total = given.total() + wanted.total()
        return 2 * shared / total if total else 1.0

    return built_in(name, score, version="token_f1 1")


def rouge_l(*, name: str = "rouge_l") -> Scorer:
    """Make a scorer of the longest sequence of words that output and expected text share, in order: ROUGE-L's F1, in
    0..1.

    Words are runs of letters and digits, without case; nothing is stemmed. Of longer texts the first 2,000 words of
    each are compared, and the label is "cut". Two texts without a word are the same.

    Source: Lin (2004), "ROUGE: a package for automatic evaluation of summaries" (sentence level, F with beta 1).
    """
    from rapidfuzz.distance import LCSseq

    def score(output: str, expected: str) -> float | Score:
        given, wanted = (_WORD.findall(_plain(text)) for text in (output, expected))
        cut = max(len(given), len(wanted)) > MOST_TOKENS
        given, wanted = given[:MOST_TOKENS], wanted[:MOST_TOKENS]
        total = len(given) + len(wanted)
        value = 2 * LCSseq.similarity(given, wanted) / total if total else 1.0
        return Score(value, "cut", f"only the first {MOST_TOKENS:,} words were compared") if cut else value

    return built_in(name, score, version="rouge_l 1")


def bleu(*, name: str = "bleu") -> Scorer:
    """Make a scorer of the runs of up to four words that the output shares with the expected text: sentence BLEU, in
    0..1.

    sacrebleu's, with its tokenizer 13a, exponential smoothing and the effective order, so that short sentences have a
    value. It was made for whole corpora: of single sentences it is rough, and the mean over cases is not corpus BLEU.
    It takes the extra `text`.

    Source: Papineni et al. (2002), "BLEU"; Post, arXiv 1804.08771 (sacreBLEU); Chen and Cherry (2014) for the
    smoothing.

    Raises:
        ValueError: when the extra is not installed.
    """
    metric = _sacrebleu("bleu")(effective_order=True, smooth_method="exp")

    def score(output: str, expected: str) -> float | Score:
        return _compared(metric, output, expected)

    return built_in(name, score, version="bleu 1")


def chrf(*, name: str = "chrf", words: int = 0) -> Scorer:
    """Make a scorer of the runs of up to six characters that output and expected text share: chrF2, in 0..1.

    Recall counts twice as much as precision. It is kinder than BLEU to languages with many word forms. It takes
    the extra `text`.

    Source: Popovic (2015), "chrF", and (2017), "chrF++"; sacrebleu's implementation.

    Args:
        name: the scorer's name.
        words: runs of up to so many words count, too: 2 makes it chrF++.

    Raises:
        ValueError: for words out of 0..4, or when the extra is not installed.
    """
    if not 0 <= words <= 4:
        raise ValueError(f"words must be in 0..4, got {words}")
    metric = _sacrebleu("chrf")(word_order=words)

    def score(output: str, expected: str) -> float | Score:
        return _compared(metric, output, expected)

    return built_in(name, score, version="chrf 1", parameters={"words": words})


def _sacrebleu(which: str) -> Any:
    """A measure's class of the optional library."""
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError:
        raise ValueError(f'the scorer {which} needs a library: pip install "gatewatch[text]"') from None
    return {"bleu": BLEU, "chrf": CHRF}[which]


def _compared(metric: Any, output: str, expected: str) -> float | Score:
    given, wanted = composed(output), composed(expected)
    found = metric.sentence_score(given[:MOST_CHARACTERS], [wanted[:MOST_CHARACTERS]])
    value = min(1.0, max(0.0, float(found.score) / 100))
    if max(len(given), len(wanted)) > MOST_CHARACTERS:
        return Score(value, "cut", f"only the first {MOST_CHARACTERS:,} characters were compared")
    return value


def _plain(text: str) -> str:
    return composed(text).casefold()


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(_plain(text)) if word not in _ARTICLE]
