"""Where word of an alert may go: channels, as they are named in gatewatch.toml, and what is needed to reach them."""

import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from gatewatch.core.errors import did_you_mean
from gatewatch.core.http import url_flaw

Kind = Literal["stdout", "webhook", "slack", "mail", "apprise"]
KINDS: tuple[Kind, ...] = ("stdout", "webhook", "slack", "mail", "apprise")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
"""How environment variables are called."""
_VARIABLE = re.compile(rf"\$({NAME.pattern})")
_BRACED = re.compile(rf"\$\{{({NAME.pattern})\}}")
_MAIL = re.compile(r"[^@\s<>\"(),:;\\\[\]]+@[A-Za-z0-9.-]+")


class Channel(Struct, frozen=True):
    """A channel: its kind, and an address that may have `$NAME` in it, which is taken from the environment when
    something is sent."""

    kind: Kind
    address: str = ""


class Wires(Struct, frozen=True, kw_only=True):
    """What channels need: the variable with the key that webhooks are signed with, the server and sender of mail, and
    the address that a heartbeat goes to. `$NAME` is taken from the environment."""

    secret_env: str = ""
    smtp: str = ""
    mail_from: str = ""
    heartbeat: str = ""


def channel(text: str) -> Channel:
    """A channel such as "stdout", "webhook:https://...", "slack:$SLACK_URL", "mail:team@example.com", "apprise:$URL".

    Raises:
        ValueError: for anything else. The message does not tell the address, which may be secret.
    """
    name, colon, address = text.strip().partition(":")
    kind = next((each for each in KINDS if each == name), None)
    if kind is None:
        raise ValueError(f"{name[:40]!r} is no kind of channel ({did_you_mean(name, KINDS)})")
    if kind == "stdout":
        if colon:
            raise ValueError("stdout has no address")
        return Channel(kind)
    if not address.strip():
        example = "team@example.com" if kind == "mail" else f"${kind.upper()}_URL"
        raise ValueError(f'an address is missing, such as "{kind}:{example}"')
    address = address.strip()
    if flaw := miswritten(address) or ("" if variables(address) else _flaw(kind, address)):
        raise ValueError(flaw)
    return Channel(kind, address)


def expanded(text: str, environment: Mapping[str, str]) -> str:
    """A text with each `$NAME` in it replaced.

    Raises:
        LookupError: a variable is not set, or empty.
    """

    def value(match: re.Match[str]) -> str:
        found = environment.get(match[1], "").strip()
        if not found:
            raise LookupError(f"the environment variable {match[1]} is not set")
        return found

    return _VARIABLE.sub(value, text)


def variables(text: str) -> list[str]:
    """The names of the environment variables that a text needs."""
    return _VARIABLE.findall(text)


def miswritten(text: str) -> str:
    """What is wrong with how variables are named in a text, or nothing."""
    found = _BRACED.search(text)
    return f"write ${found[1]} in the place of {found[0]}" if found else ""


def public(text: str) -> str:
    """A channel's text as anybody may see it: of an address that is written out, the host is left."""
    name, colon, address = text.partition(":")
    if not colon or name == "mail" or _VARIABLE.fullmatch(address):
        return text
    try:
        host = urlsplit(address).hostname if name != "apprise" else ""
    except ValueError:
        host = ""
    return f"{name}:{host or address.partition(':')[0]}/..."


def _flaw(kind: Kind, address: str) -> str:
    if kind == "mail":
        return "" if _MAIL.fullmatch(address) else f"expected an address such as team@example.com, got {address!r}"
    if kind == "apprise":
        return "" if "://" in address else "expected an address such as tgram://TOKEN/CHAT"
    return "expected an address that begins with https:// or http://" if url_flaw(address) else ""
