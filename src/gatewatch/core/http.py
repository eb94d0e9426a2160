"""What can be sent over HTTP: addresses and headers as users write them, looked at before anything is sent."""

import re
from urllib.parse import urlsplit

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def url_flaw(url: str) -> str:
    """What is wrong with the address of a service, or nothing."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it is looked at when asked for
    except ValueError as error:
        return f"is no URL: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return f"must begin with http:// or https:// and name a host, got {url!r}"
    if " " in url or not url.isprintable():
        return f"holds a character that no URL has, got {url!r}"
    return ""


def header_flaw(name: str, value: str) -> str:
    """What is wrong with a header, or nothing; the value, which may be secret, is not told.

    Source: RFC 9110, sections 5.1 and 5.5, without the values beyond ASCII that it advises against.
    """
    if not _NAME.fullmatch(name):
        return f"{name!r} is no name that a header can have"
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        return f"the value of {name!r} holds characters that cannot be sent in a header"
    return ""
