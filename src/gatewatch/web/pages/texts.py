"""How texts of models and users are shown: whole or cut, and with what cannot be seen made visible.

All of it is plain text: templates escape it. It is put into `<bdi>`, so that its direction stays within it.
"""

import re
from typing import Any

from gatewatch.core import codec

MOST = 65_536
"""Up to how many bytes of a text a page shows at once."""
# What a terminal obeys, turns the direction, hides letters or ends lines unseen. Joiners stay: emoji and some scripts
# need them.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_SPACE = re.compile(r"\s+")


def visible(value: Any) -> str:
    """A text in which control characters, marks of direction and letters that hide are seen; of other values their
    JSON."""
    text = value if isinstance(value, str) else codec.text_of(value)
    return _UNSEEN.sub(lambda found: f"\u27e6U+{ord(found[0]):04X}\u27e7", text.replace("\r\n", "\n"))


def clipped(text: str, most: int = MOST) -> str:
    """A text cut at so many bytes, between letters; the same where it is not longer."""
    if len(text) <= most // 4:
        return text
    data = text[:most].encode("utf-8", "replace")
    return text if len(text) <= most and len(data) <= most else data[:most].decode("utf-8", "ignore")


def brief(value: Any, most: int = 240) -> str:
    """The beginning of a text in one line, for a cell of a table."""
    text = value if isinstance(value, str) else codec.text_of(value)
    line = _SPACE.sub(" ", visible(text[: 4 * most])).strip()
    return line if len(line) <= most and len(text) <= 4 * most else line[: most - 1] + "…"


def pretty(value: Any) -> str:
    """A value as indented JSON; a text that is JSON likewise, any other text as it is."""
    if isinstance(value, str):
        if len(value) > MOST or not value.lstrip().startswith(("{", "[")):
            return value
        try:
            return codec.indented(codec.parse(value.encode("utf-8", "replace")))
        except (ValueError, RecursionError):
            return value
    return codec.indented(value)
