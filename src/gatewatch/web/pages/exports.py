"""A screen's filtered set as a file: the whole of it, all columns, with the filter that it was made by."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gatewatch.core import codec
from gatewatch.web.pages.answers import NOT_KEPT, SAFE
from gatewatch.web.refusals import Refused

Form = Literal["csv", "jsonl"]
FILTER = "x-gatewatch-filter"
"""The header that says by which filter an export was made."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PIECE = 65_536


def form_of(request: Request) -> Form:
    """The form that a route with `{form}` at its end is asked for.

    Raises:
        Refused: with 404, where it is not known.
    """
    form = request.path_params["form"]
    if form not in ("csv", "jsonl"):
        raise Refused(404, f"there is no export as {form[:20]!r}", hint="there are .csv and .jsonl")
    return cast(Form, form)


def exported(
    form: Form, kind: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]], chosen: Mapping[str, Any]
) -> Response:
    """Rows as a file that is sent while they are read, in a thread.

    Args:
        form: "csv", in which cells that a spreadsheet would take for a formula have an apostrophe before them;
            "jsonl", whose first line says what it is.
        kind: what the rows are, such as "gatewatch.cases"; behind the last dot the file's name.
        columns: their names, in order.
        rows: values by column; what is missing is empty.
        chosen: the filter, as the page has it.
    """
    by = {name: value for name, value in chosen.items() if value not in ("", None)}
    told = json.dumps({"kind": kind, "version": 1, "filter": by})  # in ASCII, as a header has to be
    pieces = _csv(columns, rows) if form == "csv" else _jsonl(told, columns, rows)
    name = kind.rpartition(".")[2]
    headers = SAFE | NOT_KEPT | {"content-disposition": f'attachment; filename="{name}.{form}"', FILTER: told}
    media = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    return StreamingResponse(_joined(pieces), 200, headers, media)


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_cell(name) for name in columns])
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in columns])
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    yield out.getvalue()


def _cell(value: Any) -> str:
    """A value in a spreadsheet, which takes what begins like a formula for one."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return str(value)
    text = value if isinstance(value, str) else codec.text_of(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _jsonl(head: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield head + "\n"
    for row in rows:
        yield codec.encode({name: row.get(name) for name in columns}).decode() + "\n"


def _joined(pieces: Iterable[str]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece.encode("utf-8", "replace"))
        size += len(held[-1])
        if size >= _PIECE:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
