"""Watching live traffic: what a conversation says of each signal, what changed and when, and alerts. Plain data.

A conversation is a session, once it has ended, or a request without one. Each enters a stream once, as it was then.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

RATES = ("error", "thumbs_down", "retried", "abandoned", "escalated", "guardrail")
"""Signals that are shares, 0..1, of which 0 is good: of turns that failed; whether any turn has a mark."""
SIZES = ("latency_s", "first_token_s", "cost", "output_tokens")
"""Signals that are amounts: the slowest turn's seconds; US dollars and tokens a turn."""
SIGNALS = (*RATES, *SIZES)
"""The values of an entry of a flow's signals, in this order. It is kept for good: stores hold them by their place."""

Severity = Literal["page", "ticket", "info"]
AlertState = Literal["open", "acknowledged", "snoozed", "resolved"]
AlertKind = Literal[
    "quality", "better", "rate", "ceiling", "never", "mix", "unknown", "judge", "provider", "no_data", "budget"
]
"""What an alert is about: a score fell; a score rose for good; a signal rose; an absolute limit; a never-event; the
input's mix changed; there are slices that the reference does not know; the judge changed; outputs changed and no
version did; nothing came; a budget."""


class Marker(Struct, frozen=True):
    """Something that was changed, at a time in seconds since the epoch: a deploy that somebody told of (`who`), or a
    component version that was seen first. `accepted` says that what comes after is the new reference."""

    at: float
    flow: str
    what: str
    who: str = ""
    reason: str = ""
    seen: bool = False
    accepted: bool = False
    id: int = 0


class Segment(Struct, frozen=True):
    """What one part of the traffic says of a change: `by` is slice, variant, or a component of the version; `effect`
    and its 95 % interval are differences to the reference, on the signal's scale."""

    by: str
    name: str
    n: int
    effect: float
    low: float
    high: float
    share: float = 0.0


class Evidence(Struct, frozen=True, omit_defaults=True):
    """What an alert rests on. `before` and `after` are means on the signal's own scale, `effect` their difference
    within strata, with its 95 % interval; `onset` is about when it began (seconds since the epoch). `traces` are ids of
    requests that show it, `markers` what was changed near it. No text of a request is in here.
    """

    n: int = 0
    before: float | None = None
    after: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    onset: float | None = None
    segments: tuple[Segment, ...] = ()
    traces: tuple[str, ...] = ()
    markers: tuple[Marker, ...] = ()
    note: str = ""


class Alert(Struct, frozen=True, kw_only=True):
    """One cause that somebody should know of. `key` is the cause: while an alert of it is not resolved, there is no
    other. `times` is how often it was found again since.

    `quiet` says why nobody was told: the monitor is new and observes, the effect is minor, another alert explains it.
    `reach` is how large the effect may have been when it was told of last: the end of its interval that is farther off.
    """

    id: int = 0
    key: str
    flow: str
    monitor: str = ""
    kind: AlertKind
    name: str
    severity: Severity = "ticket"
    state: AlertState = "open"
    title: str
    opened: float
    updated: float
    times: int = 1
    evidence: Evidence = Evidence()
    owner: str = ""
    runbook: str = ""
    link: str = ""
    to: tuple[str, ...] = ()
    quiet: str = ""
    until: float | None = None
    reach: float | None = None
    who: str = ""
    reason: str = ""


class AlertRule(Struct, frozen=True, kw_only=True):
    """What to do about a scorer or signal of a monitor, by its name.

    least: the smallest estimated change (drop of a score, rise of a rate, as a share; relative for amounts) that
        anybody is told of; smaller ones are recorded as minor.
    above: a ceiling for the mean of a rate, the cost in US dollars, or for what the slowest 5 % take in seconds.
    below: a floor for the mean of a score.
    never: how many conversations within a day that fail are one too many; 0 for no such rule.
    """

    name: str
    least: float = 0.0
    above: float | None = None
    below: float | None = None
    never: int = 0
    severity: Severity = "ticket"
    owner: str = ""
    runbook: str = ""
    link: str = ""
    to: tuple[str, ...] = ()


def version_label(versions: Mapping[str, str]) -> str:
    """Component versions in one line, "model=gpt-5-mini, prompt=3", by which trends tell them apart; cut at 200."""
    return ", ".join(f"{name}={version}" for name, version in sorted(versions.items()))[:200]


def components_of(label: str) -> dict[str, str]:
    """The component versions that a label names."""
    return dict(part.split("=", 1) for part in label.split(", ") if "=" in part)
