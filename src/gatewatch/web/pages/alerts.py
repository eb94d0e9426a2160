"""Alerts: what was told of, why, what lies behind it, and who sees to it."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gatewatch.config.live import Asked as Wish
from gatewatch.config.live import flows_of, live
from gatewatch.config.sending import send
from gatewatch.core import marks
from gatewatch.core.clock import wall
from gatewatch.core.errors import InputError
from gatewatch.core.watch import Alert, AlertState
from gatewatch.loop.explore import Found, line_of
from gatewatch.online.alert_text import change, facts, plain, size
from gatewatch.online.monitor import DAY_S
from gatewatch.web.forms import form
from gatewatch.web.pages import alert_rules, monitored, traced
from gatewatch.web.pages.answers import elsewhere
from gatewatch.web.pages.asked import Asked
from gatewatch.web.pages.charts.bundle import bundle_name, library_url
from gatewatch.web.pages.charts.drawn import drawn
from gatewatch.web.pages.charts.vega import spec, told
from gatewatch.web.pages.house import House, Screen
from gatewatch.web.pages.windows import lasting
from gatewatch.web.refusals import Refused

_STATES: tuple[AlertState, ...] = ("open", "acknowledged", "snoozed", "resolved")
_WINDOW = 48
_EVERY = 1000
_BEFORE_S, _AFTER_S = 7 * DAY_S, DAY_S / 2
_SNOOZES = {"1h": 3600.0, "4h": 14_400.0, "1d": DAY_S, "7d": 7 * DAY_S}
_UNSHOWN = ("change", "where", "request", "state", "changed", "more", "what to do")
_LONGEST = 400


def routes(house: House) -> list[Route]:
    """The inbox, one alert, what is done about it; the editor of rules."""

    async def inbox(request: Request) -> Response:
        asked = await house.enter(request)
        data = await asyncio.to_thread(_inbox, asked)
        if asked.fragment:
            return await house.fragment(asked, "alerts/inbox.html", **data)
        return await house.page(asked, "alerts/page.html", title="Alerts", screen="alerts", **data)

    async def one(request: Request) -> Response:
        asked = await house.enter(request)
        data = await asyncio.to_thread(_whole, asked, _number(request))
        if asked.fragment:
            return await house.fragment(asked, "alerts/alert.html", **data)
        return await house.page(asked, "alerts/one.html", title="Alert", screen="alerts", **data)

    async def turn(request: Request) -> Response:
        asked = await house.enter(request, "review")
        number, given = _number(request), await form(request)
        state = given.get("state", "")
        if state not in _STATES:
            raise Refused(422, f"{state[:40]!r} is no state of an alert", hint=f"one of: {', '.join(_STATES)}")
        reason, lasts = plain(given.get("reason", "").strip()[:_LONGEST]), given.get("for", "")
        if state == "resolved" and not reason:
            raise Refused(422, "to resolve it takes a reason", hint="say what it was, or what was done")
        if state == "snoozed" and lasts not in _SNOOZES:
            raise Refused(422, "to snooze it takes a time", hint=f"one of: {', '.join(_SNOOZES)}")
        now, by = wall(), traced.author(asked)
        until = now + _SNOOZES[lasts] if state == "snoozed" else None

        def turned() -> Alert | None:
            found = asked.store.turn_alert(number, state, who=by, reason=reason, now=now, until=until)
            if found is not None and found.state == state:
                asked.store.note(now, by, f"alert {state}", str(number))
            return found

        found = await asyncio.to_thread(turned)
        if found is None:
            raise Refused(404, "there is no such alert")
        if found.state != state:
            raise Refused(409, f"it stays {found.state}: another alert of the same cause is open")
        return elsewhere(asked.url(f"/alerts/{number}"))

    async def failure(request: Request) -> Response:
        asked = await house.enter(request, "review")
        number, given = _number(request), await form(request)
        name, by = given.get("name", "").strip()[:200], traced.author(asked)

        def made() -> str:
            alert = _known(asked, number)
            names = alert.evidence.traces
            if not names:
                raise Refused(422, "it names no request that shows it", hint="choose some in Monitor, by dragging")
            sent = send(
                asked.store,
                asked.project,
                names,
                by=by,
                now=wall(),
                sign=f"alert:{alert.name}",
                failure=name or alert.title,
            )
            asked.store.note(wall(), by, "failure made", f"{sent.name} of alert {number}")
            return sent.name

        try:
            made_name = await asyncio.to_thread(made)
        except InputError as error:
            raise traced.refused(error) from None
        return elsewhere(asked.url(f"/failures/{made_name}"))

    return [
        Route("/alerts", inbox),
        *alert_rules.routes(house),
        Route("/alerts/{number}/turn", turn, methods=["POST"]),
        Route("/alerts/{number}/failure", failure, methods=["POST"]),
        Route("/alerts/{number}", one),
    ]


def _number(request: Request) -> int:
    text = request.path_params["number"]
    if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text)):
        raise Refused(404, "there is no such alert")
    return int(text)


def _known(asked: Asked, number: int) -> Alert:
    found = asked.store.alert(number)
    if found is None:
        raise Refused(404, "there is no such alert", hint="the inbox has all there are")
    return found


def _inbox(asked: Asked) -> dict[str, Any]:
    state = asked.get("state", "open", among=(*_STATES, "all"))
    flow, quiet = asked.get("flow"), asked.get("quiet") == "on"
    every = asked.store.alerts(flow=flow, every=True, most=_EVERY)
    shown = [each for each in every if quiet or not each.quiet]
    counts = {name: sum(each.state == name for each in shown) for name in _STATES}
    fitting = [each for each in shown if state in ("all", each.state)]
    begin = asked.number("offset", most=_EVERY)
    left = len(fitting) - begin - _WINDOW
    flows = flows_of(asked.store, asked.project)
    return {
        "state": state,
        "flow": flow,
        "quiet": quiet,
        "hidden": sum(bool(each.quiet) for each in every),
        "flows": [("", "all"), *((name, name) for name in flows)],
        "tabs_of": [(name, counts[name]) for name in _STATES] + [("all", len(shown))],
        "alerts": [_line(each) for each in fitting[begin : begin + _WINDOW]],
        "n": len(fitting),
        "following": asked.link(offset=begin + _WINDOW) if left > 0 else "",
        "left": left,
        "watched": asked.project is None or bool(asked.project.settings.monitors),
        "now": wall(),
    }


def _line(alert: Alert) -> dict[str, Any]:
    ends = alert.updated if alert.state == "resolved" else wall()
    return {"alert": alert, "shape": _shape(alert), "size": size(alert), "lasts": lasting(ends - _began(alert))}


def _began(alert: Alert) -> float:
    return alert.evidence.onset or alert.opened


def _shape(alert: Alert) -> str:
    return (
        "resolved"
        if alert.state == "resolved"
        else {"page": "critical", "ticket": "warning"}.get(alert.severity, "none")
    )


def _whole(asked: Asked, number: int) -> dict[str, Any]:
    """An alert with the chart of its moment, and the requests behind it; to look at these is noted."""
    alert = _known(asked, number)
    store = asked.store
    rows = [row for name in alert.evidence.traces if (row := store.find(name)) is not None]
    lines = [line_of(store, row) for row in rows]
    traced.note(asked, lines)
    series = None
    if alert.flow:
        since, until = alert.opened - _BEFORE_S, min(wall(), alert.opened + _AFTER_S)
        found = live(store, asked.project, Wish(flow=alert.flow, since=since, until=until, scorer=alert.name))
        series = monitored.of_alert(found, alert)
    reach = max((abs(each) for part in alert.evidence.segments for each in (part.low, part.high)), default=0.0)
    return {
        **_line(alert),
        "facts": [(label, text) for label, text in facts(alert) if label not in _UNSHOWN],
        "change": change(alert),
        "series": series,
        "geometry": None if series is None else drawn(series),
        "about": "" if series is None else told(series),
        "chart": None if series is None or not bundle_name() else spec(series),
        "library": library_url(asked),
        "lines": Found(tuple(lines)),
        "following": "",
        "left": 0,
        "scorer": alert.name if series is not None and series.unit == "share" else "",
        "mark_names": marks.names,
        "reach": min(1.0, reach) or 1.0,
        "snoozes": list(_SNOOZES),
        "is_share": alert.name not in ("cost", "output_tokens"),
        "window": (round(alert.opened - _BEFORE_S), round(min(wall(), alert.opened + _AFTER_S))),
    }


def _badge(asked: Asked) -> int:
    """How many alerts are open."""
    return sum(each.state == "open" and not each.quiet for each in asked.store.alerts(most=100))


SCREEN = Screen(
    key="alerts", path="/alerts", title="Alerts", group="Live", icon="alerts", chord="a", routes=routes, badge=_badge
)
