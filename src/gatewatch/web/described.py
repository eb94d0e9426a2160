"""How the routes that are no functions of FastAPI's are described in the OpenAPI document, and who may call what."""

from typing import Any

from gatewatch.web.feedback import Told
from gatewatch.web.otlp import PATHS

_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": _TEXT, "where": _TEXT, "hint": _TEXT, "expected": {"type": "integer"}},
}
_SAID = {
    "400": "It is malformed.",
    "401": "There is no token, or it is good for nothing.",
    "403": "The token's role may not do this.",
    "404": "There is none of that name.",
    "408": "The body did not arrive in time.",
    "409": "Another is kept under this name, and stays.",
    "413": "The body is too long.",
    "415": "It is of a type, or packed in a way, that is not taken.",
    "422": "It is of another shape.",
    "429": "There is too much at once: come again after `Retry-After`.",
    "503": "There is no room, or the store cannot be used now: come again after `Retry-After`. Nothing was kept.",
}
_VISIT = (
    "Of somebody who signed in at /signin: for pages of this server. Over TLS it is `__Host-gatewatch`, or"
    " `__Secure-gatewatch` under a path, and else has the port behind its name. What changes something bears a mark of"
    " those pages in `x-gatewatch-csrf`; to send spans and feedback takes a token."
)
READING = ("400", "401", "403", "404", "422", "503")
_SENDING = ("400", "401", "403", "408", "413", "415", "503")


def refusals(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The replies that refuse, for some statuses."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}
    return {code: {"description": _SAID[code], "content": content} for code in codes}


def describe(document: dict[str, Any]) -> dict[str, Any]:
    """A document of FastAPI's with the routes for sending, the refusals, and how tokens are sent."""
    import msgspec

    (body,), parts = msgspec.json.schema_components([Told], ref_template="#/components/schemas/{name}")
    components = document.setdefault("components", {})
    schemas = {"Refusal": _ERROR, **parts}
    components.setdefault("schemas", {}).update(schemas)
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer"},
        "basic": {"type": "http", "scheme": "basic", "description": "The token is the password."},
        "visit": {"type": "apiKey", "in": "cookie", "name": "gatewatch", "description": _VISIT},
    }
    document["security"] = [{"token": []}, {"basic": []}, {"visit": []}]
    for path, methods in document["paths"].items():
        for operation in methods.values():
            if path in ("/healthz", "/readyz"):
                operation["security"] = []
                operation["responses"] |= refusals("503")
            else:
                operation["responses"] |= refusals(*READING)
    for path, methods in _sending(body).items():
        document["paths"].setdefault(path, {}).update(methods)
    return document


def _sending(feedback: dict[str, Any]) -> dict[str, Any]:
    spans = {"schema": {"type": "string", "format": "binary"}}
    otlp = {"application/x-protobuf": spans, "application/json": {"schema": {"type": "object"}}}
    segment = [
        _header("x-gatewatch-segment", "The sender's name, a stroke, the name of the segment.", "^[^/]+/[^/]+$"),
        _header("x-gatewatch-stretch", "Where in the segment this begins, a dash, where it ends.", "^[0-9]+-[0-9]+$"),
    ]
    paths = {
        path: _post(
            f"{signal.capitalize()} of OTLP/HTTP.",
            otlp,
            {"200": "They are read, and left out." if signal == "metrics" else "They are stored."},
        )
        for path, signal in PATHS.items()
    }
    replies = {"200": "It is stored, or was.", "409": "It begins elsewhere than where the segment goes on: `expected`."}
    paths["/v1/segments"] = _post(
        "A stretch of a segment, as `gatewatch ship` sends it.", {"application/x-ndjson": spans}, replies, segment
    )
    paths["/v1/feedback"] = _post(
        "What a user says of an answer.", {"application/json": {"schema": feedback}}, {"201": "It is stored."}
    )
    paths["/v1/feedback"]["post"]["responses"] |= refusals("422", "429")
    return paths


def _post(
    about: str, content: dict[str, Any], replies: dict[str, str], parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    told = {code: {"description": text} for code, text in replies.items()}
    operation: dict[str, Any] = {
        "tags": ["sending"],
        "summary": about,
        "requestBody": {"required": True, "content": content},
        "responses": told | refusals(*_SENDING),
        "security": [{"token": []}, {"basic": []}],
    }
    return {"post": operation | ({"parameters": parameters} if parameters else {})}


def _header(name: str, about: str, pattern: str) -> dict[str, Any]:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": True, "description": about, "schema": schema}
