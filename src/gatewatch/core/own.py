"""Files that are their owner's alone."""

import os
from contextlib import suppress
from pathlib import Path


def make_own(path: Path) -> None:
    """Make a file that nobody else can read, whatever the umask is; one that is there is left as it is.

    SQLite gives what it puts beside a database (its log) the rights of the database.

    Raises:
        OSError: it cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
