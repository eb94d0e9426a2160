"""From `[alerts]` and `alert = { ... }` of monitors to rules, and to what channels need."""

import re
from collections.abc import Callable, Mapping

from gatewatch.config import units
from gatewatch.config.load import FILE
from gatewatch.config.project import Problems, Project
from gatewatch.config.rules import points
from gatewatch.config.settings import AlertSettings, AlertsSettings, MonitorSettings, RuleSettings
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.core.http import url_flaw
from gatewatch.core.money import parse_budget
from gatewatch.core.watch import RATES, SIGNALS, SIZES, AlertRule
from gatewatch.online.alert_rules import LEAST, LEAST_OF_AMOUNTS, Alarming
from gatewatch.online.channels import NAME, Wires, channel, miswritten

_ALSO = {
    "errors": "error",
    "retry": "retried",
    "retries": "retried",
    "abandon": "abandoned",
    "abandonment": "abandoned",
    "escalate": "escalated",
    "latency": "latency_s",
    "first_token": "first_token_s",
    "costs": "cost",
    "tokens": "output_tokens",
}
"""How people call signals as well."""
_MOST_RISE = 100.0
_LEAST_SILENCE_S, _LONGEST_S = 60.0, 366 * 86_400.0
_LONGEST_TALK_S = 30 * 86_400.0
_SCHEME = re.compile(r"\s*([A-Za-z][A-Za-z0-9+.-]*):\S")
_WEB = ("http", "https")


def alarming(project: Project) -> tuple[Alarming, ...]:
    """What the project says of alerts, monitor by monitor.

    Raises:
        ConfigError: with everything that is wrong.
    """
    problems = Problems()
    with problems.gather():
        channels(project)
    settings = project.settings
    where = f"{FILE}: alerts.false_alarms"
    apart = problems.read(units.days_between, settings.alerts.false_alarms, where, 90.0)
    found = tuple(_alarming(project, name, each, apart, problems) for name, each in settings.monitors.items())
    problems.raise_any()
    return found


def channels(project: Project) -> Wires:
    """What the project's channels need.

    Raises:
        ConfigError: with everything that is wrong in `[alerts]`.
    """
    settings, where, problems = project.settings.alerts, f"{FILE}: alerts", Problems()
    _channels(settings.to, settings, f"{where}.to", problems)
    for key in ("heartbeat", "smtp"):
        if flaw := miswritten(getattr(settings, key)):
            problems.append(Problem(f"{where}.{key}", flaw))
    if settings.heartbeat and "$" not in settings.heartbeat and url_flaw(settings.heartbeat):
        problems.append(Problem(f"{where}.heartbeat", "expected an address that begins with https:// or http://"))
    if settings.secret_env[:1] == "$" and NAME.fullmatch(settings.secret_env[1:]):
        hint = f'write "{settings.secret_env[1:]}"'
        problems.append(Problem(f"{where}.secret_env", "is the name of a variable, without the $", hint))
    elif settings.secret_env and not NAME.fullmatch(settings.secret_env):  # it may be the secret, and is not told
        what = "is no name of an environment variable"
        problems.append(Problem(f"{where}.secret_env", what, "the key itself stays out of this file"))
    if settings.smtp and settings.smtp[0] != "$" and not settings.smtp.startswith(("smtp://", "smtps://")):
        problems.append(Problem(f"{where}.smtp", "expected an address that begins with smtps:// or smtp://"))
    problems.raise_any()
    return Wires(
        secret_env=settings.secret_env,
        smtp=settings.smtp,
        mail_from=settings.mail_from,
        heartbeat=settings.heartbeat,
    )


def named_channels(project: Project) -> list[str]:
    """Every channel that the project names, each once.

    Raises:
        ConfigError: with everything that is wrong.
    """
    monitors = alarming(project)
    named = [project.settings.alerts.to, *(each.to for each in monitors)]
    named += [rule.to for each in monitors for rule in each.rules.values()]
    return list(dict.fromkeys(to for some in named for to in some))


def _alarming(project: Project, name: str, settings: MonitorSettings, apart: float, problems: Problems) -> Alarming:
    where, alert, every = f"{FILE}: monitors.{name}", settings.alert, project.settings.alerts
    if settings.baseline and settings.baseline not in project.settings.suites:
        hint = did_you_mean(settings.baseline, project.settings.suites)
        problems.append(Problem(f"{where}.baseline", f"there is no suite {settings.baseline!r}", hint))
    if alert.false_alarms:
        apart = problems.read(units.days_between, alert.false_alarms, f"{where}.alert.false_alarms", apart)
    days, number = problems.read(units.learning, settings.reference, f"{where}.reference", (7.0, 1000))
    _channels(alert.to, every, f"{where}.alert.to", problems)
    _pages(alert, f"{where}.alert", problems)
    scorers = tuple(dict.fromkeys(each.use for each in settings.scorers))
    rules: dict[str, AlertRule] = {}
    for written, rule in alert.rules.items():
        at = f"{where}.alert.rules.{written}"
        _channels(rule.to, every, f"{at}.to", problems)
        _pages(rule, at, problems)
        signal = _ALSO.get(written, written)
        if written in scorers:
            if written in SIGNALS:
                what = f"{written!r} is a scorer of this monitor and a signal: it is not clear which is meant"
                problems.append(Problem(at, what, "name the scorer otherwise, by a [scorers.NAME]"))
            made = _of_scorer(written, rule, at, problems)
        elif signal in SIGNALS:
            if signal in rules:
                problems.append(Problem(at, f"{signal!r} has a rule already"))
            made = _of_signal(signal, rule, at, problems)
        else:
            what = f"{written!r} is neither a scorer of this monitor nor a signal"
            problems.append(Problem(at, what, did_you_mean(written, (*scorers, *SIGNALS, *_ALSO))))
            continue
        rules[made.name] = _with_owner(made, rule, settings, every)
    return Alarming(
        monitor=name,
        flow=settings.flow,
        rules=rules,
        false_alarm_days=apart,
        observe_s=_for_a_while(alert.observe, f"{where}.alert.observe", problems),
        no_data_s=_for_a_while(alert.no_data or "0", f"{where}.alert.no_data", problems, least=_LEAST_SILENCE_S),
        reference_days=days,
        reference_n=number,
        session_end_s=_duration(settings.session_end, f"{where}.session_end", problems, most=_LONGEST_TALK_S),
        scorers=scorers,
        owner=alert.owner,
        runbook=alert.runbook,
        link=alert.link,
        to=alert.to or every.to,
    )


def _of_scorer(name: str, rule: RuleSettings, at: str, problems: Problems) -> AlertRule:
    for key, instead in (("rise", "drop"), ("above", "below")):
        if getattr(rule, key) is not None:
            what = f"a score of 1 is good: {name!r} cannot have `{key}`"
            problems.append(Problem(f"{at}.{key}", what, f"use `{instead}`"))
    least = LEAST
    if rule.drop is not None:
        with problems.gather():
            least = points(rule.drop, f"{at}.drop")
    if rule.below is not None and not 0 < rule.below < 1:
        hint = "`any = 1` tells of each that fails" if rule.below else "no mean is below 0"
        problems.append(Problem(f"{at}.below", f"must be above 0 and below 1, got {rule.below:g}", hint))
    return AlertRule(name=name, least=least, below=rule.below, never=rule.any or 0)


def _of_signal(name: str, rule: RuleSettings, at: str, problems: Problems) -> AlertRule:
    for key, instead in (("drop", "rise"), ("below", "above")):
        if getattr(rule, key) is not None:
            what = f"{name!r} is a signal, which is bad when it rises: it cannot have `{key}`"
            problems.append(Problem(f"{at}.{key}", what, f"use `{instead}`"))
    if rule.any is not None and name in SIZES:
        what = f"{name!r} is an amount, which does not fail"
        problems.append(Problem(f"{at}.any", what, f"`any` is for scorers, {', '.join(RATES)}"))
    least = LEAST if name in RATES else LEAST_OF_AMOUNTS
    above = None
    if rule.rise is not None:
        with problems.gather():
            least = points(rule.rise, f"{at}.rise") if name in RATES else _part(rule.rise, f"{at}.rise")
    if rule.above is not None:
        with problems.gather():
            above = _ceiling(name, rule.above, f"{at}.above")
    return AlertRule(name=name, least=least, above=above, never=rule.any or 0)


def _with_owner(made: AlertRule, rule: RuleSettings, settings: MonitorSettings, every: AlertsSettings) -> AlertRule:
    from msgspec.structs import replace

    alert = settings.alert
    return replace(
        made,
        severity=rule.severity,
        owner=rule.owner or alert.owner,
        runbook=rule.runbook or alert.runbook,
        link=rule.link or alert.link,
        to=rule.to or alert.to or every.to,
    )


def _part(value: float | str, where: str) -> float:
    """A part of what something was: 0.2 or "20%".

    Raises:
        ConfigError: for anything else.
    """
    try:
        if isinstance(value, str):
            value = float(value.strip().removesuffix("%") if value.strip().endswith("%") else "") / 100
        if not 0 <= value <= _MOST_RISE:
            raise ValueError
    except ValueError:
        hint = "an amount rises by a part of what it was"
        raise ConfigError(Problem(where, f'expected 0.2 or "20%", got {value!r}', hint)) from None
    return value


def _ceiling(name: str, value: float | str, where: str) -> float:
    """A limit of a signal, in its own unit: a share, seconds, US dollars, tokens.

    Raises:
        ConfigError: for what that signal does not have.
    """
    if name in RATES:
        percent = isinstance(value, str) and value.strip().endswith("%")
        share = _part(value, where) if percent else points(value, where)
        if share >= 1:
            raise ConfigError(Problem(where, f"must be below 1, got {value!r}", "a rate is at most 1"))
        if not share:
            raise ConfigError(Problem(where, f"must be above 0, got {share:g}", "`any = 1` tells of each"))
        return share
    try:
        if isinstance(value, str):
            read: Mapping[str, Callable[[str], float]] = {
                "cost": parse_budget,
                "latency_s": _seconds,
                "first_token_s": _seconds,
            }
            value = read.get(name, _number)(value)
        if not value > 0:
            raise ValueError(f"must be above 0, got {value:g}")
    except ValueError as error:
        raise ConfigError(Problem(where, str(error))) from None
    return value


def _number(text: str) -> float:
    raise ValueError(f"expected a number, got {text!r}")


def _seconds(text: str) -> float:
    """A time such as "5s" or "800ms"."""
    number = text.strip().removesuffix("ms").strip()
    return float(number) / 1000 if text.strip().endswith("ms") and number.isdecimal() else units.seconds(text)


def _duration(text: str, where: str, problems: Problems, *, least: float = 0.0, most: float = _LONGEST_S) -> float:
    """A duration in seconds, a year at most where nothing else is said."""
    found = problems.read(units.seconds, text, where, least)
    if found < least:
        problems.append(Problem(where, f"must be {least:g} s or more, got {text!r}"))
    if found > most:
        problems.append(Problem(where, f"must be {most / 86_400:.0f} days at most, got {text!r}"))
    return found


def _for_a_while(text: str, where: str, problems: Problems, *, least: float = 0.0) -> float:
    """A duration in seconds, or 0 for "0"."""
    return 0.0 if text.strip() == "0" else _duration(text, where, problems, least=least)


def _pages(settings: AlertSettings | RuleSettings, where: str, problems: Problems) -> None:
    """What people are to open must be a web address; what is to be done may be said in words."""
    for key, text in (("link", settings.link), ("runbook", settings.runbook)):
        scheme = _SCHEME.match(text)
        web = scheme is not None and scheme[1].lower() in _WEB
        if text and (url_flaw(text.strip()) if web or key == "link" else scheme):
            what = "expected an address that begins with https:// or http://"
            problems.append(Problem(f"{where}.{key}", what + (", or words" if key == "runbook" else "")))


def _channels(names: tuple[str, ...], every: AlertsSettings, where: str, problems: Problems) -> None:
    for place, name in enumerate(names):
        at = f"{where}[{place}]"
        if name in names[:place]:
            problems.append(Problem(at, "is the same as one before"))
            continue
        try:
            found = channel(name)
        except ValueError as error:
            problems.append(Problem(at, str(error)))
            continue
        if found.kind == "mail" and not every.smtp:
            what = "mail needs a server to be sent by"
            problems.append(Problem(at, what, 'add `smtp = "smtps://..."` to [alerts], or use apprise:mailtos://...'))
