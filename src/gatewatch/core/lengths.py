"""How long a name or an id may be that a store looks things up by: as long as any that is meant."""

LONGEST_NAME = 400
"""The most characters that are kept of a name or an id."""
_BYTES = 600  # PostgreSQL indexes at most 2,704 together, and four names are looked up together
_SURELY = _BYTES // 5  # characters: none takes more bytes than one that is escaped, as `store.database` does it


def cut(text: str) -> str:
    """A name, cut where it takes more than 400 characters or, as it is stored, 600 bytes."""
    if len(text) <= _SURELY:
        return text
    text, room = text[:LONGEST_NAME], _BYTES
    if text.isascii() and text.isprintable():
        return text
    for place, letter in enumerate(text):
        room -= 5 if letter in "\0\x10" or "\ud800" <= letter <= "\udfff" else len(letter.encode())
        if room < 0:
            return text[:place]
    return text
