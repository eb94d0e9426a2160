"""Scorers of retrieval: rankings against labelled relevance, and how much of an answer its passages hold."""

import re
from collections.abc import Callable, Sequence
from math import log2
from typing import Any

from msgspec.structs import replace

from gatewatch.core.case import Case, Expected
from gatewatch.core.codec import text_of
from gatewatch.core.compose import composed
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.base import MISSING, Scorer, built_in, getters_named

Measure = Callable[[Sequence[bool], int], float]
"""From which of the ranking's places are relevant, and how many documents are relevant in all, to a value in 0..1."""


def precision_at_k(*, name: str = "precision_at_k", k: int = 10) -> Scorer:
    """Make a scorer of the share of the first k places that hold a relevant document.

    The divisor is k, also where fewer were retrieved, as trec_eval has it.

    What was retrieved, for this scorer and the others here, are the documents of the trace's steps of kind "retrieval",
    in order (of several steps, one after the other), else those of its context. A document is known by its `id`; text
    without one is its own id, and so is an id that stands alone. One that is there twice counts at its first place.
    What is relevant is the case's `expected.relevant`: cases that state none are skipped. Nothing retrieved is 0.

    Args:
        name: the scorer's name.
        k: how many places are looked at.

    Raises:
        ValueError: for a k below 1.
    """
    return _ranked(name, "precision_at_k", k, lambda found, _: sum(found[:k]) / k)


def recall_at_k(*, name: str = "recall_at_k", k: int = 10) -> Scorer:
    """Make a scorer of the share of the relevant documents that stand in the first k places.

    What was retrieved, and what is relevant: see `precision_at_k`.

    Args:
        name: the scorer's name.
        k: how many places are looked at.

    Raises:
        ValueError: for a k below 1.
    """
    return _ranked(name, "recall_at_k", k, lambda found, relevant: sum(found[:k]) / relevant)


def mrr(*, name: str = "mrr", k: int = 1000) -> Scorer:
    """Make a scorer of 1 over the place of the first relevant document, 0 when there is none in the first k places.

    Its mean over cases is the mean reciprocal rank. What was retrieved, and what is relevant: see `precision_at_k`.

    Args:
        name: the scorer's name.
        k: how many places are looked at.

    Raises:
        ValueError: for a k below 1.
    """
    return _ranked(name, "mrr", k, lambda found, _: 1 / (found.index(True) + 1) if True in found[:k] else 0.0)


def ndcg(*, name: str = "ndcg", k: int = 10) -> Scorer:
    """Make a scorer of the normalised discounted cumulative gain of the first k places.

    Each relevant document gains 1 / log2(place + 1); the sum is divided by what the best ranking would gain.
    Relevance is yes or no. What was retrieved, and what is relevant: see `precision_at_k`.

    Source: Jarvelin and Kekalainen (2002), "Cumulated gain-based evaluation of IR techniques".

    Args:
        name: the scorer's name.
        k: how many places are looked at.

    Raises:
        ValueError: for a k below 1.
    """

    def measure(found: Sequence[bool], relevant: int) -> float:
        gain = sum(1 / log2(place + 1) for place, good in enumerate(found[:k], 1) if good)
        return gain / sum(1 / log2(place + 1) for place in range(1, min(relevant, k) + 1))

    return _ranked(name, "ndcg", k, measure)


def _ranked(name: str, kind: str, k: int, measure: Measure) -> Scorer:
    if k < 1:
        raise ValueError(f"k must be 1 or more, got {k}")

    def score(trace: Trace, expected: Sequence[str]) -> Score:
        relevant = set(expected)
        found = [document in relevant for document in retrieved(trace)]
        label = f"{sum(found[:k])} of {len(relevant)} in {min(k, len(found))}"
        return Score(min(1.0, measure(found, len(relevant))), label if found else "nothing retrieved")

    scorer = built_in(name, score, version=f"{kind} 1", parameters={"k": k})
    return replace(scorer, getters=(*getters_named(("trace",)), ("expected", _relevant)))


def _relevant(_trace: Trace, case: Case | None) -> Any:
    expected = None if case is None else case.expected
    relevant = expected.relevant if isinstance(expected, Expected) else None
    return relevant or MISSING


def retrieved(trace: Trace) -> list[str]:
    """The ids of the documents that a trace tells of having retrieved, best first, each once."""
    steps = [span.output for span in trace.spans if span.kind == "retrieval"]
    documents = [each for step in steps for each in _documents(step)] if steps else _documents(trace.context)
    return list(dict.fromkeys(map(_id, documents)))


def _documents(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        for key in ("documents", "results", "hits", "passages", "matches"):
            if isinstance(value.get(key), list | tuple):
                return list(value[key])
        return [value]
    if isinstance(value, list | tuple):
        return list(value)
    return [] if value is None else [value]


def _id(document: Any) -> str:
    if isinstance(document, dict):
        for key in ("id", "document_id", "doc_id", "source_id"):
            if key in document:
                return text_of(document[key])
    return text_of(document)


# Grounding

_TOKEN = re.compile(r"\w+(?:[.,]\d+)*")
_STOP_WORDS = """
a an the and or but if of in on at to for from by with as is are was were be been being it its this that these
those he she they we you i his her their our your which who whom what when where while than then so such not
no nor do does did has have had will would can could may might shall should also there here into about after
before between during over
"""
_STOP = frozenset(_STOP_WORDS.split())
_HEAVY = 2.0
_LETTERS = 5
_NOTE = "a heuristic of words, not calibrated on this dataset: `gatewatch calibrate` says whether it can be used here"


def lexical_grounding(*, name: str = "lexical_grounding") -> Scorer:
    """Make a cheap signal of whether an answer stands on its context: the share of its words that the context holds.

    It is a heuristic, as its name says: no reading, only words. Names and numbers count twice, and words that every
    sentence has do not count; of a word the first five letters count, so that its ending does not. An answer that
    contradicts its passages with their own words gets a high value, and a true paraphrase a low one. On one recorded
    set it tells supported answers from others, on another it is at chance (the reference has both figures): hold it
    against labels (`gatewatch calibrate`) before relying on it. An answer without a word that counts is skipped. For
    claims judged one by one there is `faithfulness`.

    Source: the share of unsupported n-grams, n = 1, of Grusky et al., Newsroom, arXiv 1804.11283 ("coverage").

    Args:
        name: the scorer's name.
    """

    def score(output: str, context: Any) -> Score:
        known = {_stem(token) for token in _TOKEN.findall(_folded(_all_text(context)))}
        total = held = 0.0
        missing: list[str] = []
        for token in _TOKEN.findall(composed(output, "NFKC")):
            plain = token.casefold()
            if plain in _STOP:
                continue
            weight = _HEAVY if token[0].isupper() or any(map(str.isdigit, token)) else 1.0
            total += weight
            if _stem(plain) in known:
                held += weight
            elif len(missing) < 5 and token not in missing:
                missing.append(token)
        if not total:
            return Score(status="skipped", explanation="the output has no word that counts")
        without = f"; not in the context: {', '.join(missing)}" if missing else ""
        return Score(held / total, "heuristic", _NOTE + without)

    return built_in(name, score, version="lexical_grounding 1")


def _folded(text: str) -> str:
    return composed(text, "NFKC").casefold()


def _stem(token: str) -> str:
    """What of a word counts: its first letters, so that its endings do not; of a number all."""
    return token[:_LETTERS] if token.isalpha() else token


def _all_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "\n".join(map(_all_text, value.values()))
    if isinstance(value, list | tuple):
        return "\n".join(map(_all_text, value))
    return text_of(value)
