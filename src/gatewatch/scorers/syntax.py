"""Scorers of form: whether an output is a date, an address, a UUID; whether it parses as code, XML or SQL."""

import re
from collections.abc import Callable
from typing import Literal, get_args

from gatewatch.core.compose import stream_safe
from gatewatch.core.score import Score
from gatewatch.scorers.base import Scorer, built_in

Format = Literal[
    "date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid", "json-pointer", "regex"
]
Language = Literal["python", "xml", "sql", "toml"]

MOST_SQL = 4000
"""How many characters of SQL are parsed: the parser is slow."""

MOST_STEPS = 10_000
"""How many steps from token to token the parser of SQL may make: it goes back where it guessed wrong, and over what is
nested that takes a power of the depth. A plain statement of 4,000 characters takes 1,500 to 4,500."""

MOST_PARSED = 100_000
"""How many characters of other languages are parsed."""

MOST_KEY_PARTS = 50
"""How many parts, with dots between them, a key of TOML may have: the parser takes the square of their number."""

_SHOWN = 200
_FENCE = re.compile(r"```[A-Za-z0-9+-]{0,20}[ \t]*\r?\n(.*)```", re.DOTALL)
_KEY_PART = r"""(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_.-]){_KEY_PART}(?:[ \t]*+\.[ \t]*+{_KEY_PART}){{{MOST_KEY_PARTS},}}")


class _TooLong(Exception):  # noqa: N818 - never leaves this file
    """What would take too long to parse; it says why."""


def well_formed(kind: Format, *, name: str = "well_formed") -> Scorer:
    """Make a scorer that gives 1 when the whole output, without white space around it, has a form, else 0.

    The forms are JSON Schema's formats: date (2026-11-26), date-time (RFC 3339), time, duration (ISO 8601), email,
    hostname, ipv4, ipv6, uri, uuid, json-pointer, and regex (a pattern that is one). The form is all that is looked
    at: whether the address exists, it cannot tell.

    Source: JSON Schema 2020-12, validation, section 7.3.

    Args:
        kind: which form.
        name: the scorer's name.

    Raises:
        ValueError: for another form.
    """
    import jsonschema_rs

    if kind not in get_args(Format):
        raise ValueError(f"kind must be one of {', '.join(get_args(Format))}, got {kind!r}")
    validator = jsonschema_rs.validator_for({"type": "string", "format": kind}, validate_formats=True)

    def score(output: str) -> bool | Score:
        try:
            right = validator.is_valid(output.strip())
        except UnicodeEncodeError:
            right = False
        return True if right else Score(0.0, f"no {kind}", f"{output.strip()[:_SHOWN]!r} is no {kind}")

    return built_in(name, score, version="well_formed 1", parameters={"kind": kind}, binary=True)


def parses(language: Language, *, name: str = "parses", dialect: str = "", fence: bool = True) -> Scorer:
    """Make a scorer that gives 1 when the output parses as code, else 0. Nothing is run, fetched or repaired.

    python: this Python's own grammar. xml: well-formed XML 1.0; a document type is refused, since it can define
    entities that grow without bound. toml: TOML 1.0. sql: statements as sqlglot reads them, which knows some thirty
    dialects and is lenient: an unknown function is none of its business; it takes the extra `sql`. An empty output does
    not parse. An error of the scorer, since it would take too long, is SQL of more than 4,000 characters, or nested so
    that the parser would guess for long; TOML with a key of more than 50 dotted parts; other code of more than 100,000.

    Args:
        language: which language.
        name: the scorer's name.
        dialect: of SQL, such as "postgres"; by default sqlglot's own, which takes most.
        fence: whether the code may stand in one Markdown fence.

    Raises:
        ValueError: for another language or dialect, or when the extra is not installed.
    """
    if language not in _PARSERS:
        raise ValueError(f"language must be one of {', '.join(_PARSERS)}, got {language!r}")
    if dialect and language != "sql":
        raise ValueError(f"dialect is for sql, and the language is {language!r}")
    parser = _sql(dialect) if language == "sql" else _PARSERS[language]
    most = MOST_SQL if language == "sql" else MOST_PARSED

    def score(output: str) -> bool | Score:
        fenced = _FENCE.fullmatch(output.strip()) if fence else None
        code = fenced[1] if fenced else output
        if len(code) > most:
            return Score(
                status="scorer_error", explanation=f"{len(code):,} characters are more than the {most:,} parsed"
            )
        if not code.strip():
            return Score(0.0, "empty")
        try:
            parser(code)
        except _TooLong as error:
            return Score(status="scorer_error", explanation=str(error))
        except (ValueError, SyntaxError) as error:
            return Score(0.0, "does not parse", " ".join(str(error).split())[:_SHOWN])
        except (RecursionError, MemoryError):
            return Score(0.0, "does not parse", "it is nested too deep")
        return True

    options = {"language": language, "dialect": dialect, "fence": fence}
    return built_in(name, score, version="parses 1", parameters=options, binary=True)


def _python(code: str) -> None:
    import ast
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the output's author should know, and nobody here
        ast.parse(stream_safe(code))  # it composes names, which takes the square of a run of marks


def _xml(code: str) -> None:
    from xml.parsers import expat

    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise ValueError("a document type is not allowed")

    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(code.strip().encode(errors="replace"), True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from None


def _toml(code: str) -> None:
    import tomllib

    if _LONG_KEY.search(code):
        raise _TooLong(f"a key of more than {MOST_KEY_PARTS} dotted parts would take too long to parse")
    tomllib.loads(code)


def _sql(dialect: str) -> Callable[[str], None]:
    try:
        import sqlglot
    except ImportError:
        raise ValueError('parsing sql needs a library: pip install "gatewatch[sql]"') from None
    try:
        spoken = sqlglot.Dialect.get_or_raise(dialect or None)
    except ValueError as error:
        raise ValueError(f"dialect: {error}") from None

    class Bounded(spoken.parser_class):  # type: ignore[misc, name-defined]
        steps = 0

        def _advance(self, times: int = 1) -> None:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise _TooLong(f"it would take more than {MOST_STEPS:,} steps to parse: functions nest too deep")
            super()._advance(times)

    def parse(code: str) -> None:
        try:
            found = Bounded(dialect=spoken).parse(spoken.tokenize(code), code)
        except sqlglot.errors.SqlglotError as error:
            raise ValueError(re.sub(r"\x1b\[\d*m", "", str(error))) from None
        if not any(found):
            raise ValueError("there is no statement")
        for each in found:
            if isinstance(each, sqlglot.exp.Command):
                raise ValueError(f"{each.name} is no statement that can be read")

    return parse


_PARSERS: dict[str, Callable[[str], None]] = {"python": _python, "xml": _xml, "sql": _python, "toml": _toml}
