"""What goes out: pages and parts of them, under a strict policy of what they may load, packed where that pays."""

import gzip

from starlette.requests import Request
from starlette.responses import Response

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
OURS = {"x-content-type-options": "nosniff", "cross-origin-resource-policy": "same-origin"}
"""Headers of all that the pages consist of."""
SAFE = OURS | {
    "content-security-policy": POLICY,
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
"""Headers of what a browser may show as a page."""
NOT_KEPT = {"cache-control": "no-store", "vary": "Cookie, Accept-Encoding, X-Gatewatch-Fragment"}
_WORTH_PACKING = 600


def packs(request: Request) -> bool:
    """Whether who asks understands gzip."""
    asked = request.headers.get("accept-encoding", "").lower()
    return any(part.partition(";")[0].strip() == "gzip" for part in asked.split(","))


def page(request: Request, html: str, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A page, or a part of one."""
    body = html.encode("utf-8", "replace")
    more = (
        SAFE | NOT_KEPT | {"speculation-rules": f'"{request.scope.get("root_path", "")}/spec.json"'} | (headers or {})
    )
    if len(body) > _WORTH_PACKING and packs(request):
        body = gzip.compress(body, 5, mtime=0)
        more["content-encoding"] = "gzip"
    return Response(body, status, more, "text/html; charset=utf-8")


def elsewhere(url: str) -> Response:
    """Send the browser on to another page, which it gets by GET."""
    return Response(b"", 303, SAFE | NOT_KEPT | {"location": url})
