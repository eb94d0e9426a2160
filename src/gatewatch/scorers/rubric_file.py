"""Rubric files: Markdown with a small header, or published judge prompts.

The file begins with a small header in TOML between two lines of `---`; what follows is the text given to the judge:

    ---
    scale = "1-5"                  # or "binary", "choice", "policy", "pairwise"
    model = "judge"                # optional: the configured model that judges
    version = "2"                  # optional: the author's own mark
    [[examples]]                   # optional: outputs that were judged well
    output = "It is in the manual."
    verdict = 2                    # "pass" or "fail" where the scale is binary, a choice where it is choice
    explanation = "Names no page and does not say how."
    ---
    Score how helpful the answer is to the person who asked ...

A scale of choices has a table `[choices]` with what each is worth in 0..1 (or "skip"); a policy has its `[[clauses]]`,
each with an `id` and a `text`.

The text may mention `{input}`, `{output}`, `{context}`, `{expected}`, `{steps}` (the tools that were called, and what
they gave) and `{session}` (the turns of the conversation before). A judge is shown all but the input and the output
only when its rubric mentions them.

A file that ends in .jsonl holds published judge prompts (see `published`): `prompts.jsonl#NAME` is one of them.
"""

import re
from collections.abc import Iterator
from contextvars import ContextVar
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gatewatch.core import toml
from gatewatch.core.errors import Problem, RubricError, did_you_mean
from gatewatch.core.names import OTHERWISE
from gatewatch.scorers.published import load_published
from gatewatch.scorers.rubric import PLACEHOLDER, PLACEHOLDERS, Clause, Rubric, Shot
from gatewatch.scorers.scale import Scale, parse_scale

_HEADER_KEYS = ("choices", "clauses", "examples", "model", "scale", "version")
_CLAUSE_KEYS = ("id", "text")
_CLAUSE = re.compile(r"\s*\[\[\s*clauses\s*\]\]")
_CLAUSE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_EXAMPLE_NEEDS = ("output", "verdict", "explanation")
_EXAMPLE_KEYS = (*_EXAMPLE_NEEDS, "input")
_EXAMPLE = re.compile(r"\s*\[\[\s*examples\s*\]\]")
_FENCE = "---"
_BEGIN_WITH = 'begin the file with a header, such as ---, scale = "binary", --- on lines of their own'


home: ContextVar[Path] = ContextVar("gatewatch_rubrics_home", default=Path())
"""Where relative paths start that lead nowhere from the current folder: the project's folder, while it is read."""


def is_rubric_path(text: str) -> bool:
    """Whether a text is meant as the path of a rubric, rather than as a name."""
    return text.endswith(".md") or ".jsonl" in text


def load_rubric(path: str | Path) -> Rubric:
    """Read a rubric file; the rubric's name is the file's, without its ending.

    A relative path starts at the current folder, or else at `home`.

    Raises:
        RubricError: with everything that is wrong in the file.
    """
    path, _, prompt = str(path).partition("#") if ".jsonl" in str(path) else (path, "", "")
    path = Path(path)
    if not path.is_absolute() and not _is_there(path):
        path = home.get() / path
    if path.suffix == ".jsonl":
        return load_published(path, _read(path), prompt)
    lines = _read(path).replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != _FENCE:
        raise RubricError(Problem(f"{path}:1", "the header is missing", _BEGIN_WITH))
    end = next((place for place in range(1, len(lines)) if lines[place].rstrip() == _FENCE), 0)
    if not end:
        raise RubricError(Problem(f"{path}:1", "the header is not closed", "end it with a line that is ---"))
    try:
        table = toml.parse("\n".join(lines[1:end]))
    except ValueError as error:
        raise RubricError(_broken_header(path, error)) from None
    header = _Header(path, lines[:end], table)
    scale, model, version = header.scale(), header.text("model"), header.text("version")
    examples, clauses = header.examples(scale), header.clauses(scale)
    text = "\n".join(lines[end + 1 :]).strip()
    problems = [*header.problems, *_misspelt(path, lines, end + 1)]
    if not text:
        problems.append(Problem(f"{path}:{end + 1}", "nothing follows the header", "write what to judge by"))
    if problems:
        raise RubricError(problems)
    assert scale is not None
    return Rubric(
        name=path.stem,
        text=text,
        scale=scale,
        model=model,
        version=version,
        examples=examples,
        clauses=clauses,
        path=str(path),
    )


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # its name is too long, say
        return False


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        near = get_close_matches(path.name, [each.name for each in path.parent.glob("*.md")], n=1)
        hint = did_you_mean(path.name, near) if near else "relative paths start at the current directory"
        raise RubricError(Problem(str(path), "there is no such file", hint)) from None
    except IsADirectoryError:
        raise RubricError(Problem(str(path), "is a directory", "name a rubric's file in it")) from None
    except (OSError, ValueError) as error:  # a null character is a ValueError
        raise RubricError(Problem(str(path), f"cannot be read: {getattr(error, 'strerror', error)}")) from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        what = f"byte 0x{data[error.start]:02x} is not UTF-8"
        raise RubricError(Problem(f"{path}:{line}", what, "save the file as UTF-8")) from None


def _broken_header(path: Path, error: ValueError) -> Problem:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error), re.DOTALL)
    if found is None:  # at the very end of the header, or beyond all measure
        return Problem(f"{path}:1", f"the header is not TOML: {error}")
    return Problem(f"{path}:{int(found[2]) + 1}:{found[3]}", f"the header is not TOML: {found[1]}")


def _misspelt(path: Path, lines: list[str], start: int) -> Iterator[Problem]:
    """What the text mentions in braces that is nothing a judge is shown: it would be given the braces."""
    for number, line in enumerate(lines[start:], start + 1):
        for name in PLACEHOLDER.findall(line):
            if name in PLACEHOLDERS or name[0].isdigit():  # as in a regular expression
                continue
            near = [OTHERWISE[name]] if name in OTHERWISE else get_close_matches(name, PLACEHOLDERS, n=1, cutoff=0.6)
            known = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            hint = f"did you mean {{{near[0]}}}?" if near else f"known: {known}."
            hint += " In double braces it stands for itself"
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
        choices = self.table.get("choices")
        if choices is not None and not isinstance(choices, dict):
            self._wrong(self._place("choices", 1), "choices must be a table", "begin it with a line [choices]")
            return None
        try:
            return parse_scale(self.table["scale"], choices)
        except ValueError as error:
            self._wrong(self._place("scale", 1), f"scale {error}")
            return None

    def text(self, key: str) -> str:
        """The text under a key, empty when there is none."""
        return self._text_of(self.table, key, 1)

    def examples(self, scale: Scale | None) -> tuple[Shot, ...]:
        """The few-shot examples; their verdicts must be on the scale."""
        return tuple(self._shot(table, place, scale) for table, place in self._tables("examples", _EXAMPLE))

    def clauses(self, scale: Scale | None) -> tuple[Clause, ...]:
        """The clauses of a policy, of which there must be some, and none twice."""
        found: list[Clause] = []
        for table, place in self._tables("clauses", _CLAUSE):
            self._refuse_unknown(table, _CLAUSE_KEYS, place)
            name, text = (self._text_of(table, key, place) for key in _CLAUSE_KEYS)
            if not _CLAUSE_ID.fullmatch(name):
                self._wrong(place, f"the clause's id is {name!r}", "letters, digits, - and _, at most 64")
            elif any(each.id == name for each in found):
                self._wrong(place, f"the clause {name!r} is there twice", "give each an id of its own")
            if not text.strip():
                self._wrong(place, "the clause has no text", 'write text = "what must hold"')
            found.append(Clause(name, text.strip()))
        if scale is not None and (scale.kind == "policy") != bool(found):
            if found:
                self._wrong(self._place("scale", 1), 'scale must be "policy" where there are [[clauses]]')
            else:
                self._wrong(self._place("scale", 1), "the policy has no clauses", "add [[clauses]] with id and text")
        return tuple(found)

    def _tables(self, key: str, heading: re.Pattern[str]) -> list[tuple[dict[str, Any], int]]:
        """The tables of a list, each with the line that it begins in."""
        given = self.table.get(key, [])
        if not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
            self._wrong(self._place(key, 1), f"{key} must be tables", f"begin each with a line [[{key}]]")
            return []
        places = [n for n, line in enumerate(self.lines, 1) if heading.match(line)]
        if len(places) != len(given):  # written inline
            places = [self._place(key, 1)] * len(given)
        return list(zip(given, places, strict=True))

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
