"""Scorers of text: what was answered against what was expected, without a model.

Both sides are brought into Unicode's normal form C. An output that is not text is compared as its JSON. All of them
take time in proportion to the text, but for `similarity`, which is bounded.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Literal

from gatewatch.core.score import Score
from gatewatch.scorers.base import Scorer, built_in

_SIMILARITY_LIMIT = 20_000
_NUMBER = re.compile(r"[+\-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+\-\u2212]?\d+)?|[+\-\u2212]?\.\d+")


def _nfc(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _after(text: str, marker: str | None) -> str:
    """The text after the last occurrence of a marker; the whole text when there is none."""
    return text if marker is None else text.rpartition(marker)[2]


def exact(
    *, name: str = "exact", ignore_case: bool = False, strip: bool = True, after: str | None = None, drop: str = ""
) -> Scorer:
    """Score 1 when the output is what was expected, else 0.

    Ambiguous cases: white space around either side does not count unless `strip` is false; an empty output equals an
    empty expectation; with `after`, an output without the marker is compared whole.

    Args:
        name: the scorer's name.
        ignore_case: compare case-folded.
        strip: leave white space at both ends out.
        after: compare only what stands after the last occurrence of this marker, on both sides.
        drop: characters that are taken out of both sides, such as ",$% ".
    """
    dropped = str.maketrans("", "", drop)

    def bare(text: str) -> str:
        text = _after(_nfc(text), after)
        if drop:
            text = text.translate(dropped)
        if ignore_case:
            text = text.casefold()
        return text.strip() if strip else text

    def score(output: str, expected: str) -> bool:
        return output == expected or bare(output) == bare(expected)

    options = {"ignore_case": ignore_case, "strip": strip, "after": after, "drop": drop}
    return built_in(name, score, version="exact 1", parameters=options, binary=True)


def contains(
    *,
    name: str = "contains",
    ignore_case: bool = True,
    any_of: Sequence[str] | None = None,
    all_of: Sequence[str] | None = None,
) -> Scorer:
    """Score 1 when the output contains what was expected, else 0.

    With `any_of` or `all_of` it looks for these texts in the place of the expected one, and needs no reference; with
    both, each must hold. Ambiguous cases: it finds a text inside of words too ("is" in "this"); an empty expected
    text is contained in everything.

    Args:
        name: the scorer's name.
        ignore_case: compare case-folded.
        any_of: texts of which one must be there.
        all_of: texts that must all be there.

    Raises:
        ValueError: for an empty list.
    """
    for given in (any_of, all_of):
        if given is not None and (isinstance(given, str) or not given or "" in given):
            raise ValueError("any_of and all_of are lists of texts that are not empty")

    def form(text: str) -> str:
        return _nfc(text).casefold() if ignore_case else _nfc(text)

    options = {"ignore_case": ignore_case, "any_of": any_of, "all_of": all_of}
    score: Callable[..., bool | Score]
    if any_of is None and all_of is None:

        def score(output: str, expected: str) -> bool:
            return form(expected.strip()) in form(output)

    else:
        alternatives = [form(text) for text in any_of or ()]
        needed = [(text, form(text)) for text in all_of or ()]

        def score(output: str) -> bool | Score:
            said = form(output)
            missing = [text for text, folded in needed if folded not in said]
            if missing:
                return Score(0.0, explanation=f"does not contain {missing[0]!r}")
            return not alternatives or any(text in said for text in alternatives)

    return built_in(name, score, version="contains 1", parameters=options, binary=True)


def regex(pattern: str, *, name: str = "regex", full: bool = False) -> Scorer:
    """Score 1 when a regular expression is found in the output, else 0.

    The engine (RE2) takes time in proportion to the text whatever the pattern. It has no look-around and no references
    back.

    Args:
        pattern: the expression, in RE2's syntax.
        name: the scorer's name.
        full: whether it must match the whole output.

    Raises:
        ValueError: for a pattern that is wrong, or that RE2 has not.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        hint = "; look-around and references back are not there" if "(?" in pattern or "\\" in pattern else ""
        raise ValueError(f"the pattern {pattern!r} cannot be used: {said}{hint}") from None

    def score(output: str) -> bool:
        text = output.encode("utf-8", "replace").decode()
        return (compiled.fullmatch(text) if full else compiled.search(text)) is not None

    return built_in(name, score, version="regex 1", parameters={"pattern": pattern, "full": full}, binary=True)


def numeric(
    *, name: str = "numeric", tolerance: float = 0.0, relative: float = 0.0, after: str | None = None
) -> Scorer:
    """Score 1 when the last number in the output is the last number of what was expected, else 0.

    Commas between groups of three digits, a sign (also U+2212) and an exponent are read; a currency sign or a per
    cent sign beside a number is left out. Ambiguous cases: "1,5" is two numbers, so that 5 counts; "50 %" is 50, not
    0.5; a hyphen before a digit is a sign. An output without a number scores 0; nothing is said where the expected
    text has none.

    Args:
        name: the scorer's name.
        tolerance: the absolute difference that is let pass.
        relative: the difference that is let pass, as a share of the expected number.
        after: look only at what stands after the last occurrence of this marker, in the output.
    """

    def last(text: str) -> float | None:
        found = None
        for found in _NUMBER.finditer(text):  # noqa: B007 - the last one is wanted
            pass
        return None if found is None else float(found[0].replace(",", "").replace("\u2212", "-"))

    def score(output: str, expected: str) -> bool | Score | None:
        wanted = last(expected)
        if wanted is None:
            return None
        got = last(_after(output, after))
        if got is None:
            return Score(0.0, explanation="no number in the output")
        if abs(got - wanted) <= max(tolerance, relative * abs(wanted)):
            return True
        return Score(0.0, explanation=f"{got:g} is not {wanted:g}")

    options = {"tolerance": tolerance, "relative": relative, "after": after}
    return built_in(name, score, version="numeric 1", parameters=options, binary=True)


def similarity(*, name: str = "similarity", kind: Literal["ratio", "tokens"] = "ratio") -> Scorer:
    """Score how alike the output and what was expected are, in 0..1.

    `ratio` is the normalised indel similarity of the characters: 1 - distance / (both lengths), where the distance
    counts insertions and deletions; `tokens` is the same over the sorted words. Two empty texts are alike (1). Of
    texts longer than 20,000 characters the beginnings are compared, and the score says so with the label "cut".

    Args:
        name: the scorer's name.
        kind: "ratio" or "tokens".

    Raises:
        ValueError: for another kind.
    """
    if kind not in ("ratio", "tokens"):
        raise ValueError(f'kind must be "ratio" or "tokens", got {kind!r}')

    def score(output: str, expected: str) -> Any:
        from rapidfuzz import fuzz

        one, other = _nfc(output).strip(), _nfc(expected).strip()
        cut = max(len(one), len(other)) > _SIMILARITY_LIMIT
        one, other = one[:_SIMILARITY_LIMIT], other[:_SIMILARITY_LIMIT]
        value = (fuzz.ratio if kind == "ratio" else fuzz.token_sort_ratio)(one, other) / 100
        return Score(value, label="cut") if cut else value

    return built_in(name, score, version="similarity 1", parameters={"kind": kind})
