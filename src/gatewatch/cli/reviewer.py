"""What commands of reviewing share: who reviews, and what they expect."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gatewatch.cli.terminal import who

if TYPE_CHECKING:
    from gatewatch.core.case import Expected

_MOST_BYTES = 1_000_000


def expected_given(text: str) -> "str | Expected | None":
    """What is given as --expected: text, JSON, or what stands in a file behind an @.

    Raises:
        InputError: the file cannot be read, is of more than a megabyte, or says something that is wrong.
    """
    from gatewatch.core.errors import InputError, Problem
    from gatewatch.loop.label import expected_of

    if not text.startswith("@"):
        return expected_of(text, "--expected")
    path = text[1:]
    try:
        with Path(path).open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise InputError(Problem(path, f"cannot be read: {getattr(error, 'strerror', error)}")) from None
    if len(data) > _MOST_BYTES:
        raise InputError(Problem(path, f"is longer than {_MOST_BYTES:,} bytes", "give the answer alone"))
    try:
        return expected_of(data.decode(), path)
    except UnicodeDecodeError as error:
        raise InputError(Problem(path, f"not UTF-8 at byte {error.start}", "save it as UTF-8")) from None


def named(by: str) -> str:
    """Who labels: who is named, or the account.

    Raises:
        BadParameter: a name of more than a line, or of more than 100 letters.
    """
    from gatewatch.loop.review import name_of

    try:
        return name_of(by.strip() or who())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--by") from None
