"""From a record as the request left it to the frame that is written, without what is not to be kept.

This is done off the request's path, by the thread that writes, but before anything is written.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.feedback import Feedback
from gatewatch.core.trace import Trace
from gatewatch.online.settings import Settings
from gatewatch.online.writer import make_folder

if TYPE_CHECKING:
    from gatewatch.online.redact import Rules

KEY_FILE = "user.key"
KEY_VARIABLE = "GATEWATCH_USER_KEY"


Payload = bytes | Callable[[], bytes]
"""A record's JSON, or what makes it of values that do not change any more."""


class Framing:
    """Makes frames under some settings; the key of users lies in `folder`, where none is set and there is a folder."""

    def __init__(self, settings: Settings, folder: str | None) -> None:
        self._folder = folder
        self.users = False
        """Whether ids of users can be hashed: `expect_users` was called."""
        self._rules: Rules | None = None
        if settings.redact == "pii" or settings.drop_fields or settings.hook is not None:
            from gatewatch.online import redact  # here, in the application's thread: an import does not survive a fork

            self._redact = redact
            self._rules = redact.Rules(
                pii=settings.redact == "pii", drop_fields=settings.drop_fields, hook=settings.hook
            )
        self._key = settings.user_key.encode("utf-8", "surrogatepass")

    def frame(self, kind: str, payload: Payload, user: str = "") -> bytes:
        """A record as it is written. It takes the folder's key of users, where a user is named.

        Raises:
            OSError: when that key can neither be read nor made.
        """
        return codec.frame(kind, self.payload(kind, payload, user))

    def payload(self, kind: str, payload: Payload, user: str = "") -> bytes:
        """A record's JSON as it is kept; raises as `frame` does. Where there is a user, they were expected."""
        if not isinstance(payload, bytes):
            payload = payload()
        if user:
            payload = b'%s,"user":"%s"}' % (payload[:-1], self._hashed(user).encode())
        if self._rules is None:
            return payload
        if kind == "trace":
            return self._redacted(payload, self._rules)
        if kind == "feedback" and self._rules.pii:
            said = codec.decode(payload, Feedback)
            redact = self._redact
            comment, name = redact.redacted_text(said.comment), redact.redacted_name(said.external_id)
            return codec.encode(replace(said, comment=comment, external_id=name))
        return payload

    def _redacted(self, payload: bytes, rules: "Rules") -> bytes:
        try:
            trace = codec.decode(payload, Trace)
        except Exception as error:
            return codec.encode(self._redact.unreadable(payload, error))
        return codec.encode(self._redact.redact(trace, rules))

    def expect_users(self) -> None:
        """Load what hashes ids; by the application's thread: a fork during an import leaves the child hanging."""
        from gatewatch.core.people import hashed

        self._hash = hashed
        self.users = True

    def _hashed(self, user: str) -> str:
        if not self._key:
            self._key = folder_key(self._folder) if self._folder is not None else os.urandom(32)
        return self._hash(user, self._key)


def keys(folder: str, *more: str) -> list[bytes]:
    """The keys of users there are: those that variables state, `GATEWATCH_USER_KEY` and more, and the one that lies in
    a folder.

    A variable's comes first as capture reads it, without white space around it, then as it stands, which is what an
    application may have given to `configure` itself.
    """
    said = [os.environ.get(name, "") for name in (KEY_VARIABLE, *more)]
    stated = dict.fromkeys(each for text in said for each in (text.strip(), text) if each.strip())
    found = [each.encode("utf-8", "surrogatepass") for each in stated]
    with suppress(OSError), open(os.path.join(folder, KEY_FILE), "rb") as file:
        found += filter(None, (file.read().strip(),))
    return found


def folder_key(folder: str) -> bytes:
    """The key that lies in a folder, made when there is none: the first of several processes makes it for all."""
    path = os.path.join(folder, KEY_FILE)
    for _ in range(3):
        with suppress(FileNotFoundError):
            with open(path, "rb") as file:
                found = file.read().strip()
            if found:
                return found
            os.unlink(path)
        make_folder(folder)
        making = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
        descriptor = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, os.urandom(32).hex().encode())
        finally:
            os.close(descriptor)
        try:
            with suppress(FileExistsError):
                os.link(making, path)
        finally:
            os.unlink(making)
    raise OSError(f"{path}: the key of users cannot be read")
