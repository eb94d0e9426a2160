"""Alerts: what is said of what a monitor found, by which rule, to whom, and when nobody is told."""

from collections.abc import Iterable, Sequence
from typing import Literal

from msgspec.structs import replace

from gatewatch.core.watch import RATES, Alert, AlertKind, AlertRule, Evidence
from gatewatch.online.alert_rules import LEAST, LEAST_OF_AMOUNTS, Alarming
from gatewatch.online.attribute import Found
from gatewatch.online.detect import Finding
from gatewatch.online.probe import Probe

CHANGES: tuple[AlertKind, ...] = ("quality", "better", "rate", "ceiling", "provider")
"""What a probe may tell of."""
CHECKING, CHANGED = "the judge is being checked", "the judge changed"
_MANY = 10


def key_of(flow: str, kind: AlertKind, name: str) -> str:
    """What tells a cause from others."""
    return f"{flow}\t{kind}\t{name}"


def rule_of(alarming: Alarming, name: str) -> AlertRule:
    """The rule of a scorer or signal: by default one that tells of what is not minor."""
    least = LEAST if name in alarming.scorers or name in RATES else LEAST_OF_AMOUNTS
    default = AlertRule(
        name=name,
        least=least,
        severity="info" if name == "output_tokens" else "ticket",
        owner=alarming.owner,
        runbook=alarming.runbook,
        link=alarming.link,
        to=alarming.to,
    )
    return alarming.rules.get(name, default)


def fallen(alarming: Alarming, finding: Finding, found: Found, traces: Sequence[str], now: float) -> Alert:
    """The alert of a probe that alarmed; `traces` are the ids of the requests that show it."""
    probe, evidence = finding.probe, replace(found.evidence, traces=tuple(traces))
    assert probe is not None
    rule = rule_of(alarming, probe.name)
    kind = _kind(probe, evidence)
    quiet = ""
    if kind != "ceiling" and minor(probe, found, rule):
        quiet = "minor: the estimated change is smaller than the rule's"
    return _alert(
        alarming,
        rule,
        kind,
        probe.key,
        title=_title(probe, kind, evidence, found),
        now=now,
        evidence=evidence,
        severity="info" if quiet or kind == "better" else rule.severity,
        quiet=quiet,
    )


def _kind(probe: Probe, evidence: Evidence) -> AlertKind:
    if probe.limit is not None:
        return "ceiling"
    if probe.measure == "score":
        return "quality"
    if probe.measure == "better":
        return "better"
    if probe.name == "output_tokens" and not any(each.seen or each.who for each in evidence.markers):
        return "provider"
    return "rate"


def minor(probe: Probe, found: Found, rule: AlertRule) -> bool:
    """Whether the estimated change is smaller than what the rule wants to be told of: of amounts the part by which they
    rose, of times that by which the 95th percentile did."""
    effect, before = abs(found.evidence.effect or 0.0), abs(found.evidence.before or 0.0)
    if found.slower is not None:
        return found.slower < rule.least
    if probe.measure in ("amount", "short"):
        return before > 0 and effect / before < rule.least
    return effect < rule.least


def _title(probe: Probe, kind: AlertKind, evidence: Evidence, found: Found) -> str:
    values = f"{shown(probe, evidence.before)} to {shown(probe, evidence.after)}"
    where = "" if found.where is None else f" in {found.where.by} {found.where.name or '(none)'}"
    if kind == "ceiling":
        limit = shown(probe, probe.limit) if probe.measure != "slow" else f"{probe.limit:g} s"
        if probe.measure == "slow":
            return f"{probe.name}: {shown(probe, evidence.after)} take longer than {limit}{where}"
        side = "below its floor" if probe.measure == "score" else "above its ceiling"
        return f"{probe.name} is {side} of {limit}: {shown(probe, evidence.after)}{where}"
    if probe.measure == "slow":
        slow = shown(probe, evidence.after)
        return f"{probe.name} rose: {slow} are as slow as {shown(probe, evidence.before)} were{where}"
    if kind == "provider":
        change = "shorter" if probe.measure == "short" else "longer"
        return f"outputs have become {change} ({values}) and no version changed: the provider may have{where}"
    if kind == "better":
        return f"{probe.name} rose from {values}{where}: `gatewatch mark --accept` makes that the reference"
    verb = "fell" if probe.measure in ("score", "short") else "rose"
    return f"{probe.name} {verb} from {values}{where}"


def shown(probe: Probe, value: float | None) -> str:
    """A value of a signal as people read it."""
    if value is None:
        return "?"
    if probe.name == "cost":
        return f"${value:.3g}"
    if probe.measure in ("amount", "short"):
        return f"{value:,.3g}"
    return f"{value:.3f}" if probe.measure in ("score", "better") else f"{value:.1%}"


def mixed(alarming: Alarming, finding: Finding, now: float) -> Alert:
    """Word of a change of the mix, or of slices that the reference does not know: for information."""
    if finding.what == "unknown":
        title = f"slices that the reference does not know, and whose quality is not watched: {finding.told}"
        return _plain(alarming, "unknown", finding.name, title, now, severity="info")
    title = f"the mix of {finding.name} changed: {finding.told}"
    note = "other traffic, not another quality: scores are judged within slices"
    return _plain(alarming, "mix", finding.name, title, now, severity="info", evidence=Evidence(note=note))


def never(alarming: Alarming, rule: AlertRule, number: int, traces: Iterable[str], onset: float, now: float) -> Alert:
    """The alert of something that is never to happen, and did: in `number` conversations of a day."""
    times = "in one conversation" if number == 1 else f"in {number:,} conversations within a day"
    evidence = Evidence(n=number, onset=onset, traces=tuple(traces)[:_MANY])
    return _alert(
        alarming,
        rule,
        "never",
        rule.name,
        title=f"{rule.name} failed {times}",
        now=now,
        evidence=evidence,
        severity=rule.severity,
    )


def no_data(alarming: Alarming, since: float, now: float) -> Alert:
    """The alert that no request of a flow has come."""
    title = f"no request for {_long(now - since)}"
    return _plain(alarming, "no_data", "", title, now, evidence=Evidence(onset=since))


def no_scores(alarming: Alarming, scorer: str, scored: int, failed: int, left: int, since: float, now: float) -> Alert:
    """The alert that a scorer gave no score, though it had something to score, or mostly failed: it cannot watch
    anything then."""
    few = f"only {scored:,} scores" if scored else "no score"
    title = f"{few} of {scorer} for {_long(now - since)}: {failed:,} scorer errors, {left:,} not done"
    return _plain(alarming, "no_data", scorer, title, now, evidence=Evidence(n=failed + left, onset=since))


def _long(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours:.0f} h" if hours >= 2 else f"{seconds / 60:.0f} min"


def budget(alarming: Alarming, spent: float, limit: float, now: float) -> Alert:
    """Word that a day's budget for judges is spent."""
    title = f"the day's budget of {alarming.monitor} is spent: ${spent:.2f} of ${limit:.2f}; rates are lowered"
    return _plain(alarming, "budget", alarming.monitor, title, now, severity="info")


def owned(found: Alert, alarming: Alarming) -> Alert:
    """An alert that no rule is about, with whom it goes to."""
    rule = rule_of(alarming, found.name)
    return replace(found, monitor=alarming.monitor, owner=rule.owner, runbook=rule.runbook, link=rule.link, to=rule.to)


def _plain(
    alarming: Alarming,
    kind: AlertKind,
    name: str,
    title: str,
    now: float,
    *,
    severity: Literal["page", "ticket", "info"] = "ticket",
    evidence: Evidence | None = None,
) -> Alert:
    rule = AlertRule(name=name, owner=alarming.owner, runbook=alarming.runbook, link=alarming.link, to=alarming.to)
    return _alert(alarming, rule, kind, name, title=title, now=now, evidence=evidence or Evidence(), severity=severity)


def _alert(
    alarming: Alarming,
    rule: AlertRule,
    kind: AlertKind,
    name: str,
    *,
    title: str,
    now: float,
    evidence: Evidence,
    severity: Literal["page", "ticket", "info"],
    quiet: str = "",
) -> Alert:
    return Alert(
        key=key_of(alarming.flow, kind, name),
        flow=alarming.flow,
        monitor=alarming.monitor,
        kind=kind,
        name=rule.name or name,
        severity=severity,
        title=title,
        opened=now,
        updated=now,
        evidence=evidence,
        owner=rule.owner,
        runbook=rule.runbook,
        link=rule.link,
        to=rule.to,
        quiet=quiet,
    )
