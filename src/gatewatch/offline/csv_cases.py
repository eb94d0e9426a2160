"""Cases from a CSV file: a header line, then one case a line.

Columns carry the names of a dataset line's fields. `input.NAME` columns make an object of arguments, `meta.NAME`
columns go into `meta`; `tags` and `scorers` are separated by semicolons; a cell that starts with `{` or `[` in
`input`, `expected` or `context` is JSON.
"""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gatewatch.core.case import Case
from gatewatch.core.errors import Problem, did_you_mean

_LISTS = ("tags", "scorers")
_JSON = ("input", "expected", "context", "provenance")
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_csv(file: Path) -> Iterator[tuple[int, dict[str, Any] | list[Problem]]]:
    """Each line as the object that a JSON line would have been, with its number; or what is wrong with it."""
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield 1, [Problem(f"{file}:1", f"not UTF-8 at byte {error.start}", "save the file as UTF-8")]
        return
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        problems = _header_problems(file, header)
        if problems:
            yield 1, problems
            return
        for cells in reader:
            where = f"{file}:{reader.line_num}"
            if not any(cells):
                continue
            if len(cells) != len(header):
                yield (
                    reader.line_num,
                    [Problem(where, f"{len(cells)} cells, but the header names {len(header)} columns")],
                )
                continue
            value, flaws = _object(dict(zip(header, cells, strict=True)), where)
            yield reader.line_num, flaws or value
    except csv.Error as error:
        yield reader.line_num, [Problem(f"{file}:{reader.line_num}", f"not CSV: {error}")]


def _header_problems(file: Path, header: list[str]) -> list[Problem]:
    fields = Case.__struct_fields__
    problems = [
        Problem(f"{file}:1: {name}", "unknown column", did_you_mean(name, fields))
        for name in header
        if name not in fields and not name.startswith(("input.", "meta."))
    ]
    problems += [
        Problem(f"{file}:1: {name}", "column given twice") for name in {n for n in header if header.count(n) > 1}
    ]
    if not any(name == "input" or name.startswith("input.") for name in header):
        problems.append(Problem(f"{file}:1", "no column named input", "the first line names the columns"))
    return problems


def _object(cells: dict[str, str], where: str) -> tuple[dict[str, Any], list[Problem]]:
    """A line's cells as the object that a JSON line would have been; empty cells are left out."""
    value: dict[str, Any] = {}
    flaws: list[Problem] = []
    for name, cell in cells.items():
        if cell == "" and name != "input":
            continue
        head, _, inner = name.partition(".")
        if inner:
            value.setdefault(head, {})[inner] = cell
        elif name in _LISTS:
            value[name] = [part.strip() for part in cell.split(";") if part.strip()]
        elif name == "must_pass":
            if cell.strip().lower() not in _TRUTHS:
                flaws.append(Problem(f"{where}: must_pass", f"expected true or false, got {cell!r}"))
            value[name] = _TRUTHS.get(cell.strip().lower(), False)
        elif name in _JSON and cell.lstrip().startswith(("{", "[")):
            try:
                value[name] = json.loads(cell)
            except ValueError:
                value[name] = cell
        elif name == "meta":
            try:
                value[name] = json.loads(cell)
            except ValueError as error:
                flaws.append(Problem(f"{where}: meta", f"not JSON: {error}"))
        else:
            value[name] = cell
    return value, flaws
