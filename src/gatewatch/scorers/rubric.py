"""A rubric: the text and the scale that a judge follows, read from a Markdown file.

The file begins with a small header in TOML between two lines of `---`; what follows is the text given to the judge:

    ---
    scale = "1-5"                  # or "binary"
    model = "judge"                # optional: the configured model that judges
    version = "2"                  # optional: the author's own mark
    [[examples]]                   # optional: outputs that were judged well
    output = "It is in the manual."
    verdict = 2                    # "pass" or "fail" where the scale is binary
    explanation = "Names no page and does not say how."
    ---
    Score how helpful the answer is to the person who asked ...

The text may mention `{input}`, `{output}`, `{context}` and `{expected}`. A judge is shown the context and what was
expected only when its rubric mentions them.
"""

import re
import tomllib
from collections.abc import Iterator
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from gatewatch.core.errors import Problem, RubricError, did_you_mean

PLACEHOLDERS = ("input", "output", "context", "expected")
_PLACEHOLDER = re.compile(r"(?<!\{)\{(\w+)\}(?!\})")
_RANGE = re.compile(r"(\d{1,4})-(\d{1,4})")
_MOST_GRADES = 101
_HEADER_KEYS = ("examples", "model", "scale", "version")
_EXAMPLE_NEEDS = ("output", "verdict", "explanation")
_EXAMPLE_KEYS = (*_EXAMPLE_NEEDS, "input")
_EXAMPLE = re.compile(r"\s*\[\[\s*examples\s*\]\]")
_FENCE = "---"
_BEGIN_WITH = 'begin the file with a header, such as ---, scale = "binary", --- on lines of their own'


home: ContextVar[Path] = ContextVar("gatewatch_rubrics_home", default=Path())
"""Where relative paths start that lead nowhere from the current folder: the project's folder, while it is read."""


class Scale(Struct, frozen=True):
    """What a judge may answer: pass or fail, or a whole number from `low` to `high`."""

    kind: Literal["binary", "graded"] = "binary"
    low: int = 0
    high: int = 1

    def __str__(self) -> str:
        return "binary" if self.kind == "binary" else f"{self.low}-{self.high}"

    def value(self, verdict: object) -> float:
        """A verdict in 0..1, linear in the grade: of 1-5, 1 is 0.0 and 5 is 1.0; a pass is 1.

        Raises:
            ValueError: for a verdict that is not on the scale; it says what one must be.
        """
        if self.kind == "binary":
            if verdict not in ("pass", "fail"):
                raise ValueError('must be "pass" or "fail"')
            return float(verdict == "pass")
        if not isinstance(verdict, int) or isinstance(verdict, bool) or not self.low <= verdict <= self.high:
            raise ValueError(f"must be a whole number in {self.low}..{self.high}")
        return (verdict - self.low) / (self.high - self.low)


class Shot(Struct, frozen=True):
    """An output that was judged well, shown to the judge before it judges another (a few-shot example)."""

    output: str
    verdict: str | int
    explanation: str
    input: str = ""


class Rubric(Struct, frozen=True, kw_only=True):
    """The text and scale that a judge follows; `model` and `version` are empty when the file states none."""

    name: str
    text: str
    scale: Scale = Scale()
    model: str = ""
    version: str = ""
    examples: tuple[Shot, ...] = ()
    path: str = ""

    @property
    def mentions(self) -> frozenset[str]:
        """Which of input, output, context and expected the text mentions in braces."""
        return frozenset(_PLACEHOLDER.findall(self.text)).intersection(PLACEHOLDERS)

    def text_with(self, names: dict[str, str]) -> str:
        """The text with other words in the place of what it mentions in braces."""
        return _PLACEHOLDER.sub(lambda found: names.get(found[1], found[0]), self.text)


def parse_scale(text: object) -> Scale:
    """The scale that a header states: "binary", or a range of whole numbers such as "1-5".

    Raises:
        ValueError: for anything else.
    """
    if text == "binary":
        return Scale()
    found = _RANGE.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        hint = ' (did you mean "binary"?)' if get_close_matches(str(text), ["binary"]) else ""
        raise ValueError(f'must be "binary" or a range such as "1-5", got {text!r}{hint}')
    low, high = int(found[1]), int(found[2])
    if not low < high < low + _MOST_GRADES:
        raise ValueError(f"must rise, in at most {_MOST_GRADES} grades, got {text!r}")
    return Scale("graded", low, high)


def load_rubric(path: str | Path) -> Rubric:
    """Read a rubric file; the rubric's name is the file's, without its ending.

    A relative path starts at the current folder, or else at `home`.

    Raises:
        RubricError: with everything that is wrong in the file.
    """
    path = Path(path)
    if not path.is_absolute() and not path.exists():
        path = home.get() / path
    lines = _read(path).replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise RubricError(Problem(f"{path}:1", "the header is missing", _BEGIN_WITH))
    end = next((place for place in range(1, len(lines)) if lines[place].rstrip() == _FENCE), 0)
    if not end:
        raise RubricError(Problem(f"{path}:1", "the header is not closed", "end it with a line that is ---"))
    try:
        table = tomllib.loads("\n".join(lines[1:end]))
    except tomllib.TOMLDecodeError as error:
        raise RubricError(_broken_header(path, error)) from None
    header = _Header(path, lines[:end], table)
    scale, model, version = header.scale(), header.text("model"), header.text("version")
    examples = header.examples(scale)
    text = "\n".join(lines[end + 1 :]).strip()
    problems = [*header.problems, *_misspelt(path, lines, end + 1)]
    if not text:
        problems.append(Problem(f"{path}:{end + 1}", "nothing follows the header", "write what to judge by"))
    if problems:
        raise RubricError(problems)
    assert scale is not None
    return Rubric(
        name=path.stem, text=text, scale=scale, model=model, version=version, examples=examples, path=str(path)
    )


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        near = get_close_matches(path.name, [each.name for each in path.parent.glob("*.md")], n=1)
        hint = did_you_mean(path.name, near) if near else "relative paths start at the current directory"
        raise RubricError(Problem(str(path), "there is no such file", hint)) from None
    except OSError as error:
        raise RubricError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise RubricError(Problem(f"{path}:{line}", what, "save the file as UTF-8")) from None


def _broken_header(path: Path, error: tomllib.TOMLDecodeError) -> Problem:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error), re.DOTALL)
    if found is None:  # at the very end of the header
        return Problem(f"{path}:1", f"the header is not TOML: {error}")
    return Problem(f"{path}:{int(found[2]) + 1}:{found[3]}", f"the header is not TOML: {found[1]}")


def _misspelt(path: Path, lines: list[str], start: int) -> Iterator[Problem]:
    """What the text mentions in braces that is nearly, but not quite, something a judge is shown."""
    for number, line in enumerate(lines[start:], start + 1):
        for name in _PLACEHOLDER.findall(line):
            near = get_close_matches(name, PLACEHOLDERS, n=1, cutoff=0.75)
            if near and name not in PLACEHOLDERS:
                hint = f"did you mean {{{near[0]}}}? In double braces it stands for itself"
                yield Problem(f"{path}:{number}", f"{{{name}}} is not shown to a judge", hint)


class _Header:
    """The header of a rubric file, and what was found wrong in it; a place is a line's number, from 1."""

    def __init__(self, path: Path, lines: list[str], table: dict[str, Any]) -> None:
        self.path, self.lines, self.table = path, lines, table
        self.problems: list[Problem] = []
        self._refuse_unknown(table, _HEADER_KEYS, 1)

    def scale(self) -> Scale | None:
        """The scale, or None when it is missing or wrong."""
        if "scale" not in self.table:
            self._wrong(1, "scale is missing", 'write scale = "binary", or a range such as scale = "1-5"')
            return None
        try:
            return parse_scale(self.table["scale"])
        except ValueError as error:
            self._wrong(self._place("scale", 1), f"scale {error}")
            return None

    def text(self, key: str) -> str:
        """The text under a key, empty when there is none."""
        return self._text_of(self.table, key, 1)

    def examples(self, scale: Scale | None) -> tuple[Shot, ...]:
        """The few-shot examples; their verdicts must be on the scale."""
        given = self.table.get("examples", [])
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            self._wrong(self._place("examples", 1), "examples must be tables", "begin each with a line [[examples]]")
            return ()
        places = [n for n, line in enumerate(self.lines, 1) if _EXAMPLE.match(line)]
        if len(places) != len(given):  # written inline
            places = [self._place("examples", 1)] * len(given)
        return tuple(self._shot(table, place, scale) for table, place in zip(given, places, strict=True))

    def _shot(self, table: dict[str, Any], place: int, scale: Scale | None) -> Shot:
        self._refuse_unknown(table, _EXAMPLE_KEYS, place)
        for key in _EXAMPLE_NEEDS:
            if key not in table:
                self._wrong(place, f"the example has no {key}")
        verdict = table.get("verdict", "")
        if "verdict" in table and scale is not None:
            try:
                scale.value(verdict)
            except ValueError as error:
                self._wrong(self._place("verdict", place), f"verdict {error}, got {verdict!r}")
        output, explanation, asked = (self._text_of(table, key, place) for key in ("output", "explanation", "input"))
        return Shot(output=output, verdict=verdict, explanation=explanation, input=asked)

    def _text_of(self, table: dict[str, Any], key: str, after: int) -> str:
        value = table.get(key, "")
        if isinstance(value, str):
            return value
        self._wrong(self._place(key, after), f"{key} must be text, got {value!r}", "put it in quotes")
        return ""

    def _refuse_unknown(self, table: dict[str, Any], known: tuple[str, ...], after: int) -> None:
        for key in table:
            if key not in known:
                self._wrong(self._place(key, after), f"unknown key {key!r}", did_you_mean(key, known))

    def _place(self, key: str, after: int) -> int:
        """The line that names a key, from the line `after` on; that line itself when none does."""
        named = re.compile(rf"""\s*(\[\[?\s*)?["']?{re.escape(key)}["']?\s*[=.\]]""")
        return next((n for n in range(after, len(self.lines) + 1) if named.match(self.lines[n - 1])), after)

    def _wrong(self, place: int, what: str, hint: str = "") -> None:
        self.problems.append(Problem(f"{self.path}:{place}", what, hint))
