"""An alert in words: names, numbers, intervals and ids of requests, and nothing of what was said in them."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from gatewatch.core.money import dollars
from gatewatch.core.watch import RATES, Alert, Segment
from gatewatch.online.channels import public
from gatewatch.store.watching import Notice

GLYPHS = {"page": "✕", "ticket": "!", "info": "·"}
_SHOWN = 5
_MINUS = "\u2212"


def plain(text: str) -> str:
    """Text on one line, without control characters and marks that turn its direction."""
    letters = (letter for letter in text if letter.isspace() or letter.isprintable())
    return "".join(" " if letter.isspace() else letter for letter in letters)


def moment(at: float) -> str:
    """A time for people, in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def headline(alert: Alert, event: str = "opened") -> str:
    """An alert in one line."""
    where = f"{alert.flow}: " if alert.flow else ""
    if event == "resolved":
        return plain(f"✓ resolved: {where}{alert.title}")
    return plain(
        f"{GLYPHS[alert.severity]} {alert.severity} {'worse: ' if event == 'worse' else ''}{where}{alert.title}"
    )


def facts(alert: Alert) -> list[tuple[str, str]]:
    """What is known of an alert, each with its label."""
    found = alert.evidence
    every = [
        ("state", _state(alert)),
        ("change", change(alert)),
        ("began", f"about {moment(found.onset)}" if found.onset is not None else ""),
        *(("where", segment(alert.name, each)) for each in found.segments[:_SHOWN]),
        *(("changed", f"{moment(each.at)}  {each.what}" + _by(each.who)) for each in found.markers[:_SHOWN]),
        ("note", found.note),
        ("not told", alert.quiet),
        ("owner", alert.owner),
        ("what to do", alert.runbook),
        ("more", alert.link),
        *(("request", each) for each in found.traces[:_SHOWN]),
    ]
    return [(label, plain(text)) for label, text in every if text]


def change(alert: Alert) -> str:
    """How much something changed, with its 95 % interval and what that rests on; nothing where it is not known."""
    found, before = alert.evidence, ""
    if found.before is not None and found.after is not None:
        before = f"{_amount(alert.name, found.before)} → {_amount(alert.name, found.after)}"
        if alert.kind == "ceiling":  # what it is held against is no value that it had
            before = f"{_amount(alert.name, found.after)}, the limit is {_amount(alert.name, found.before)}"
    elif found.after is not None:
        before = _amount(alert.name, found.after)
    return ", ".join(filter(None, (before, size(alert))))


def size(alert: Alert) -> str:
    """What a title, which tells from what to what something changed, does not say of it: how surely, and by how many
    conversations."""
    found = alert.evidence
    effect = "" if found.effect is None else _effect(alert.name, found.effect, found.low, found.high)
    n = _conversations(found.n) if found.n and alert.kind != "never" else ""
    return ", ".join(filter(None, (effect, n)))


def segment(name: str, part: Segment) -> str:
    """What one part of the traffic says of a change."""
    share = f", {part.share:.0%} of traffic" if part.share else ""
    return f"{part.by} {part.name}: {_effect(name, part.effect, part.low, part.high)}, {_conversations(part.n)}{share}"


def sentence(alert: Alert, event: str = "opened") -> str:
    """An alert and the size of its change in one line; of one that is over, by whom and why that is so."""
    more = f"{alert.reason}{_by(alert.who)}" if event == "resolved" else size(alert)
    return " · ".join(filter(None, (headline(alert, event), plain(more), plain(alert.owner))))


def told(alert: Alert) -> dict[str, Any]:
    """An alert as programs read it, without addresses that are written out in its channels."""
    return dict(msgspec.to_builtins(alert)) | {"to": [public(each) for each in alert.to]}


def payload(notice: Notice) -> dict[str, Any]:
    """A notice as programs read it. Other channels that the alert goes to, whose addresses may be secret, are not in
    it."""
    alert = dict(msgspec.to_builtins(notice.alert))
    del alert["to"]
    return {"kind": "gatewatch.alert", "version": 1, "event": notice.event, "alert": alert}


def _state(alert: Alert) -> str:
    again = f", found {alert.times:,} times, last {moment(alert.updated)}" if alert.times > 1 else ""
    until = f" until {moment(alert.until)}" if alert.state == "snoozed" and alert.until is not None else ""
    text = f"{alert.state}{until}, opened {moment(alert.opened)}{again}"
    reason = f": {alert.reason}" if alert.reason else ""
    return text + (f"; {alert.state}{_by(alert.who)}{reason}" if alert.who or reason else "")


def _conversations(number: int) -> str:
    return f"{number:,} conversation" + ("" if number == 1 else "s")


def _by(who: str) -> str:
    return f" by {who}" if who else ""


def _amount(name: str, value: float) -> str:
    """A value of a scorer, a rate or an amount, in its unit."""
    if name in ("latency_s", "first_token_s"):
        return f"{value:.1%} slow"
    if name in RATES:
        return f"{value:.1%}"
    if name == "cost":
        return dollars(value)
    return f"{value:,.4g}" if name == "output_tokens" else f"{value:.3f}"


def _effect(name: str, effect: float, low: float | None, high: float | None) -> str:
    unit = {"cost": "", "output_tokens": " tokens"}.get(name, " points")
    interval = f" [{_signed(name, low)}, {_signed(name, high)}]" if low is not None and high is not None else ""
    return f"{_signed(name, effect)}{unit}{interval}"


def _signed(name: str, value: float) -> str:
    sign = _MINUS if value < 0 else "+"
    if name == "cost":
        return f"{sign}{dollars(abs(value))}"
    return f"{sign}{abs(value):.3g}" if name == "output_tokens" else f"{sign}{100 * abs(value):.1f}"
