"""Files that come with the package, to be written into a user's folder."""

from collections.abc import Mapping
from pathlib import Path

from gatewatch.core.errors import InputError, Problem


def packaged(name: str) -> dict[str, bytes]:
    """The files of one of our folders, by their path within it."""
    root = Path(__file__).parent / name
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files under a folder, which is made if there is none.

    Raises:
        InputError: when one cannot be written.
    """
    for name, content in files.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise InputError(Problem(str(path), f"cannot be written: {error.strerror}")) from None
