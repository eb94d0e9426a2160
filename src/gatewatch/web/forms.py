"""What a form of a page says: small, and read once however often it is asked for."""

from urllib.parse import parse_qsl

from starlette.datastructures import ImmutableMultiDict
from starlette.requests import ClientDisconnect, Request

from gatewatch.web.refusals import Refused

MOST_BYTES = 1_000_000
"""How long a form may be, in bytes as it is sent."""
_MOST_FIELDS = 1000
_KIND = "application/x-www-form-urlencoded"
Form = ImmutableMultiDict[str, str]


def is_form(request: Request) -> bool:
    """Whether a request is a form, as pages send it."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == _KIND


async def form(request: Request, most: int = MOST_BYTES) -> Form:
    """The fields of a form that was sent.

    Raises:
        Refused: it is no form (415), does not say how long it is (411), is too long (413), or malformed (400).
    """
    if not is_form(request):
        raise Refused(415, f"a form is {_KIND}", where="content-type")
    stated = request.headers.get("content-length", "")
    if not stated.isdecimal():
        raise Refused(411, "a form says how long it is", where="content-length")
    if int(stated) > most:
        raise Refused(413, f"the form is longer than {most:,} bytes")
    try:
        text = (await request.body()).decode()
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ClientDisconnect:
        raise Refused(400, "the form is not whole: the connection was closed", reason="cut off") from None
    except ValueError:
        raise Refused(400, f"the form is not UTF-8, or has more than {_MOST_FIELDS} fields") from None
    return ImmutableMultiDict(fields)
