"""From gatewatch.toml to what a server needs: stores of projects, how requests are taken in, limits."""

import re
from collections.abc import Callable
from functools import partial

from msgspec import Struct

from gatewatch.config import units
from gatewatch.config.load import FILE
from gatewatch.config.monitors import base_of, graves_of, name_of, online, store_address
from gatewatch.config.project import Problems, Project
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.online.framing import folder_key, keys
from gatewatch.online.graves import Graves
from gatewatch.online.ingest import Ways
from gatewatch.online.otlp.mapping import TARGETS, Reading
from gatewatch.online.otlp.receive import Rules
from gatewatch.online.otlp.redacting import Cleaning
from gatewatch.store.base import Store
from gatewatch.store.database import Database
from gatewatch.store.open import open_store

_ORIGIN = re.compile(r"https?://[^/\s?#]+")
_LEAST_BODY = 1000


class Serving(Struct, frozen=True, kw_only=True):
    """What a server of a project, and of those that share its store, needs. Durations are in seconds.

    `base` opens the database that has the projects and tokens, `part` the store of a project that is registered.
    `graves` is the list of what was erased from the project's own.
    """

    own: str
    base: Callable[[], Database]
    part: Callable[[str], Store]
    graves: Graves
    ways: Ways
    rules: Rules
    settle_s: float
    quiet_s: float
    reopen_s: float
    origins: tuple[str, ...]
    max_body: int
    feedback_rate: int
    feedback_total: int


def serving(project: Project) -> Serving:
    """All that a project says of what a server takes in.

    Raises:
        ConfigError: with everything that is wrong.
    """
    problems = Problems()
    settings, where = project.settings.ingest, f"{FILE}: ingest"
    seconds: dict[str, float] = {}
    for key in ("settle", "quiet", "reopen"):
        try:
            seconds[key] = units.seconds(getattr(settings, key))
        except ValueError as error:
            problems.append(Problem(f"{where}.{key}", str(error)))
    most = _LEAST_BODY
    try:
        most = units.size(settings.max_body)
        if most < _LEAST_BODY:
            problems.append(Problem(f"{where}.max_body", f"must be at least 1 KB, got {settings.max_body!r}"))
    except ValueError as error:
        problems.append(Problem(f"{where}.max_body", str(error)))
    for place, origin in enumerate(settings.origins):
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            what = f"is no web origin: {origin!r}"
            problems.append(Problem(f"{where}.origins[{place}]", what, 'such as "https://app.example", without a path'))
    for attribute, target in settings.map.items():
        if target not in TARGETS and not (target.startswith("version.") and target != "version."):
            what = f"{target!r} is nothing that an attribute can be mapped to"
            hint = did_you_mean(target, (*TARGETS, "version.NAME"))
            problems.append(Problem(f"{where}.map.{attribute}", what, hint))
    with problems.gather():
        ways = online(project, bound=False).ways
    problems.raise_any()
    return Serving(
        own=name_of(project),
        base=partial(base_of, project),
        part=lambda name: open_store(store_address(project), project=name),
        graves=graves_of(project),
        ways=ways,
        rules=Rules(
            reading=Reading(names=settings.map, user_key=_user_key(project), sampled=settings.sampled),
            cleaning=Cleaning(
                pii=project.settings.online.redact == "pii", drop_fields=project.settings.online.drop_fields
            ),
        ),
        settle_s=seconds["settle"],
        quiet_s=seconds["quiet"],
        reopen_s=seconds["reopen"],
        origins=settings.origins,
        max_body=most,
        feedback_rate=settings.feedback_rate,
        feedback_total=settings.feedback_total,
    )


def _user_key(project: Project) -> bytes:
    """The key that users' ids are hashed with: the variable's, or the one that capture keeps in the spool.

    Raises:
        ConfigError: there is none, and none can be kept.
    """
    spool = project.root / project.settings.online.spool
    there = keys(str(spool))
    try:
        return there[0] if there else folder_key(str(spool))
    except OSError as error:
        what = f"the key that users are hashed with cannot be kept there: {error.strerror}"
        hint = "set GATEWATCH_USER_KEY, the same for every server and application"
        raise ConfigError(Problem(str(spool), what, hint)) from None
