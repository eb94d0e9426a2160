"""Scorers of text that need no model: equality, containment, patterns, numbers, likeness."""

from collections.abc import Callable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from math import inf
from re import Pattern
from re import compile as compile_pattern
from typing import Any, Literal

from gatewatch.core.compose import composed
from gatewatch.core.score import Score
from gatewatch.scorers.base import Scorer, built_in

MOST_COMPARED = 10_000
"""How many characters `similarity` compares: its time grows with the product of the lengths."""

_SHOWN = 80


def exact(
    *,
    name: str = "exact",
    ignore_case: bool = False,
    strip: bool = True,
    after: str | None = None,
    drop: str = "",
) -> Scorer:
    """Make a scorer that gives 1 when the output is the expected text, else 0.

    Both sides are made alike in this order: Unicode's composed form (NFC); only what follows the last `after`; without
    the characters in `drop`; without white space at both ends; without case. An output that is not text is compared
    as its JSON, keys sorted. Where `after` does not occur the whole text counts. Full-width and other compatibility
    characters stay different from their plain forms.

    Args:
        name: the scorer's name.
        ignore_case: whether case counts for nothing (Unicode's canonical caseless match, D145).
        strip: whether white space at both ends counts for nothing.
        after: a marker such as "A:"; only the text after its last occurrence is compared.
        drop: characters that count for nothing wherever they stand, such as ",$% ".

    Raises:
        ValueError: for an empty marker.
    """
    marker = _marker(after)
    dropped = dict.fromkeys(map(ord, composed(drop)))

    def tidy(text: str) -> str:
        text = _after(composed(text), marker)
        if dropped:
            text = text.translate(dropped)
        if strip:
            text = text.strip()
        return _caseless(text) if ignore_case else text

    def score(output: str, expected: str) -> bool:
        return output == expected or tidy(output) == tidy(expected)

    options = {"ignore_case": ignore_case, "strip": strip, "after": after, "drop": drop}
    return built_in(name, score, version="exact 1", parameters=options, binary=True)


def contains(
    *,
    name: str = "contains",
    ignore_case: bool = True,
    any_of: Sequence[str] | None = None,
    all_of: Sequence[str] | None = None,
) -> Scorer:
    """Make a scorer that gives 1 when the output contains a text, else 0.

    Without lists the text is the one expected, and an empty one is an error of the scorer, since every output contains
    it. With lists no reference is needed: one of `any_of` and every one of `all_of` must occur. Texts are
    compared in composed form (NFC) and occur anywhere, inside words too: "art" is in "start".

    Args:
        name: the scorer's name.
        ignore_case: whether case counts for nothing.
        any_of: texts of which one must occur.
        all_of: texts of which each must occur.

    Raises:
        ValueError: for an empty list, or an empty text in one.
    """
    tidy: Callable[[str], str] = _caseless if ignore_case else composed
    options = {"ignore_case": ignore_case, "any_of": any_of, "all_of": all_of}

    def score(output: str, expected: str) -> bool | Score:
        if not expected:
            return _unknown("the expected text is empty, and every output contains that")
        return tidy(expected) in tidy(output)

    if any_of is None and all_of is None:
        return built_in(name, score, version="contains 1", parameters=options, binary=True)
    some = [(each, tidy(each)) for each in _wanted("any_of", any_of)]
    every = [(each, tidy(each)) for each in _wanted("all_of", all_of)]

    def score_lists(output: str) -> bool | Score:
        found = tidy(output)
        missing = [each for each, text in every if text not in found]
        if missing:
            return Score(0.0, "missing", f"does not contain {', '.join(map(_shown, missing))}")
        if some and not any(text in found for _, text in some):
            return Score(0.0, "missing", f"contains none of {', '.join(_shown(each) for each, _ in some)}")
        return True

    return built_in(name, score_lists, version="contains 1", parameters=options, binary=True)


def regex(pattern: str, *, name: str = "regex", full: bool = False) -> Scorer:
    r"""Make a scorer that gives 1 when a pattern matches the output, else 0.

    The engine is RE2, whose time is linear in the output's length whatever the pattern. Its syntax is Python's with
    these differences: no lookaround, no backreferences, no possessive quantifiers; `\z` for `\Z`; `\d`, `\w` and `\b`
    know ASCII only; at most 1,000 repetitions. Flags stand in the pattern: `(?i)`, `(?s)`, `(?m)`. Half of
    a surrogate pair in the output is read as `?`.

    Args:
        pattern: the pattern.
        name: the scorer's name.
        full: whether the pattern must match the whole output; by default it may match anywhere in it.

    Raises:
        ValueError: for a pattern that RE2 does not take.
    """
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(_refused(pattern, error)) from None
    match: Callable[[str], Any] = compiled.fullmatch if full else compiled.search

    def score(output: str) -> bool:
        try:
            return match(output) is not None
        except UnicodeEncodeError:
            return match(output.encode(errors="replace").decode()) is not None

    return built_in(name, score, version="regex 1", parameters={"pattern": pattern, "full": full}, binary=True)


_HINTS = (
    ("perl operator: (?=", "lookaround takes more than linear time: match what you want instead"),
    ("perl operator: (?!", "lookaround takes more than linear time: match what you want instead"),
    ("perl operator: (?<", "lookaround takes more than linear time: match what you want instead"),
    ("perl operator: (?P", "backreferences take more than linear time; a group is named by (?P<name>...)"),
    ("escape sequence: \\Z", "RE2 writes \\z for the end of the text"),
    ("escape sequence: \\", "to RE2, this is no escape; it has no backreferences either"),
    ("repetition size", "at most 1,000 repetitions"),
    ("repetition operator", "one of *, + and ? at a time; possessive quantifiers are not needed here"),
    ("missing", "a bracket is not closed; to match one, write \\ before it"),
)


def _refused(pattern: str, error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    what = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    hint = next((hint for fragment, hint in _HINTS if fragment in what), "see RE2's syntax")
    return f"the pattern {_shown(pattern)} is refused: {what} ({hint})"


def numeric(
    *,
    name: str = "numeric",
    tolerance: float = 0.0,
    relative: float = 0.0,
    after: str | None = None,
    decimal: Literal[".", ","] = ".",
) -> Scorer:
    r"""Make a scorer that gives 1 when the last number in the output is the one expected, else 0.

    Numbers are compared as decimals, digit by digit: 1.10 is 1.1, and long ones lose nothing to rounding. They are
    equal when they differ by no more than the larger of `tolerance` and `relative` times the expected number's size.

    What a number is: digits, or digits in groups of three set off by commas, apostrophes, `_` or narrow spaces; then a
    decimal point and digits; then an exponent (`e-3`, `× 10^3`, `\times 10^{3}`, `x10³`). A sign counts when it touches
    the number and follows neither a letter, a digit, a closing bracket nor `%`: "-$5" and "−5" are -5, the last number
    of "2020-2021" is 2021. Currency signs, units and `%` count for nothing: "50%" is 50, "10k" is 10. A fraction is two
    numbers. With `decimal` "." the text "3,5" is two numbers; with "," it is one, and points set off thousands.

    No number in the output gives 0, with the label "no number". An expected text that does not hold exactly one number
    is a flaw of the dataset, and gives an error of the scorer.

    Args:
        name: the scorer's name.
        tolerance: by how much the numbers may differ.
        relative: by what part of the expected number they may differ: 0.01 is one in a hundred.
        after: a marker; only the text after its last occurrence is read, or all of it where there is none.
        decimal: the decimal sign.

    Raises:
        ValueError: for a tolerance that is negative or not finite, an empty marker, or another decimal sign.
    """
    for what, value in (("tolerance", tolerance), ("relative", relative)):
        if not 0 <= value < inf:
            raise ValueError(f"{what} must be 0 or more, and finite, got {value!r}")
    if decimal not in _NUMBERS:
        raise ValueError(f'decimal must be "." or ",", got {decimal!r}')
    marker, pattern = _marker(after), _NUMBERS[decimal]
    absolute, share = Decimal(repr(tolerance)), Decimal(repr(relative))

    def score(output: str, expected: str) -> bool | Score:
        wanted = [match.groups() for match in pattern.finditer(_after(expected, marker))]
        if len(wanted) != 1:
            return _unknown(f"the expected text {_shown(expected)} holds {len(wanted)} numbers, not one")
        last = None
        for last in pattern.finditer(_after(output, marker)):  # noqa: B007 - the last one is what we are after
            pass
        if last is None:
            return Score(0.0, "no number", "the output has no number")
        right, given = _decimal(wanted[0], decimal), _decimal(last.groups(), decimal)
        room = max(absolute, _CONTEXT.multiply(share, _CONTEXT.abs(right)))
        if given == right or _CONTEXT.abs(_CONTEXT.subtract(given, right)) <= room:
            return True
        return Score(0.0, "other number", f"the last number is {_shown(last[0])}, expected {_shown(expected)}")

    options = {"tolerance": float(tolerance), "relative": float(relative), "after": after, "decimal": decimal}
    return built_in(name, score, version="numeric 1", parameters=options, binary=True)


def _number_pattern(group: str, point: str) -> Pattern[str]:
    times_ten = (
        r"[ \u00a0]?(?:[×x*·⋅]|\\times|\\cdot)[ \u00a0]?10(?:(?:\^|\*\*)\{?([+\-−]?\d{1,6})\}?|([⁺⁻]?[⁰¹²³⁴-⁹]{1,6}))"
    )
    return compile_pattern(
        r"(?:(?<![\w)\]%])([+\-−])[$€£¥₹₩]?(?=[\d.,]))?"
        rf"((?:\d{{1,3}}(?:[{group}'’_\u00a0\u2009\u202f]\d{{3}})+(?!\d)|\d+)(?:{point}\d+)?|(?<!\d){point}\d+)"
        rf"(?:[eE]([+\-−]?\d{{1,6}})(?!\d))?(?:{times_ten})?"
    )


_NUMBERS = {".": _number_pattern(",", r"\."), ",": _number_pattern(r"\.", ",")}
_CONTEXT = Context(prec=50, Emax=MAX_EMAX, Emin=MIN_EMIN)
_PLAIN = str.maketrans("−⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-+-0123456789")


def _decimal(parts: tuple[str | None, ...], point: str) -> Decimal:
    sign, digits, exponent, power, superscript = (part or "" for part in parts)
    whole, _, fraction = digits.partition(point)
    whole = "".join(filter(str.isdigit, whole))
    powers = sum(int(each.translate(_PLAIN)) for each in (exponent, power, superscript) if each)
    return Decimal(f"{sign.translate(_PLAIN)}{whole or 0}.{fraction or 0}E{powers}")


Likeness = Literal["ratio", "levenshtein", "token_sort_ratio", "token_set_ratio"]


def similarity(*, name: str = "similarity", kind: Likeness = "ratio") -> Scorer:
    """Make a scorer of how alike the output and the expected text are, from 0 (nothing in common) to 1 (the same).

    The ratio is 1 - d / (m + n), with d the number of insertions and deletions that turn one text into the other and m
    and n their lengths (rapidfuzz's normalised Indel similarity). Texts are compared in composed form (NFC), case
    counts, and it does not matter which is which. Of longer texts only the first 10,000 characters of each are
    compared, since the time grows with the product of the lengths; the score's label then says "cut".

    Args:
        name: the scorer's name.
        kind: "ratio" compares the texts as they stand; "levenshtein" does, too, and counts a replaced character as one
            edit: 1 - d / max(m, n); "token_sort_ratio" compares their words, sorted; "token_set_ratio" their words,
            each once, and is 1 where one text has all words of the other.

    Raises:
        ValueError: for another kind.
    """
    from rapidfuzz import fuzz
    from rapidfuzz.distance import Levenshtein

    kinds: dict[str, tuple[Callable[[str, str], float], int]] = {
        "ratio": (fuzz.ratio, 100),
        "levenshtein": (Levenshtein.normalized_similarity, 1),
        "token_sort_ratio": (fuzz.token_sort_ratio, 100),
        "token_set_ratio": (fuzz.token_set_ratio, 100),
    }
    if kind not in kinds:
        raise ValueError(f"kind must be one of {', '.join(kinds)}, got {kind!r}")
    ratio, most = kinds[kind]

    def score(output: str, expected: str) -> float | Score:
        one, other = composed(output), composed(expected)
        value = ratio(one[:MOST_COMPARED], other[:MOST_COMPARED]) / most
        if max(len(one), len(other)) > MOST_COMPARED:
            return Score(value, "cut", f"only the first {MOST_COMPARED:,} characters were compared")
        return value

    return built_in(name, score, version="similarity 1", parameters={"kind": kind})


def _caseless(text: str) -> str:
    if text.isascii():
        return text.lower()
    return composed(composed(text, "NFD").casefold())


def _marker(after: str | None) -> str | None:
    if after == "":
        raise ValueError("after must not be empty: leave it out to compare all of the text")
    return None if after is None else composed(after)


def _after(text: str, marker: str | None) -> str:
    return text if marker is None else text.rpartition(marker)[2]


def _wanted(what: str, texts: Sequence[str] | None) -> list[str]:
    if texts is None:
        return []
    if isinstance(texts, str):
        raise ValueError(f"{what} must be a list of texts, got the text {_shown(texts)}")
    wanted = list(texts)
    if not wanted or "" in wanted:
        raise ValueError(f"{what} must name at least one text, and none that is empty")
    return wanted


def _unknown(why: str) -> Score:
    return Score(status="scorer_error", explanation=why)


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
