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

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.errors import Problem, did_you_mean

_LONGEST_CELL = 2**31 - 1
_LISTS = ("tags", "scorers")
_JSON = ("input", "expected", "context", "open", "provenance")
_BOM = b"\xef\xbb\xbf"
_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_csv(file: Path) -> Iterator[tuple[int, dict[str, Any] | list[Problem]]]:
    """Each line as the object that a JSON line would have been, with its number; or what is wrong with it."""
    data = file.read_bytes()
    body = data.removeprefix(_BOM)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        byte = error.start + len(data) - len(body)
        line = 1 + body.count(b"\n", 0, error.start)
        yield line, [Problem(f"{file}:{line}", f"not UTF-8 at byte {byte}", "save the file as UTF-8")]
        return
    csv.field_size_limit(_LONGEST_CELL)
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
        if name not in fields and not (name.startswith(("input.", "meta.")) and name.partition(".")[2])
    ]
    problems += [
        Problem(f"{file}:1: {name}", "column given twice") for name in dict.fromkeys(header) if header.count(name) > 1
    ]
    problems += [
        Problem(f"{file}:1: {name}", f"there are columns {name}.NAME too", "give it as one column, or in parts")
        for name in ("input", "meta")
        if name in header and any(each.startswith(f"{name}.") for each in header)
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
        elif name == "meta" or (name in _JSON and cell.lstrip().startswith(("{", "["))):
            try:
                value[name] = _parsed(cell)
            except json.JSONDecodeError as error:
                value[name] = cell  # text that happens to start with a bracket
                if name == "meta":
                    flaws.append(Problem(f"{where}: meta", f"not JSON: {error}"))
            except (ValueError, RecursionError) as error:
                flaws.append(Problem(f"{where}: {name}", f"not JSON: {error}"))
        else:
            value[name] = cell
    return value, flaws


def _parsed(cell: str) -> Any:
    """The JSON value in a cell."""
    data = cell.encode()
    value = codec.parse(data)
    repeated = codec.repeated_key(data, value)
    if repeated is not None:
        raise ValueError(f"the field {repeated!r} is given twice in one object")
    return value
