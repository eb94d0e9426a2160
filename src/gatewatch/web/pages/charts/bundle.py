"""The Vega bundle, which draws charts in the browser: made once by vl-convert, kept packed, served from an own address.

It is a function of the version of vl-convert alone, which is in its name. Without the extra `charts` there is none, and
pages keep the drawing that the server made.
"""

import gzip
import os
import zlib
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from threading import Lock

from gatewatch.web.pages.asked import Asked

_LEVEL = 9
_making = Lock()


@lru_cache(maxsize=1)
def bundle_name() -> str:
    """The bundle's file name, with what it depends on in it; "" where there is none."""
    try:
        version("altair")
        return f"vega-{version('vl-convert-python')}.js"
    except PackageNotFoundError:
        return ""


def library_url(asked: Asked) -> str:
    """The address of the bundle; "" where there is none."""
    return asked.url(f"/charts/{bundle_name()}") if bundle_name() else ""


def bundle() -> bytes:
    """The bundle, packed by gzip. It takes two seconds to make, once a machine: it is kept in the user's cache."""
    with _making:
        return _bundle(bundle_name())


@lru_cache(maxsize=1)
def _bundle(name: str) -> bytes:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gatewatch"
    kept = folder / f"{name}.gz"
    with suppress(OSError, EOFError, zlib.error):
        found = kept.read_bytes()
        gzip.decompress(found)
        return found
    from vl_convert import javascript_bundle

    made = gzip.compress(javascript_bundle("window.vegaEmbed = vegaEmbed;").encode(), _LEVEL, mtime=0)
    with suppress(OSError):  # it is made again by the next process, then
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        written = kept.with_name(f"{name}.{os.getpid()}")
        written.write_bytes(made)
        written.replace(kept)
    return made
