from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.text import MOST_COMPARED, contains, exact, numeric, regex, similarity

LONG = 40_000


def score(scorer: Scorer, output: Any, expected: str | None = None) -> Score:
    return apply_inline(scorer, Trace(output=output), Case(input="?", expected=expected))


def passes(scorer: Scorer, output: Any, expected: str | None = None) -> bool:
    found = score(scorer, output, expected)
    assert found.status == "scored", found.explanation
    return found.value == 1.0


@pytest.mark.parametrize(
    ("options", "output", "expected", "right"),
    [
        ({}, "Paris", "Paris", True),
        ({}, " Paris\n", "Paris", True),
        ({}, "Paris.", "Paris", False),
        ({}, "paris", "Paris", False),
        ({}, "", "", True),
        ({}, "caf\u00e9", "cafe\u0301", True),
        ({}, "\uff11", "1", False),
        ({"strip": False}, " Paris", "Paris", False),
        ({"ignore_case": True}, "STRASSE", "stra\u00dfe", True),
        ({"ignore_case": True}, "\u0399\u0308\u0301", "\u0390", True),
        ({"after": "A:"}, "so 3. A: 4, or A: 5", "5", True),
        ({"after": "A:"}, "5", "5", True),
        ({"after": "A:"}, "5", "work A: 5", True),
        ({"after": "re\u0301sultat"}, "r\u00e9sultat 5", "5", True),
        ({"drop": ",$% "}, "$1,234 567%", "1234567", True),
        ({"drop": "\u00e9"}, "e\u0301a", "a", True),
        ({"after": "A:", "drop": ",$% "}, "Q: 1 A: $1,000", "1000", True),
    ],
)
def test_exact(options: dict[str, Any], output: str, expected: str, right: bool) -> None:
    assert passes(exact(**options), output, expected) is right


def test_an_output_that_is_not_text_is_compared_as_its_json() -> None:
    assert passes(exact(), {"b": [1, True], "a": None}, '{"a":null,"b":[1,true]}')
    assert passes(exact(), 5, "5")
    assert passes(contains(), {"city": "Paris"}, '"city":"paris"')
    assert passes(numeric(), {"total": 5}, "5")


@pytest.mark.parametrize("make", [exact, numeric])
def test_an_empty_marker_is_refused(make: Any) -> None:
    with pytest.raises(ValueError, match="after must not be empty"):
        make(after="")


@pytest.mark.parametrize("scorer", [exact(), contains(), numeric(), similarity()])
def test_without_anything_expected_a_case_is_skipped(scorer: Scorer) -> None:
    assert scorer.reference_based
    assert score(scorer, "Paris").status == "skipped"


def test_contains_the_expected_text() -> None:
    assert passes(contains(), "It is PARIS, of course", "paris")
    assert passes(contains(), "started", "ART")
    assert not passes(contains(ignore_case=False), "PARIS", "paris")
    assert not passes(contains(), "caf\u00e9", "cafe"), "a letter with an accent is another letter"
    assert passes(contains(), "caf\u00e9", "CAFE\u0301")


def test_every_output_contains_an_empty_text_so_that_it_says_nothing() -> None:
    assert score(contains(), "anything", "").status == "scorer_error"


def test_contains_lists_needs_no_reference_and_says_what_is_missing() -> None:
    scorer = contains(any_of=["refund", "return"], all_of=["30 days", "receipt"])
    assert not scorer.reference_based
    assert passes(scorer, "A Return takes 30 days and a receipt.")
    assert score(scorer, "refund in 30 days").explanation == "does not contain 'receipt'"
    assert score(scorer, "30 days, receipt").explanation == "contains none of 'refund', 'return'"
    assert score(scorer, "").label == "missing"


@pytest.mark.parametrize("texts", [[], [""], ["a", ""], "refund"])
def test_contains_refuses_lists_that_say_nothing(texts: Any) -> None:
    for option in ("any_of", "all_of"):
        with pytest.raises(ValueError, match=option):
            contains(**{option: texts})


def test_regex_matches_anywhere_or_the_whole() -> None:
    assert not regex("a").reference_based
    assert passes(regex(r"\d{3}-\d{4}"), "call 555-1234 now")
    assert not passes(regex(r"\d{3}-\d{4}", full=True), "call 555-1234 now")
    assert passes(regex("(?i)paris.*?$", full=True), "PARIS is it")
    assert passes(regex("caf\u00e9"), "un caf\u00e9")
    assert passes(regex(""), "")


def test_regex_reads_half_of_a_surrogate_pair_as_a_question_mark() -> None:
    assert passes(regex(r"a\?b", full=True), "a\ud800b")


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("(?=x)", "lookaround takes more than linear time"),
        ("(?<!x)y", "lookaround takes more than linear time"),
        (r"(a)\1", "no backreferences"),
        ("(?P=name)", "backreferences take more than linear time"),
        (r"x\Z", r"\\z for the end"),
        ("(", "a bracket is not closed"),
        ("a**", "one of"),
        ("a{1001}", "at most 1,000"),
    ],
)
def test_a_pattern_is_refused_when_the_scorer_is_made(
    pattern: str, hint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=hint):
        regex(pattern)
    assert capfd.readouterr() == ("", ""), "the engine has a log of its own"


@pytest.mark.parametrize(
    ("output", "number"),
    [
        ("so it is 1,234,567.89 USD.", "1234567.89"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("\u22125", "-5"),
        ("+5", "5"),
        ("2020-2021", "2021"),
        ("top-5", "5"),
        ("(a)-5", "5"),
        ("50%", "50"),
        ("0.50", "0.5"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1.5e-3", "0.0015"),
        ("1.5E3 m", "1500"),
        ("2 \u00d7 10^3", "2000"),
        (r"2 \times 10^{-3}", "0.002"),
        ("6x10\u00b2\u00b3", "6e23"),
        ("2*10**3", "2000"),
        ("1\u202f234", "1234"),
        ("1'234", "1234"),
        ("1_000", "1000"),
        ("1 234", "234"),
        ("3,5", "5"),
        ("1,2,3", "3"),
        ("1/2", "2"),
        ("1.2.3", "3"),
        ("\u0661\u0662", "12"),
        ("12:30", "30"),
        ("9007199254740993", "9007199254740993"),
    ],
)
def test_the_last_number_is_read(output: str, number: str) -> None:
    assert passes(numeric(), output, number)


def test_long_numbers_lose_nothing_to_rounding() -> None:
    assert not passes(numeric(), "9007199254740993", "9007199254740992")
    assert passes(numeric(), "9" * 5000, "9" * 5000)
    assert not passes(numeric(), "9" * 5000, "9" * 4999 + "8")
    assert not passes(numeric(), "1e999999", "-9e999999")


def test_tolerances() -> None:
    assert passes(numeric(tolerance=0.1), "1.1", "1")
    assert not passes(numeric(tolerance=0.1), "1.11", "1")
    assert passes(numeric(relative=0.01), "-101", "-100")
    assert not passes(numeric(relative=0.01), "101.1", "100")
    assert passes(numeric(tolerance=2, relative=0.01), "102", "100")


def test_a_decimal_comma() -> None:
    scorer = numeric(decimal=",")
    assert passes(scorer, "1.234,5 kg", "1234,5")
    assert passes(scorer, "3,5", "3,50")
    assert not passes(scorer, "2,5", "3,5")


def test_after_a_marker() -> None:
    assert passes(numeric(after="####"), "12 + 3 #### 15", "what? 7 #### 15")


def test_an_output_without_a_number_fails_and_says_so() -> None:
    found = score(numeric(), "a dozen", "12")
    assert (found.value, found.label) == (0.0, "no number")
    found = score(numeric(), "13", "12")
    assert (found.value, found.label) == (0.0, "other number")


@pytest.mark.parametrize("expected", ["a dozen", "12 of 20", "3,5", ""])
def test_an_expected_text_without_exactly_one_number_is_an_error(expected: str) -> None:
    assert score(numeric(), "12", expected).status == "scorer_error"


@pytest.mark.parametrize(
    "options",
    [{"tolerance": -1}, {"relative": float("nan")}, {"tolerance": float("inf")}, {"decimal": ";"}],
)
def test_numeric_refuses_options_that_mean_nothing(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        numeric(**options)


def test_similarity() -> None:
    assert score(similarity(), "abcd", "abcd").value == 1.0
    assert score(similarity(), "abc", "xyz").value == 0.0
    assert score(similarity(), "ab", "abcd").value == pytest.approx(2 * 2 / 6)
    assert score(similarity(), "", "").value == 1.0
    assert score(similarity(), "caf\u00e9", "cafe\u0301").value == 1.0
    assert score(similarity(kind="token_sort_ratio"), "new york mets", "mets new york").value == 1.0
    with pytest.raises(ValueError, match="kind must be"):
        similarity(kind="cosine")  # type: ignore[arg-type]


def test_similarity_says_when_it_compared_only_a_part() -> None:
    found = score(similarity(), "a" * MOST_COMPARED + "b", "a" * MOST_COMPARED)
    assert (found.value, found.label) == (1.0, "cut")
    assert score(similarity(), "a" * MOST_COMPARED, "a").label == ""


def test_options_are_part_of_the_fingerprint_and_of_nothing_else() -> None:
    assert exact().fingerprint == exact().fingerprint
    assert numeric(tolerance=1).fingerprint == numeric(tolerance=1.0).fingerprint
    assert contains(any_of=["a"]).fingerprint == contains(any_of=("a",)).fingerprint
    made = [
        exact(),
        exact(strip=False),
        exact(after="A:"),
        contains(),
        contains(any_of=["a"]),
        contains(all_of=["a"]),
        regex("a"),
        regex("b"),
        regex("a", full=True),
        numeric(),
        numeric(relative=1),
        similarity(),
        similarity(kind="token_sort_ratio"),
    ]
    assert len({scorer.fingerprint for scorer in made}) == len(made)
    assert all(scorer.inline for scorer in made)
    assert exact(name="x").identity.parts["version"] == "exact 1"


@pytest.mark.parametrize(
    "text",
    [
        "1" * LONG,
        "1," * (LONG // 2),
        "1,111" * (LONG // 5),
        "1 \u00d7 10^" * (LONG // 7),
        "-" * LONG,
        "1e" * (LONG // 2),
    ],
)
def test_adversarial_text_is_read_to_its_end(text: str) -> None:
    assert passes(numeric(), text + " = 5", "5")
    assert passes(numeric(decimal=","), text + " = 5", "5")
    assert not passes(regex("(a+)+$"), "a" * LONG + "!")
