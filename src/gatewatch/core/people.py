"""What stands for a user: a keyed hash, the same wherever the key is."""

from hashlib import blake2b

_LONGEST_KEY = 64


def hashed(user: str, key: bytes) -> str:
    """A user's id as it is kept: 24 hex digits, which tell nothing to who has not the key."""
    key = key if len(key) <= _LONGEST_KEY else blake2b(key).digest()
    return blake2b(user.encode("utf-8", "surrogatepass"), key=key, digest_size=12).hexdigest()
