"""Whether a file of the checkout may be written, and one at a time that reads it, changes it, and puts it in place."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def may_write(path: Path) -> bool:
    """Whether a file may be put in the place of this one (which takes its folder, too), or made where there is none."""
    if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
        return False
    there = next(each for each in path.parents if each.exists())
    return there.is_dir() and os.access(there, os.W_OK)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others, of this process and of others, from a folder's files as long as they ask likewise."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)
