"""What stands for an external id that may not be kept: the same in all records that name it, so that they meet."""

import re
from hashlib import blake2b

_ALIAS = re.compile(r"h:[0-9a-f]{24}")


def alias_of(name: str) -> str:
    """The alias of an application's own name for a request; an alias is its own."""
    if _ALIAS.fullmatch(name):
        return name
    return f"h:{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}"
