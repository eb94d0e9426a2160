"""The reply cache: what a model answered, under a key of everything that its answer depends on.

One SQLite file, which several processes may use at once. It is never worth a run: a file that is damaged is set aside,
one that is not ours or cannot be used is left alone, each with one warning in the log.
"""

import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.own import make_own
from gatewatch.models.protocol import ChatReply, ChatRequest

if TYPE_CHECKING:
    import sqlite3

FORMAT_VERSION = 1
_APPLICATION_ID = 0x47_57_52_43  # "GWRC", in the file's header
_BUSY_MS = 2000
_OPEN_TRIES = 100
_OPEN_PAUSE_S = 0.02

_log = logging.getLogger(__name__)

bypassed: ContextVar[bool] = ContextVar("gatewatch_cache_bypassed", default=False)
"""Whether what is asked meanwhile is asked of the model, whatever is kept, and its replies are not kept."""


def reply_key(base_url: str, model: str, parameters: Mapping[str, Any], request: ChatRequest) -> str:
    """The key of a request's reply: a digest over all that the answer depends on.

    `parameters` are the ones sent, the model's own merged with the request's.
    """
    return codec.digest(
        (
            FORMAT_VERSION,
            base_url,
            model,
            parameters,
            request.messages,
            request.tools,
            request.schema,
            request.trial,
        )
    )


def worth_keeping(request: ChatRequest, reply: ChatReply) -> bool:
    """Whether a reply may be given again: one that was cut off, or is not of the schema asked for, is asked anew.

    The JSON may stand in a code fence, as it does where a provider is not held to the schema.
    """
    if reply.finish == "length":
        return False
    if request.schema is None:
        return True
    from jsonschema_rs import is_valid

    text = reply.text.strip()
    if text.startswith("```json") and text.endswith("```"):
        text = text[len("```json") : -len("```")]
    try:
        return is_valid(request.schema, codec.parse(text.encode()))
    except (ValueError, RecursionError):
        return False


class _NotOurs(Exception):  # noqa: N818 - says what the file is
    """The file is some other program's database, or a later version's."""


class ReplyCache:
    """Replies by key, in a SQLite file that is made when first needed.

    What was set is there after `kill -9` of the process (a write-ahead log; not after a power cut).
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db: sqlite3.Connection | Literal["unopened", "off"] = "unopened"

    def get(self, key: str) -> ChatReply | None:
        """The reply kept under a key: marked `cached`, costing nothing."""
        rows = [] if bypassed.get() else self._execute("SELECT reply FROM reply WHERE key = ?", key)
        framed = codec.unframe(rows[0][0]) if rows else None
        if framed is None:  # nothing there, or a damaged record: asked for anew, and written over
            return None
        try:
            reply = codec.decode(framed[1], ChatReply)
        except ValueError:
            return None
        return replace(reply, cached=True, cost=Cost(), waited_s=0.0, retries=0)

    def set(self, key: str, reply: ChatReply) -> None:
        """Keep a reply."""
        if bypassed.get():
            return
        record = codec.frame("reply", codec.encode(reply))
        self._execute("INSERT OR REPLACE INTO reply (key, reply) VALUES (?, ?)", key, record)

    def clear(self) -> int:
        """Let go of every reply, so that nothing of them is left in the file or its log, and say how many there were;
        files that were set aside go too. A file that is not there, or is not ours, is left as it is.

        Raises:
            OSError: when it cannot be written, or others use it without a pause.
        """
        import sqlite3

        for aside in self.path.parent.glob(f"{self.path.name}.damaged-*"):
            aside.unlink(missing_ok=True)
        if not self.path.is_file():
            return 0
        try:
            db = self._open()
        except _NotOurs:
            return 0
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from error
        try:
            number = int(db.execute("SELECT count(*) FROM reply").fetchone()[0])
            db.execute("PRAGMA secure_delete = ON")
            db.execute("DELETE FROM reply")
            db.execute("VACUUM")
            if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                raise OSError(f"{self.path}: its log is in use")
            return number
        except sqlite3.Error as error:
            raise OSError(f"{self.path}: {error}") from error
        finally:
            db.close()

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        if not isinstance(self._db, str):
            self._db.close()
            self._db = "unopened"

    def _execute(self, statement: str, *values: Any) -> list[Any]:
        if self._db == "off":
            return []
        import sqlite3

        for _ in range(2):  # once more after a damaged file was set aside
            try:
                if isinstance(self._db, str):
                    self._db = self._open()
                return self._db.execute(statement, values).fetchall()
            except (sqlite3.OperationalError, _NotOurs, OSError) as error:
                _log.warning("the reply cache %s is not used from here on: %s", self.path, error)
                break
            except sqlite3.DatabaseError as error:
                self.close()
                if not self._set_aside(error):
                    break
        self.close()
        self._db = "off"
        return []

    def _open(self) -> "sqlite3.Connection":
        import sqlite3

        self.path.parent.mkdir(parents=True, exist_ok=True)
        make_own(self.path)
        db = sqlite3.connect(self.path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: "sqlite3.Connection") -> None:
        import sqlite3

        db.execute("BEGIN")  # one view for all three: another process may be making the file
        owner = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        tables = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        db.execute("COMMIT")
        if owner != _APPLICATION_ID and (owner or tables):
            raise _NotOurs("it is a database of some other program")
        if version > FORMAT_VERSION:
            raise _NotOurs(f"a later Gatewatch wrote it (format {version}; this one reads {FORMAT_VERSION})")
        for last in range(_OPEN_TRIES - 1, -1, -1):
            try:  # SQLite does not wait its busy time for this one when two processes change the mode at once
                db.execute("PRAGMA journal_mode = WAL")
                break
            except sqlite3.OperationalError:
                if not last:
                    raise
                time.sleep(_OPEN_PAUSE_S)
        db.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            db.executescript(
                f"""
                BEGIN IMMEDIATE;
                CREATE TABLE IF NOT EXISTS reply (key TEXT PRIMARY KEY, reply BLOB NOT NULL) WITHOUT ROWID;
                PRAGMA application_id = {_APPLICATION_ID};
                PRAGMA user_version = {FORMAT_VERSION};
                COMMIT;
                """
            )

    def _set_aside(self, error: Exception) -> bool:
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        try:
            self.path.rename(aside)
            for suffix in ("-wal", "-shm"):  # they belong to the file that is gone
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as problem:
            _log.warning("the reply cache %s is damaged (%s) and could not be set aside: %s", self.path, error, problem)
            return False
        _log.warning("the reply cache %s is damaged (%s): set aside as %s", self.path, error, aside.name)
        return True
