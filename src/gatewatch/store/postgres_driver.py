"""What is to be known of PostgreSQL's driver: how an address is read, a connection made, an error told."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewatch.core.errors import StoreBusy, StoreError, StoreFull, StoreRefused
from gatewatch.store.database import unescaped

if TYPE_CHECKING:
    import psycopg

_MOST_SAID = 500  # characters of a server's message
_REFUSED = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "does not exist",
    "certificate",
    "SSL was required",
    "server does not support SSL",
)
_UNCLEAR = re.compile(r"\w+://([^?]*@[^?]*@|[^/?@]*:[^/?@]*/[^?]*@)")
"""An address with / or @ in its password as they are: parts of that would be taken for the host, and be shown."""
_LATER = {
    "40001": "others changed the same",
    "40P01": "others changed the same",
    "53300": "it has too many connections",
    "55P03": "others kept it locked",
    "57014": "it took too long",
}
LOST = ("08", "25006", "57P01", "57P02", "57P03", "57P05", "25P03")
"""How the codes begin that say that another connection is needed: 25006 is of a server that may only be read now."""


def parsed(address: str) -> dict[str, Any]:
    """The parts of an address.

    Raises:
        StoreError: it cannot be read, or the driver is not installed; the address is not shown.
    """
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        what = "a store in PostgreSQL needs psycopg"
        raise StoreError(f'{what}: pip install "gatewatch[postgres]" ({error})') from None
    try:
        if _UNCLEAR.match(address):
            raise ProgrammingError
        return dict(conninfo_to_dict(address))
    except ProgrammingError:
        what = "the address of the store cannot be read: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        raise StoreError(f"{what}, with % and two hex digits for what is no letter or digit in a password") from None


def name_of(parts: Mapping[str, Any], schema: str) -> str:
    """What a database is called in messages: without a password."""
    hosts = str(parts.get("host") or "").split(",")
    ports = str(parts.get("port") or "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    where = ",".join(f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
    user = f"{parts['user']}@" if parts.get("user") else ""
    return f"postgresql://{user}{where}/{parts.get('dbname') or ''}" + (f" ({schema})" if schema else "")


def connected(parts: Mapping[str, Any]) -> "psycopg.Connection[tuple[Any, ...]]":
    """A connection that keeps nothing in its session.

    Raises:
        psycopg.Error: it cannot be made.
    """
    import psycopg
    from psycopg.adapt import AdaptersMap, Loader
    from psycopg.pq import Format
    from psycopg.types.numeric import Int8BinaryDumper

    class TextOut(Loader):
        format = Format.BINARY

        def load(self, data: Any) -> str:
            return unescaped(bytes(data))

    adapters = AdaptersMap(psycopg.adapters)
    for whole in (int, bool):
        adapters.register_dumper(whole, Int8BinaryDumper)
    for kind in ("text", "varchar", "name"):
        adapters.register_loader(kind, TextOut)
    made = psycopg.connect(
        psycopg.conninfo.make_conninfo(**parts),
        autocommit=True,
        prepare_threshold=None,
        cursor_factory=psycopg.RawCursor,
        context=_Context(adapters),
    )
    made.prepared_max = 0
    return made


class _Context:
    """What the driver wants adapters to be handed over in."""

    connection = None

    def __init__(self, adapters: Any) -> None:
        self.adapters = adapters


def is_lost(error: "psycopg.Error") -> bool:
    """Whether another connection is needed after an error."""
    import psycopg

    code = error.sqlstate
    return (
        isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) if code is None else code.startswith(LOST)
    )


def told(name: str, error: "psycopg.Error") -> StoreError:
    """An error of PostgreSQL's in our words."""
    import psycopg

    code = error.sqlstate or ""
    said = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())[:_MOST_SAID]
    if not code and any(each in said for each in _REFUSED) and "Multiple" not in said:
        return StoreError(f"{name}: lets nobody in so ({said}); see to the user, password and database of the address")
    if not code and "connection is bad: invalid " in said:
        return StoreError(f"{name}: its address cannot be used ({said}); see to what is said behind the question mark")
    if is_lost(error):
        return StoreBusy(f"{name}: cannot be reached ({said}); try again later")
    if code in _LATER:
        return StoreBusy(f"{name}: {_LATER[code]} ({said}); try again later")
    if code == "53100":
        return StoreFull(f"{name}: the server's disk is full; make room: nothing that was kept is lost")
    if code == "58030":
        return StoreFull(f"{name}: the server's disk cannot be written or read ({said}); is it full?")
    if code == "42501":
        return StoreError(f"{name}: its user may not do that ({said}); see to the rights that it has been granted")
    if code.startswith("XX"):
        return StoreError(f"{name}: is damaged ({said}); put a backup in its place")
    if code == "54000" or code.startswith("22") or (not code and isinstance(error, psycopg.DataError)):
        return StoreRefused(f"{name}: {said}")
    return StoreError(f"{name}: {said}")
