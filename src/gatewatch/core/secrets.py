"""Secrets that have a form: keys and tokens by the marks that their issuers give them, so that they can be found.

What is found, by type:

    aws_key            an access key's id (AKIA..., ASIA...)
    github_token       ghp_, gho_, ghu_, ghs_, ghr_, github_pat_
    gitlab_token       glpat-
    slack_token        xoxb-, xoxp-, xoxa-, xoxr-, xoxs-, xapp-; and the addresses of incoming webhooks
    stripe_key         sk_live_, rk_live_ (test keys are none)
    google_key         AIza
    llm_key            sk-, sk-proj-, sk-ant- and longer
    package_token      npm_, pypi-
    sendgrid_key       SG.
    twilio_key         SK and 32 hex digits
    jwt                a signed JSON web token, whose head says so
    private_key        a PEM block that says PRIVATE KEY
    url_password       a password in an address: scheme://name:password@host
    assigned           password, secret, token or api key set to a value of 12 characters or more, in which letters and
                       digits are mixed as people do not write them

What is not: passwords in prose, keys without a mark, anything encoded or broken over lines. What is plainly a
placeholder is left out: EXAMPLE, your-key-here, xxxx, <token>, ${TOKEN}, ****.
"""

import base64
import binascii
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from math import log2
from string import ascii_letters, digits
from typing import Any

from msgspec import Struct

from gatewatch.core.spots import apart, classes, leaves, replaced, shape

_END = r"(?![A-Za-z0-9_-])"
_START = r"(?<![A-Za-z0-9_-])"


class Secret(Struct, frozen=True):
    """Where a secret stands in a text: `text[start:end]`."""

    type: str
    start: int
    end: int


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(_START + pattern + _END)


# A literal that every match holds, so that most texts are passed over at the speed of a search; and the pattern.
_FORMS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = (
    ("aws_key", ("AKIA", "ASIA"), _form(r"(?:AKIA|ASIA)[A-Z2-7]{16}")),
    ("github_token", ("gh",), _form(r"gh[pousr]_[A-Za-z0-9]{36,255}")),
    ("github_token", ("github_pat_",), _form(r"github_pat_[A-Za-z0-9_]{60,255}")),
    ("gitlab_token", ("glpat-",), _form(r"glpat-[A-Za-z0-9_-]{20,64}")),
    ("slack_token", ("xox", "xapp-"), _form(r"(?:xox[abprs]|xapp)-[A-Za-z0-9-]{20,250}")),
    (
        "slack_token",
        ("hooks.slack.com",),
        re.compile(r"hooks\.slack\.com/services/T[A-Z0-9]{6,14}/B[A-Z0-9]{6,14}/\w{20,30}"),
    ),
    ("stripe_key", ("k_live_",), _form(r"[rs]k_live_[A-Za-z0-9]{16,247}")),
    ("google_key", ("AIza",), _form(r"AIza[A-Za-z0-9_-]{35}")),
    ("llm_key", ("sk-",), _form(r"sk-(?:(?:proj|svcacct|admin|ant|or)-[A-Za-z0-9_-]{20,250}|[A-Za-z0-9]{32,64})")),
    ("package_token", ("npm_",), _form(r"npm_[A-Za-z0-9]{36}")),
    ("package_token", ("pypi-",), _form(r"pypi-[A-Za-z0-9_-]{50,250}")),
    ("sendgrid_key", ("SG.",), _form(r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}")),
    ("twilio_key", ("SK",), _form(r"SK[0-9a-f]{32}")),
)
# The head, and the body up to the end where there is one, or as far as it looks like one.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:(?!-----)[\s\S]){0,16384}-----END (?:[A-Z]{2,12} ){0,2}PRIVATE KEY(?: BLOCK)?-----"
    r"|(?:(?:\s|\\[nr])+[A-Za-z0-9+/=]{16,}){0,400})"
)
_JWT = _form(r"eyJ[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{4,20000}\.[A-Za-z0-9_-]{16,2000}")
_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9+.-])[a-z][a-z0-9+.-]{1,20}://[^\s:@/\"'<>]{1,64}:([^\s@/\"'<>]{3,128})@[\w.-]{2}"
)
_ASSIGNED = re.compile(
    r"(?i)(?:passwor[dt]|passwd|pwd|secret|token|api[_ -]?key|access[_ -]?key|private[_ -]?key|credential)[\w-]{0,20}"
    r"[\"']?[ \t]{0,4}(?:=|:|=>|:=|\bis\b)[ \t]{0,4}[\"'`]?([A-Za-z0-9_\-+/=.!@#$%^&*]{12,200})"
)
_PLACEHOLDER = re.compile(
    r"(?i)example|your|sample|dummy|changeme|placeholder|redacted|xxx|\*\*\*|\.\.\.|1234567|abcdef|test[-_]?key|[<>{}$\[\]]"
)
_LEAST_BITS = 3.0
_WORDS_FOR_PASSWORD = ("password", "pass", "secret", "user")
_ASSIGNED_WORDS = ("passwor", "passwd", "pwd", "secret", "token", "api", "access", "private", "credential")
_TOKEN_CHARACTERS = classes(a=ascii_letters + digits + "_-")
_TOKEN_RUN = b"a" * 16  # every key or token has so many characters in one run
_VALUE_CHARACTERS = classes(a=ascii_letters + digits + "_-+/=.!@#$%^&*")
_VALUE_RUN = b"a" * 12


def find(text: str, *, checked: bool = True) -> list[Secret]:
    """Secrets in a text, in order, none overlapping; the time is linear in the text's length.

    Args:
        text: the text.
        checked: whether what looks like a placeholder is left out. Without, it is found, too: for redaction, which
            would rather take too much.
    """
    every: list[Secret] = []
    if _TOKEN_RUN in shape(text, _TOKEN_CHARACTERS):
        every += [*_by_form(text, checked=checked), *_tokens(text)]
    if "PRIVATE KEY" in text:
        every += (Secret("private_key", *match.span()) for match in _PRIVATE_KEY.finditer(text))
    if "://" in text and "@" in text:
        every += _addresses(text, checked=checked)
    if _VALUE_RUN in shape(text, _VALUE_CHARACTERS):
        folded = text.casefold()
        if any(word in folded for word in _ASSIGNED_WORDS):
            every += _assigned(text, checked=checked)
    return apart(every) if every else every


def count(value: Any) -> Counter[str]:
    """How many secrets of each type a JSON value holds; every text and key is looked at by itself."""
    found: Counter[str] = Counter()
    for part in leaves(value):
        if isinstance(part, str):
            found.update(each.type for each in find(part))
    return found


def redacted(value: Any) -> tuple[Any, Counter[str]]:
    """A JSON value with its secrets replaced by the type's name in brackets, and how much of each type that was.

    It takes more than `find` shows: placeholders, too, and of a private key its body.
    """
    return replaced(value, lambda text: find(text, checked=False))


def _by_form(text: str, *, checked: bool) -> Iterator[Secret]:
    for kind, marks, pattern in _FORMS:
        if any(mark in text for mark in marks):
            for match in pattern.finditer(text):
                if not (checked and _PLACEHOLDER.search(match[0])):
                    yield Secret(kind, *match.span())


def _tokens(text: str) -> Iterator[Secret]:
    if "eyJ" in text:
        for match in _JWT.finditer(text):
            if _says_jwt(match[0].partition(".")[0]):
                yield Secret("jwt", *match.span())


def _says_jwt(head: str) -> bool:
    """Whether the first part of a token is the head of a signed JSON web token (RFC 7515)."""
    try:
        told = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and isinstance(told.get("alg"), str) and told["alg"].lower() != "none"


def _addresses(text: str, *, checked: bool) -> Iterator[Secret]:
    for match in _ADDRESS.finditer(text):
        if not (checked and (_PLACEHOLDER.search(match[1]) or match[1].lower() in _WORDS_FOR_PASSWORD)):
            yield Secret("url_password", *match.span(1))


def _assigned(text: str, *, checked: bool) -> Iterator[Secret]:
    for match in _ASSIGNED.finditer(text):
        value = match[1].rstrip(".,!")
        if len(value) >= _LEAST_LENGTH and _is_random(value) and not (checked and _PLACEHOLDER.search(value)):
            yield Secret("assigned", match.start(1), match.start(1) + len(value))


_LEAST_LENGTH = 12
_KINDS: tuple[Callable[[str], bool], ...] = (str.islower, str.isupper, str.isdigit)


def _is_random(value: str) -> bool:
    """Whether a value mixes kinds of characters as keys do and words do not: by their number, and Shannon's entropy."""
    numerals = sum(map(str.isdigit, value))
    mixed = sum(any(map(kind, value)) for kind in _KINDS) >= 2
    counts = Counter(value)
    bits = -sum(n / len(value) * log2(n / len(value)) for n in counts.values())
    return mixed and numerals >= 2 and bits >= _LEAST_BITS
