"""`[alerts]` and `alert = { ... }` of monitors: what comes of them, and all that can be wrong, with its place."""

from pathlib import Path

import pytest

from config.building import opened, problems, suite, write
from gatewatch.config.alerting import alarming, channels
from gatewatch.core.watch import AlertRule
from gatewatch.online.alert_rules import Alarming

HEAD = '[monitors.live]\nflow = "support"\nscorers = [{ use = "pii" }, { use = "secrets", sample = 0.5 }]\n'


def found(folder: Path, toml: str) -> Alarming:
    (one,) = alarming(opened(write(folder, toml)))
    return one


def wrong(folder: Path, toml: str) -> list[str]:
    write(folder, toml)
    return [each.removeprefix("gatewatch.toml: ") for each in problems(lambda: alarming(opened(folder)), folder)]


def test_without_a_word_of_alerts_nothing_is_told_but_a_reference_is_learnt(tmp_path: Path) -> None:
    told = found(tmp_path, HEAD)
    assert (told.monitor, told.flow, told.scorers) == ("live", "support", ("pii", "secrets"))
    assert (told.rules, told.to, told.false_alarm_days) == ({}, (), 90.0)
    assert (told.reference_days, told.reference_n) == (7.0, 1000)
    assert (told.observe_s, told.no_data_s, told.session_end_s) == (604_800, 0, 1800)


def test_rules_of_scorers_and_signals_by_the_names_that_people_use(tmp_path: Path) -> None:
    toml = """
[alerts]
false_alarms = "2 per 30d"
[monitors.live.alert]
observe = "0"
no_data = "1h"
[monitors.live.alert.rules]
pii = { drop = "3pp", any = 1, severity = "page" }
secrets = { below = 0.9 }
thumbs_down = { rise = 0.05, above = "20pp" }
error = { above = "10%" }
latency = { rise = "50%", above = "800ms" }
first_token = { above = "2s" }
cost = { above = "0.02 USD" }
tokens = { above = 900 }
retry = {}
"""
    told = found(tmp_path, HEAD + toml)
    assert (told.false_alarm_days, told.observe_s, told.no_data_s) == (15.0, 0.0, 3600.0)
    assert told.rules == {
        "pii": AlertRule(name="pii", least=0.03, never=1, severity="page"),
        "secrets": AlertRule(name="secrets", least=0.02, below=0.9),
        "thumbs_down": AlertRule(name="thumbs_down", least=0.05, above=0.2),
        "error": AlertRule(name="error", least=0.02, above=0.1),
        "latency_s": AlertRule(name="latency_s", least=0.5, above=0.8),
        "first_token_s": AlertRule(name="first_token_s", least=0.2, above=2.0),
        "cost": AlertRule(name="cost", least=0.2, above=0.02),
        "output_tokens": AlertRule(name="output_tokens", least=0.2, above=900.0),
        "retried": AlertRule(name="retried", least=0.02),
    }


def test_what_is_to_be_done_may_be_said_in_words(tmp_path: Path) -> None:
    told = found(tmp_path, HEAD + '[monitors.live.alert]\nrunbook = "Ask in #support: it may be the index"\n')
    assert told.runbook == "Ask in #support: it may be the index"
    told = found(tmp_path, HEAD + '[monitors.live.alert]\nrunbook = "First: ask"\nno_data = "0"\n')
    assert (told.runbook, told.no_data_s) == ("First: ask", 0.0)


def test_a_monitor_may_be_quicker_than_others(tmp_path: Path) -> None:
    toml = '[alerts]\nfalse_alarms = "1 per 60d"\n[monitors.live.alert]\nfalse_alarms = "1 per 7d"\n'
    assert found(tmp_path, HEAD + toml).false_alarm_days == 7.0


def test_a_rule_says_who_and_where_else_the_monitor_else_the_project(tmp_path: Path) -> None:
    toml = """
[alerts]
to = ["stdout"]
[monitors.live.alert]
owner = "support team"
runbook = "https://wiki.example/support"
[monitors.live.alert.rules]
pii = { owner = "security", to = ["webhook:$PII_URL", "slack:https://hooks.example/x"], link = "https://board.example" }
error = {}
"""
    told = found(tmp_path, HEAD + toml)
    pii, error = told.rules["pii"], told.rules["error"]
    assert (pii.owner, pii.runbook, pii.link) == (
        "security",
        "https://wiki.example/support",
        "https://board.example",
    )
    assert pii.to == ("webhook:$PII_URL", "slack:https://hooks.example/x")
    assert (error.owner, error.to) == ("support team", ("stdout",))
    assert (told.owner, told.to) == ("support team", ("stdout",))


@pytest.mark.parametrize(
    ("text", "learnt"),
    [
        ("learn 7d", (7.0, 1000)),
        ("learn 2w", (14.0, 1000)),
        ("learn 500", (0.0, 500)),
        ("learn 3d 200", (3.0, 200)),
    ],
)
def test_what_a_reference_is_learnt_from(tmp_path: Path, text: str, learnt: tuple[float, int]) -> None:
    told = found(tmp_path, HEAD + f'reference = "{text}"\n')
    assert (told.reference_days, told.reference_n) == learnt


def test_what_channels_need(tmp_path: Path) -> None:
    toml = """
[alerts]
to = ["mail:team@example.com"]
secret_env = "HOOK_KEY"
smtp = "smtps://bot:$SMTP_PASSWORD@mail.example"
mail_from = "bot@example.com"
heartbeat = "$BEAT_URL"
"""
    wires = channels(opened(write(tmp_path, toml)))
    assert (wires.secret_env, wires.mail_from) == ("HOOK_KEY", "bot@example.com")
    assert (wires.smtp, wires.heartbeat) == ("smtps://bot:$SMTP_PASSWORD@mail.example", "$BEAT_URL")


RULES = "[monitors.live.alert.rules]\n"


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (
            RULES + "pi = {}",
            "monitors.live.alert.rules.pi: 'pi' is neither a scorer of this monitor nor a signal "
            '(did you mean "pii"?)',
        ),
        (
            RULES + "latencies = {}",
            "monitors.live.alert.rules.latencies: 'latencies' is neither a scorer of this monitor nor a signal "
            '(did you mean "latency_s"?)',
        ),
        (
            RULES + "pii = { rise = 0.1 }",
            "monitors.live.alert.rules.pii.rise: a score of 1 is good: 'pii' cannot have `rise` (use `drop`)",
        ),
        (
            RULES + "pii = { above = 0.1 }",
            "monitors.live.alert.rules.pii.above: a score of 1 is good: 'pii' cannot have `above` (use `below`)",
        ),
        (
            RULES + "error = { drop = 0.1 }",
            "monitors.live.alert.rules.error.drop: 'error' is a signal, which is bad when it rises: it cannot have "
            "`drop` (use `rise`)",
        ),
        (
            RULES + "error = { below = 0.1 }",
            "monitors.live.alert.rules.error.below: 'error' is a signal, which is bad when it rises: it cannot have "
            "`below` (use `above`)",
        ),
        (
            RULES + 'error = { rise = "20%" }',
            "monitors.live.alert.rules.error.rise: expected 0.05 or \"5pp\", got '20%'",
        ),
        (
            RULES + 'latency = { rise = "3pp" }',
            "monitors.live.alert.rules.latency.rise: expected 0.2 or \"20%\", got '3pp' (an amount rises by a part of "
            "what it was)",
        ),
        (
            RULES + "cost = { any = 1 }",
            "monitors.live.alert.rules.cost.any: 'cost' is an amount, which does not fail (`any` is for scorers, "
            "error, thumbs_down, retried, abandoned, escalated, guardrail)",
        ),
        (
            RULES + 'cost = { above = "5s" }',
            "monitors.live.alert.rules.cost.above: expected an amount such as \"2.00 USD\", got '5s'",
        ),
        (
            RULES + 'latency_s = { above = "fast" }',
            'monitors.live.alert.rules.latency_s.above: expected a duration such as "30m", "24h" or "7d", got \'fast\'',
        ),
        (RULES + "tokens = { above = 0 }", "monitors.live.alert.rules.tokens.above: must be above 0, got 0"),
        (
            RULES + 'tokens = { above = "nan" }',
            "monitors.live.alert.rules.tokens.above: expected a number, got 'nan'",
        ),
        (
            RULES + "latency = {}\nlatency_s = {}",
            "monitors.live.alert.rules.latency_s: 'latency_s' has a rule already",
        ),
        (
            RULES + 'pii = { to = ["pager:x"] }',
            "monitors.live.alert.rules.pii.to[0]: 'pager' is no kind of channel (known: apprise, mail, slack, stdout, "
            "webhook)",
        ),
        (
            '[alerts]\nfalse_alarms = "1 per 2h"',
            "alerts.false_alarms: must be one a day or fewer, got '1 per 2h'",
        ),
        (
            '[alerts]\nfalse_alarms = "seldom"',
            "alerts.false_alarms: expected how often, such as \"1 per 90d\", got 'seldom'",
        ),
        (
            '[monitors.live.alert]\nobserve = "a week"',
            'monitors.live.alert.observe: expected a duration such as "30m", "24h" or "7d", got \'a week\'',
        ),
        (
            'reference = "learn"',
            'monitors.live.reference: expected "learn 7d", "learn 1000" or "learn 7d 1000", got \'learn\'',
        ),
        (
            'reference = "learn 30"',
            "monitors.live.reference: a reference takes 100 conversations at least, got 'learn 30'",
        ),
        ('baseline = "man"', "monitors.live.baseline: there is no suite 'man' (did you mean \"main\"?)"),
        (
            '[alerts]\nto = ["webhook:hooks.example/SECRET"]',
            "alerts.to[0]: expected an address that begins with https:// or http://",
        ),
        ('[alerts]\nto = ["slack:"]', 'alerts.to[0]: an address is missing, such as "slack:$SLACK_URL"'),
        ('[alerts]\nto = ["stdout:x"]', "alerts.to[0]: stdout has no address"),
        (
            '[alerts]\nto = ["mail:team@example.com"]',
            'alerts.to[0]: mail needs a server to be sent by (add `smtp = "smtps://..."` to [alerts], or use '
            "apprise:mailtos://...)",
        ),
        (
            '[alerts]\nto = ["mail:team"]\nsmtp = "smtp://localhost"',
            "alerts.to[0]: expected an address such as team@example.com, got 'team'",
        ),
        (
            '[alerts]\nsecret_env = "$KEY"',
            'alerts.secret_env: is the name of a variable, without the $ (write "KEY")',
        ),
        (
            '[alerts]\nsecret_env = "whsec_c2VjcmV0/+="',
            "alerts.secret_env: is no name of an environment variable (the key itself stays out of this file)",
        ),
        (
            '[alerts]\nsecret_env = "$2y$10$N9qo8uLO"',
            "alerts.secret_env: is no name of an environment variable (the key itself stays out of this file)",
        ),
        ('[alerts]\nto = ["webhook:${HOOK}"]', "alerts.to[0]: write $HOOK in the place of ${HOOK}"),
        ('[alerts]\nheartbeat = "${BEAT}"', "alerts.heartbeat: write $BEAT in the place of ${BEAT}"),
        ('[alerts]\nto = ["stdout", "webhook:$A", "stdout"]', "alerts.to[2]: is the same as one before"),
        (
            RULES + "error = { above = 0 }",
            "monitors.live.alert.rules.error.above: must be above 0, got 0 (`any = 1` tells of each)",
        ),
        (
            RULES + 'error = { above = "120%" }',
            "monitors.live.alert.rules.error.above: must be below 1, got '120%' (a rate is at most 1)",
        ),
        (
            RULES + "pii = { below = 0 }",
            "monitors.live.alert.rules.pii.below: must be above 0 and below 1, got 0 (no mean is below 0)",
        ),
        (
            RULES + "pii = { below = 1 }",
            "monitors.live.alert.rules.pii.below: must be above 0 and below 1, got 1 (`any = 1` tells of each that "
            "fails)",
        ),
        (
            RULES + 'pii = { link = "javascript:alert(1)" }',
            "monitors.live.alert.rules.pii.link: expected an address that begins with https:// or http://",
        ),
        (
            '[monitors.live.alert]\nrunbook = "file:///etc/passwd"',
            "monitors.live.alert.runbook: expected an address that begins with https:// or http://, or words",
        ),
        (
            '[monitors.live.alert]\nlink = "board"',
            "monitors.live.alert.link: expected an address that begins with https:// or http://",
        ),
        (
            '[monitors.live.alert]\nno_data = "1s"',
            "monitors.live.alert.no_data: must be 60 s or more, got '1s'",
        ),
        ('[monitors.live.alert]\nobserve = "99w"', "monitors.live.alert.observe: must be 366 days at most, got '99w'"),
        (
            'reference = "learn 999999d"',
            "monitors.live.reference: expected a duration of 100 years at most, got '999999d'",
        ),
        ('session_end = "9999d"', "monitors.live.session_end: must be 30 days at most, got '9999d'"),
        (
            'reference = "learn 400d"',
            "monitors.live.reference: a reference takes a year and 10,000,000 conversations at most, got 'learn 400d'",
        ),
        (
            '[alerts]\nfalse_alarms = "0.001 per 90d"',
            "alerts.false_alarms: must be one in 100 years or more, got '0.001 per 90d'",
        ),
        ('[alerts]\nheartbeat = "beat"', "alerts.heartbeat: expected an address that begins with https:// or http://"),
        ('[alerts]\nsmtp = "mail.example"', "alerts.smtp: expected an address that begins with smtps:// or smtp://"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path: Path, toml: str, says: str) -> None:
    assert wrong(tmp_path, suite() + HEAD + toml) == [says]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    rules = RULES + "pii = { drop = 0.1, rise = 0.1 }\nlatency = { rise = -1 }\n"
    toml = '[alerts]\nheartbeat = "x"\nto = ["sms:1"]\n' + HEAD + 'reference = "x"\n' + rules
    places = [each.partition(": ")[0] for each in wrong(tmp_path, toml)]
    assert places == [
        "alerts.to[0]",
        "alerts.heartbeat",
        "monitors.live.reference",
        "monitors.live.alert.rules.pii.rise",
        "monitors.live.alert.rules.latency.rise",
    ]


def test_a_name_that_is_a_scorer_and_a_signal_is_refused(tmp_path: Path) -> None:
    toml = '[scorers.cost]\nscorer = "latency"\n[monitors.live]\nflow = "a"\nscorers = [{ use = "cost" }]\n'
    (said,) = wrong(tmp_path, toml + RULES + "cost = {}")
    assert said == (
        "monitors.live.alert.rules.cost: 'cost' is a scorer of this monitor and a signal: it is not clear which is "
        "meant (name the scorer otherwise, by a [scorers.NAME])"
    )


def test_a_scorer_that_is_called_as_people_call_a_signal_is_the_scorer(tmp_path: Path) -> None:
    toml = '[monitors.live]\nflow = "a"\nscorers = [{ use = "latency" }]\n'
    told = found(tmp_path, toml + RULES + "latency = { drop = 0.1 }\nlatency_s = { rise = 0.1 }")
    assert set(told.rules) == {"latency", "latency_s"}
