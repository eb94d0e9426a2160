"""The editor of alert rules: what a rule would have told of lately, before it is saved; saved in git's files alone."""

import asyncio
import os
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.alerting import alarming
from gatewatch.config.live import Asked as Wish
from gatewatch.config.live import live
from gatewatch.config.load import FILE, load
from gatewatch.config.project import Project
from gatewatch.config.rules_edit import difference, edited, inline, snippet
from gatewatch.config.watching import tried
from gatewatch.config.writable import alone, may_write
from gatewatch.core.clock import wall
from gatewatch.core.errors import GatewatchError, InputError
from gatewatch.core.watch import RATES, SIGNALS, Alert
from gatewatch.online.alert_text import size
from gatewatch.online.backtest import Told, covered, notes, per_week
from gatewatch.online.monitor import DAY_S
from gatewatch.web.forms import form
from gatewatch.web.pages import monitored, traced
from gatewatch.web.pages.answers import elsewhere
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.charts.bundle import bundle_name, library_url
from gatewatch.web.pages.charts.drawn import drawn
from gatewatch.web.pages.charts.vega import spec, told
from gatewatch.web.pages.house import House
from gatewatch.web.pages.windows import lasting
from gatewatch.web.refusals import Refused

_DAYS = ("7", "30", "90")
_SEVERITIES = ("ticket", "page", "info")
_FIELDS = ("least", "limit", "any", "severity")
_SHOWN = 48


def routes(house: House) -> list[Route]:
    """The editor, and what writes a rule."""

    async def editor(request: Request) -> Response:
        asked = await house.enter(request)
        data = await asyncio.to_thread(_edited, asked)
        return await house.page(asked, "alerts/rules.html", title="Alert rules", screen="alerts", **data)

    async def write(request: Request) -> Response:
        asked = await house.enter(request, "review")
        given = await form(request)
        monitor, name = given.get("monitor", "")[:400], given.get("name", "")[:400]
        asked_for = {key: given.get(key, "")[:100] for key in _FIELDS}

        def written() -> None:
            file = _file(asked)
            if file is None:
                raise Refused(409, f"{FILE} cannot be written here", hint="copy the snippet into a checkout")
            with alone(file.parent):  # what was seen is what is replaced
                text = file.read_text(encoding="utf-8")
                if given.get("seen") != _digest(text):
                    raise Refused(409, f"{FILE} was changed meanwhile", hint="look at the difference again")
                made = edited(text, monitor, name, _rule(name, asked_for))
                if made is None:
                    raise Refused(409, "the rule cannot be written without changing more", hint="copy the snippet")
                check(file, made, monitor, name)
                beside = file.with_name(f".{FILE}.{os.getpid()}")
                beside.write_text(made, encoding="utf-8")
                beside.chmod(file.stat().st_mode)
                beside.replace(file)
            asked.store.note(wall(), traced.author(asked), "rule written", f"{monitor}: {name}")

        await asyncio.to_thread(written)
        return elsewhere(asked.url("/alerts/rules", monitor=monitor, name=name, written="yes"))

    return [Route("/alerts/rules", editor), Route("/alerts/rules", write, methods=["POST"])]


def _file(asked: Asked) -> Path | None:
    """The checkout's file, where it may be written."""
    if asked.root is None:
        return None
    file = asked.root / FILE
    in_git = any((folder / ".git").exists() for folder in (asked.root, *asked.root.parents))
    return file if in_git and file.is_file() and may_write(file) else None


def check(file: Path, text: str, monitor: str, name: str) -> None:
    """Have the new file read, as the worker reads it, before it takes the place of the old.

    Raises:
        Refused: something in it is wrong.
    """
    trial = file.with_name(f".{FILE}.trial-{os.getpid()}.toml")
    try:
        trial.write_text(text, encoding="utf-8")
        said = alarming(Project(file.parent, load(trial)))
        if not any(each.monitor == monitor and name in each.rules for each in said):
            raise Refused(422, f"{monitor} has no scorer and no signal {name!r}")
    except InputError as error:
        raise traced.refused(error) from None
    finally:
        trial.unlink(missing_ok=True)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:24]


def _rule(name: str, given: dict[str, str]) -> dict[str, Any]:
    """What the fields of the form say, as the file has it."""
    signal = name in SIGNALS
    rule: dict[str, Any] = {}
    for field, key in (("least", "rise" if signal else "drop"), ("limit", "above" if signal else "below")):
        text = given[field].strip()
        if text:
            rule[key] = _number(text)
    if given["any"].strip().isdecimal() and int(given["any"]):
        rule["any"] = min(int(given["any"]), 10**6)
    if given["severity"] in _SEVERITIES[1:]:
        rule["severity"] = given["severity"]
    return rule


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _edited(asked: Asked) -> dict[str, Any]:
    """The editor: the rule as it is saved, or what became of trying another."""
    empty: dict[str, Any] = {"monitors": [], "problem": "", "outcome": None, "written": asked.get("written") == "yes"}
    if asked.root is None:
        return empty | {"problem": "the rules of this project are in its own checkout: run `gatewatch serve` there"}
    try:
        project = Project(asked.root, load(asked.root / FILE))
    except InputError as error:
        return empty | {"problem": str(error)}
    monitors = project.settings.monitors
    if not monitors:
        return empty
    monitor = asked.get("monitor", next(iter(monitors)), among=tuple(monitors))
    names = [*dict.fromkeys(each.use for each in monitors[monitor].scorers), *SIGNALS]
    name = asked.get("name", names[0], among=tuple(names))
    saved = monitors[monitor].alert.rules.get(name)
    given = {key: asked.get(key, longest=100) for key in _FIELDS}
    trying = any(given.values()) or asked.get("try") == "yes"
    if not trying and saved is not None:
        given = {
            "least": _text(saved.drop if saved.drop is not None else saved.rise),
            "limit": _text(saved.below if saved.below is not None else saved.above),
            "any": _text(saved.any),
            "severity": saved.severity,
        }
    days = asked.get("days", "30", among=_DAYS)
    found = empty | {
        "monitors": [(each, each) for each in monitors],
        "monitor": monitor,
        "names": [(each, each) for each in names],
        "name": name,
        "given": given,
        "severities": [(each, each) for each in _SEVERITIES],
        "days": days,
        "choices": [(each, f"{each} days") for each in _DAYS],
        "is_signal": name in SIGNALS,
        "is_rate": name in RATES,
        "saved": saved is not None,
    }
    if not trying:
        return found
    rule = _rule(name, given)
    try:
        outcome = _outcome(asked, project, monitor, name, rule, float(days))
    except GatewatchError as error:
        return found | {"problem": str(error)}
    return found | {"outcome": outcome, "rule": rule, **_saving(asked, monitor, name, rule)}


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _saving(asked: Asked, monitor: str, name: str, rule: dict[str, Any]) -> dict[str, Any]:
    """How the rule is saved: a snippet, and in a writable checkout what would change in its file."""
    found: dict[str, Any] = {
        "snippet": snippet(monitor, name, rule),
        "command": f"gatewatch alerts backtest {traced.quoted(monitor)} --rule {traced.quoted(inline(name, rule))}",
        "diff": [],
        "seen": "",
    }
    file = _file(asked)
    if file is None:
        return found
    text = file.read_text(encoding="utf-8")
    made = edited(text, monitor, name, rule)
    if made is None:
        return found
    return found | {"diff": difference(text, made, FILE), "seen": _digest(text)}


def _outcome(
    asked: Asked, project: Project, monitor: str, name: str, rule: dict[str, Any], days: float
) -> dict[str, Any]:
    """What the rule would have told of, and what the saved rules did; over the same days."""
    now = wall()
    since = now - days * DAY_S
    new = tried(project, asked.store, monitor, (inline(name, rule),), since=since, until=now)
    old = tried(project, asked.store, monitor, (), since=since, until=now)
    mine, before = _about(new, name), _about(old, name)
    alerts = sorted((one for each in mine for one in each.alerts if one.name == name), key=lambda one: -one.opened)
    flow = project.settings.monitors[monitor].flow
    found = live(asked.store, project, Wish(flow=flow, since=since, until=now, scorer=name))
    series = monitored.of_rule(found, name, alerts)
    return {
        "alerts": [(each, size(each)) for each in alerts[:_SHOWN]],
        "n": sum(not each.quiet for each in alerts),
        "quiet": sum(bool(each.quiet) for each in alerts),
        "per_week": per_week(mine, since=since, until=now),
        "before": sum(not one.quiet for one in _named(before, name)),
        "lasting": lasting(now - covered(mine, since=since, until=now)),
        "conversations": sum(each.conversations for each in mine),
        "notes": list(dict.fromkeys(note for each in mine for note in notes(each, since))),
        "series": series,
        "geometry": None if series is None else drawn(series),
        "about": "" if series is None else told(series),
        "chart": None if series is None or not bundle_name() else spec(series),
        "library": library_url(asked),
    }


def _about(found: Iterable[Told], name: str) -> list[Told]:
    """The streams that a rule is about: the scorer's, or that of all signals."""
    return [each for each in found if each.stream.scorer == ("" if name in SIGNALS else name)]


def _named(found: Iterable[Told], name: str) -> list[Alert]:
    return [one for each in found for one in each.alerts if one.name == name]
