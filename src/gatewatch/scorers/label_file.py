"""Reading files of labels and of recorded verdicts: JSON lines, every problem reported at once."""

from pathlib import Path
from typing import Any, TypeVar

from gatewatch.core import codec, shape
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.label import LabelLine, VerdictLine

T = TypeVar("T", LabelLine, VerdictLine)


def read_labels(path: Path) -> list[tuple[int, LabelLine]]:
    """The labels of a file, each with the number of its line.

    Raises:
        InputError: with all that is wrong in it.
    """
    found = _read(path, LabelLine, '{"case": "refund-1", "value": true, "by": "ana"}')
    problems = [
        Problem(f"{path}:{number}", "names neither a case nor a trace", 'say which is meant by "case" or "trace"')
        for number, line in found
        if not (line.case or line.trace)
    ]
    if problems:
        raise InputError(problems)
    return found


def read_verdicts(path: Path) -> list[tuple[int, VerdictLine]]:
    """The recorded verdicts of a file, one to a case, each with the number of its line.

    Raises:
        InputError: with all that is wrong in it.
    """
    found = _read(path, VerdictLine, '{"case": "refund-1", "value": true}')
    cases: set[str] = set()
    problems = []
    for number, line in found:
        if line.case in cases:
            problems.append(
                Problem(f"{path}:{number}", f"the case {line.case!r} is there twice", "keep one of the two")
            )
        cases.add(line.case)
    if problems:
        raise InputError(problems)
    return found


def _read(path: Path, kind: type[T], example: str) -> list[tuple[int, T]]:
    try:
        lines = path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read: {error.strerror}")) from None
    found: list[tuple[int, T]] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            value: Any = codec.parse(line)
        except (ValueError, RecursionError) as error:
            problems.append(Problem(where, f"not JSON: {error}", f"one object a line, such as {example}"))
            continue
        converted = shape.convert(value, kind)
        if isinstance(converted, list):
            problems += [Problem(f"{where}: {at}" if at else where, what, hint) for at, what, hint in converted]
        else:
            found.append((number, converted))
    if problems:
        raise InputError(problems)
    if not found:
        raise InputError(Problem(str(path), "is empty", f"one object a line, such as {example}"))
    return found
