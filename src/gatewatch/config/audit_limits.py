"""How much of what an audit finds is too much: `duplicate:5`, `stale:2%`."""

import re
from collections.abc import Iterable, Sequence

from msgspec import Struct

from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.loop.audit import Audit
from gatewatch.loop.finding import CHECKS

_LIMIT = re.compile(r"([^:]*)(?::\s*(\d+(?:\.\d+)?)\s*(%?))?")


class Limit(Struct, frozen=True):
    """How many findings of a check are let pass: a number, or a share of the cases (0..1)."""

    check: str
    number: int = 0
    share: float | None = None


class Tripped(Struct, frozen=True):
    """A check that found too much, or that could not be made, in words."""

    check: str
    said: str


def checks_named(option: str, names: Iterable[str]) -> tuple[str, ...]:
    """Checks by their names, in which dashes and underscores are one.

    Raises:
        ConfigError: with every name that no check has.
    """
    found = tuple(name.strip().lower().replace("-", "_") for name in names)
    problems = [
        Problem(option, f"there is no check {name!r}", did_you_mean(name, CHECKS))
        for name in found
        if name not in CHECKS
    ]
    if problems:
        raise ConfigError(problems)
    return found


def limits(texts: Sequence[str]) -> list[Limit]:
    """Limits as people write them.

    Raises:
        ConfigError: with each that is none, or of no check.
    """
    problems: list[Problem] = []
    found = []
    for text in texts:
        match = _LIMIT.fullmatch(text.strip())
        if match is None or (not match[3] and "." in (match[2] or "")) or (match[3] and float(match[2]) > 100):
            problems.append(
                Problem("--fail-on", f"expected CHECK, CHECK:N or CHECK:P%, got {text!r}", "such as stale:2%")
            )
            continue
        try:
            (check,) = checks_named("--fail-on", [match[1]])
        except ConfigError as error:
            problems += error.problems
            continue
        share = float(match[2]) / 100 if match[3] else None
        found.append(Limit(check, 0 if share is not None else int(match[2] or 0), share))
    if problems:
        raise ConfigError(problems)
    return found


def tripped(held: Sequence[Limit], found: Audit) -> tuple[list[Tripped], list[Tripped]]:
    """Which limits are passed, and which cannot be held against anything since their check was not made."""
    over, unknown = [], []
    for limit in held:
        count = found.counts.get(limit.check)
        if count is not None and _passes(limit, count.findings, count.share):
            allowed = f"{limit.number:,}" if limit.share is None else f"{100 * limit.share:g}%"
            said = f"{limit.check}: {count.findings:,} found ({count.share:.1%} of cases), and {allowed} may be"
            over.append(Tripped(limit.check, said))
        elif limit.check in found.unchecked:
            unknown.append(Tripped(limit.check, f"{limit.check}: not checked: {found.unchecked[limit.check]}"))
    return over, unknown


def _passes(limit: Limit, number: int, share: float) -> bool:
    return share > limit.share if limit.share is not None else number > limit.number
