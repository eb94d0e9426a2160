"""What stands for a user: a keyed hash, the same wherever the key is, that tells which key it was made with."""

import re
from collections.abc import Iterable
from hashlib import blake2b

_LONGEST_KEY = 64
_HASHED = re.compile(r"(k[0-9a-f]{8})-[0-9a-f]{24}")
ONE_KEY = "the same user counts as several; set GATEWATCH_USER_KEY, the same for every application, server and worker"


def hashed(user: str, key: bytes) -> str:
    """A user's id as it is kept: its key's tag, a dash, 24 hex digits, which tell nothing to who has not the key."""
    digest = blake2b(user.encode("utf-8", "surrogatepass"), key=_fitting(key), digest_size=12)
    return f"{tag_of(key)}-{digest.hexdigest()}"


def tag_of(key: bytes) -> str:
    """What tells one key from another, and no more: a "k" and 8 hex digits of a digest."""
    return "k" + blake2b(_fitting(key), person=b"gatewatch key", digest_size=4).hexdigest()


def tag_in(user: str) -> str:
    """The tag of the key that an id was hashed with; "" where it was not hashed."""
    found = _HASHED.fullmatch(user)
    return "" if found is None else found[1]


def others(tags: Iterable[str], keys: Iterable[bytes]) -> list[str]:
    """The tags of keys that are not among some."""
    return sorted(set(tags) - set(map(tag_of, keys)))


def told(tags: list[str]) -> str:
    """What is said of a store whose ids were hashed with other keys, too."""
    number = f"{len(tags)} other keys" if len(tags) > 1 else "another key"
    shown = ", ".join(tags[:5]) + (", ..." if len(tags) > 5 else "")
    return f"ids of users in this store were hashed with {number} than there is here ({shown})"


def _fitting(key: bytes) -> bytes:
    return key if len(key) <= _LONGEST_KEY else blake2b(key).digest()
