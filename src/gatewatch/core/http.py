"""What can be sent over HTTP, looked at before anything is sent; and what a reply says of sending it again."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

_AGAIN = frozenset({408, 425, 429})
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


def try_again(status: int) -> bool:
    """Whether what a service answered with such a status may be taken another time."""
    return status >= 500 or status in _AGAIN


def retry_after_of(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds for which a service asks not to be called: `retry-after-ms`, else `Retry-After` (seconds or a date)."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    stated = headers.get("retry-after")
    seconds = _number(stated)
    if seconds is not None or stated is None:
        return seconds
    try:
        date = parsedate_to_datetime(stated)
    except (ValueError, TypeError, OverflowError):
        return None
    return max(0.0, ((date if date.tzinfo else date.replace(tzinfo=UTC)) - now).total_seconds())


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
