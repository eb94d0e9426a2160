from typing import Any

import pytest

from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.syntax import parses, well_formed


def value(scorer: Any, output: Any) -> float | None:
    return apply_inline(scorer, Trace(output=output)).value


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("date", "2024-02-29", "2023-02-29"),
        ("date-time", "2026-11-26T08:00:00Z", "2026-11-26 8 o'clock"),
        ("email", " mia@example.com\n", "mia at example.com"),
        ("uuid", "8d3c1f2e-1111-4111-8111-123456789abc", "8d3c1f2e"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "2001:db8::1", "2001:db8:::1"),
        ("uri", "https://example.com/a?b=c", "example"),
        ("duration", "P3DT4H", "3 days"),
        ("hostname", "db.example.com", "-db"),
        ("regex", "a+b", "a(b"),
    ],
)
def test_forms(kind: Any, right: str, wrong: str) -> None:
    assert value(well_formed(kind), right) == 1.0
    score = apply_inline(well_formed(kind), Trace(output=wrong))
    assert (score.value, score.label) == (0.0, f"no {kind}")


def test_a_form_that_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"kind must be one of date, .*, got 'colour'"):
        well_formed("colour")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("language", "right", "wrong"),
    [
        ("python", "def f(x):\n    return x", "def f(x)\n    return x"),
        ("xml", '<?xml version="1.0"?><a><b c="1"/></a>', "<a><b></a>"),
        ("toml", "[a]\nb = 1", "[a\nb = 1"),
        ("sql", "SELECT a, count(*) FROM b WHERE c > 1 GROUP BY a", "SELECT FROM WHERE"),
    ],
)
def test_code(language: Any, right: str, wrong: str) -> None:
    assert value(parses(language), right) == 1.0
    assert value(parses(language), f"```{language}\n{right}\n```") == 1.0
    assert value(parses(language, fence=False), f"```{language}\n{right}\n```") == 0.0
    score = apply_inline(parses(language), Trace(output=wrong))
    assert (score.value, score.label) == (0.0, "does not parse")
    assert score.explanation
    assert apply_inline(parses(language), Trace(output="  ")).label == "empty"


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]><a>&c;</a>'


@pytest.mark.parametrize(
    ("language", "output"),
    [
        ("python", "(" * 50_000),
        ("python", "-" * 90_000 + "1"),
        ("python", "a" + ".b" * 40_000),
        ("python", "\x00"),
        ("python", "x = '\ud800'"),
        ("xml", "<a>" * 30_000),
        ("xml", BOMB),
        ("xml", '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x"><a/>'),
        ("xml", "\ud800"),
        ("toml", "a." * 30_000),
        ("sql", "(" * 3_900),
        ("sql", "SELECT '" + "x" * 3_000),
    ],
)
def test_hostile_code_is_a_0_or_unknown(language: Any, output: str) -> None:
    assert apply_inline(parses(language), Trace(output=output)).value in (0.0, None)


def test_code_that_is_too_long_is_unknown() -> None:
    score = apply_inline(parses("sql"), Trace(output="SELECT " + "a, " * 3000 + "b"))
    assert (score.value, score.status) == (None, "scorer_error")
    assert score.explanation == "9,008 characters are more than the 4,000 parsed"


@pytest.mark.parametrize(
    "key",
    ["a." * 20_000 + "a", '"a" . ' * 10_000 + "a", "'a b'." * 51 + "a", "a" + ".b-c" * 50, "[" + "a." * 50 + "a]"],
)
def test_toml_with_a_key_of_many_parts_is_unknown(key: str) -> None:
    output = f"# one\n{key}" if key.startswith("[") else f"b = 1\n{key} = 1"
    score = apply_inline(parses("toml"), Trace(output=output))
    assert (score.value, score.status) == (None, "scorer_error")
    assert score.explanation == "a key of more than 50 dotted parts would take too long to parse"


def test_toml_with_many_dots_elsewhere_parses() -> None:
    assert value(parses("toml"), "a" + ".b" * 49 + " = 1") == 1.0
    assert value(parses("toml"), f"a = [{'1.5, ' * 1_000}]\n# {'. ' * 1_000}\nb = '{'...' * 1_000}'") == 1.0


@pytest.mark.parametrize("word", ["DECIMAL(", "VARCHAR(", "TIMESTAMP(", "STRUCT(", "DATE ((", "DECIMAL[", "IF[", "IF{"])
def test_sql_that_would_be_guessed_at_for_seconds_is_unknown(word: str) -> None:
    closed = "".join({"(": ")", "[": "]", "{": "}"}.get(sign, "") for sign in word)
    score = apply_inline(parses("sql"), Trace(output="SELECT " + word * 18 + "1" + closed * 18))
    assert (score.value, score.status) == (None, "scorer_error")
    assert score.explanation == "it would take more than 10,000 steps to parse: functions nest too deep"


@pytest.mark.parametrize("dialect", ["", "postgres", "bigquery", "snowflake", "tsql"])
def test_long_sql_is_within_what_the_parser_may_take(dialect: str) -> None:
    column = "CAST(a.x AS DECIMAL(10, 2)) AS y, CASE WHEN b.z IN (1, 2) THEN DATE '2026-11-26' ELSE NULL END AS w, "
    query = f"SELECT {column * 15}COUNT(*) FROM t AS a JOIN u AS b ON a.id = b.id WHERE a.q > 1 GROUP BY 1;\n"
    assert value(parses("sql", dialect=dialect), query * 2) == 1.0
    assert value(parses("sql", dialect=dialect), "SELECT " + ", ".join(["DECIMAL(DECIMAL(DECIMAL(1)))"] * 90)) == 1.0


def test_dialects() -> None:
    assert value(parses("sql", dialect="postgres"), "SELECT a::int FROM b") == 1.0
    with pytest.raises(ValueError, match="dialect"):
        parses("sql", dialect="klingon")
    with pytest.raises(ValueError, match="dialect is for sql, and the language is 'xml'"):
        parses("xml", dialect="postgres")
    with pytest.raises(ValueError, match="language must be one of python, xml, sql, toml, got 'cobol'"):
        parses("cobol")  # type: ignore[arg-type]
