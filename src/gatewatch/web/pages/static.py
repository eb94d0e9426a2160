"""The files of the pages, under an address that changes when one of them does: browsers keep them for good."""

import gzip
import hashlib
import re
from pathlib import Path

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.web.pages.answers import OURS, SAFE, packs
from gatewatch.web.refusals import Refused

FOLDER = Path(__file__).parent / "static"
SHEET = "pages.css"
"""The style sheets that every page has, as one file."""
_SHEETS = ("tokens", "base", "shell", "table", "parts")
_TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "json": "application/json",
}
_SCRIPT = "js/page.js"
_MODULES = ("keys", "copy", "fragments", "rows", "theme", "page")
"""The scripts that every page has, each after those that it imports. They go out as one; a script of a screen that
imports one of them gets the same. What they have at their top has a name that no other of them has."""
_IMPORT = re.compile(rb"^import [^\n]*;\n", re.MULTILINE)
_SAME = b'export * from "./page.js";\n'
_MARGIN = re.compile(rb"^[ \t]+|^[ \t]*//[^\n]*\n|^[ \t]*/\*(?:(?!\*/).)*\*/[ \t]*\n", re.MULTILINE | re.DOTALL)
"""What of a script or a sheet is for those who read it here: indentation, and comments on lines of their own."""
_AIR = re.compile(rb"(?<=[a-z]):[ ]|[ ](?=\{)|(?<=[{},;])\s+|;\s*(?=\})")
"""What of a sheet is for them besides."""
_FOR_GOOD = "public, max-age=31536000, immutable"


class _File(Struct, frozen=True):
    body: bytes
    packed: bytes
    kind: str


class Static:
    """The files, held in memory; others (a chart library that is made when it is needed) may be added."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}
        sheets = [FOLDER / "css" / f"{name}.css" for name in _SHEETS]
        scripts = [FOLDER / "js" / f"{name}.js" for name in _MODULES]
        self._add(SHEET, b"\n".join(sheet.read_bytes() for sheet in sheets))
        self._add(_SCRIPT, b"".join(_IMPORT.sub(b"", script.read_bytes()) for script in scripts))
        for script in scripts[:-1]:
            self._add(f"js/{script.name}", _SAME)
        for file in sorted(FOLDER.rglob("*")):
            if file.is_file() and file not in (*sheets, *scripts):
                self._add(file.relative_to(FOLDER).as_posix(), file.read_bytes())
        digest = hashlib.sha256()
        for name, found in self._files.items():
            digest.update(name.encode() + b"\0" + found.body)
        self._edition = digest.hexdigest()[:12]

    def _add(self, name: str, body: bytes) -> None:
        kind = _TYPES[name.rpartition(".")[2]]
        if name.endswith((".js", ".css")):
            body = _MARGIN.sub(b"", body)
        if name.endswith(".css"):
            body = _AIR.sub(lambda found: b":" if found[0] == b": " else b"", body)
        self._files[name] = _File(body, gzip.compress(body, 9, mtime=0), kind)

    def path(self, name: str) -> str:
        """The path of a file.

        Raises:
            KeyError: there is none of that name.
        """
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self._edition}/{name}"

    def size(self, name: str, *, packed: bool = True) -> int:
        """How many bytes a file has on the wire."""
        file = self._files[name]
        return len(file.packed if packed else file.body)

    def routes(self) -> list[Route]:
        """The route that serves them."""
        return [Route("/static/{edition}/{name:path}", self._serve)]

    async def _serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            raise Refused(404, "there is no such file")
        # A page that was loaded before the server was renewed gets what there is now, and does not keep it.
        current = request.path_params["edition"] == self._edition
        base = SAFE if file.kind == _TYPES["svg"] else OURS  # the others are never shown by themselves
        headers = base | {"cache-control": _FOR_GOOD if current else "no-store", "vary": "Accept-Encoding"}
        packed = packs(request)
        if packed:
            headers["content-encoding"] = "gzip"
        return Response(file.packed if packed else file.body, 200, headers, file.kind)
