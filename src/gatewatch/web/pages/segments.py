"""Names that others gave, as parts of addresses of ours."""

from urllib.parse import quote

from starlette.requests import Request


def segment(name: str) -> str:
    """A name of somebody else's as one part of a path, in which it can lead nowhere else; "." and "..", which browsers
    resolve however they are written, go into the query (`named`)."""
    return f"?id={quote(name)}" if name in (".", "..") else quote(name, safe="", errors="replace")


def named(request: Request, what: str) -> str:
    """The name in an address that `segment` wrote."""
    found: str = request.path_params[what]
    return found or request.query_params.get("id", "")
