"""From a record as the request left it to the frame that is written, without what is not to be kept.

This is done off the request's path, by the thread that writes, but before anything is written.
"""

import os
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.feedback import Feedback
from gatewatch.core.trace import Trace
from gatewatch.online.redact import Rules, redact, redacted_text, unreadable
from gatewatch.online.settings import Settings

KEY_FILE = "user.key"
_LONGEST_KEY = 64


class Framing:
    """Makes frames under some settings; the key of users lies in `folder`, where none is set and there is a folder."""

    def __init__(self, settings: Settings, folder: Path | None) -> None:
        self._folder = folder
        self._rules = Rules(pii=settings.redact == "pii", drop_fields=settings.drop_fields, hook=settings.hook)
        self._changes = self._rules.pii or bool(self._rules.drop_fields) or self._rules.hook is not None
        self._key = settings.user_key.encode("utf-8", "surrogatepass")

    def frame(self, kind: str, payload: bytes, user: str = "") -> bytes:
        """A record as it is written. It takes the folder's key of users, where a user is named.

        Raises:
            OSError: when that key can neither be read nor made.
        """
        return codec.frame(kind, self.payload(kind, payload, user))

    def payload(self, kind: str, payload: bytes, user: str = "") -> bytes:
        """A record's JSON as it is kept; raises as `frame` does."""
        if user:
            payload = b'%s,"user":"%s"}' % (payload[:-1], self._hashed(user).encode())
        if not self._changes:
            return payload
        if kind == "trace":
            return self._redacted(payload)
        if kind == "feedback" and self._rules.pii:
            said = codec.decode(payload, Feedback)
            return codec.encode(
                replace(said, comment=redacted_text(said.comment), external_id=redacted_text(said.external_id))
            )
        return payload

    def _redacted(self, payload: bytes) -> bytes:
        try:
            trace = codec.decode(payload, Trace)
        except Exception as error:
            return codec.encode(unreadable(payload, error))
        return codec.encode(redact(trace, self._rules))

    def _hashed(self, user: str) -> str:
        if not self._key:
            self._key = _folder_key(self._folder) if self._folder is not None else os.urandom(32)
        key = self._key if len(self._key) <= _LONGEST_KEY else blake2b(self._key).digest()
        return blake2b(user.encode("utf-8", "surrogatepass"), key=key, digest_size=12).hexdigest()


def _folder_key(folder: Path) -> bytes:
    """The key that lies in a folder, made when there is none: the first of several processes makes it for all."""
    path = folder / KEY_FILE
    for _ in range(3):
        with suppress(FileNotFoundError):
            found = path.read_bytes().strip()
            if found:
                return found
            path.unlink(missing_ok=True)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        making = folder / f"{KEY_FILE}.{os.getpid()}.{token_hex(4)}"
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, token_hex(32).encode())
        finally:
            os.close(descriptor)
        try:
            with suppress(FileExistsError):
                os.link(making, path)
        finally:
            making.unlink(missing_ok=True)
    raise OSError(f"{path}: the key of users cannot be read")
