"""The keys of gatewatch.toml, with their types and defaults."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gatewatch.core.case import Tier
from gatewatch.core.watch import Severity
from gatewatch.models.prices import PriceOverride
from gatewatch.models.settings import ModelSettings

Count = Annotated[int, Meta(ge=1)]
Seconds = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
Points = Annotated[float, Meta(ge=0, le=1)] | str
"""A share of 1, or percentage points as text: 0.05 or "5pp"."""


class ProjectSettings(Struct, frozen=True):
    """`[project]`: what is true of all suites.

    name: the project's name.
    scorers: the Python file whose scorers suites may name.
    slice: `module:function`, called with an input, that names the slice of cases and live requests that state none.
    store: where live traffic is kept: a SQLite file, `sqlite:///PATH`, or PostgreSQL, `postgresql://USER@HOST/DATABASE`.
    """

    name: str = ""
    scorers: str = ""
    slice: str = ""
    store: str = "sqlite:///.gatewatch/gatewatch.db"


class TaskSettings(Struct, frozen=True):
    """`[tasks.NAME]`: an application to be run. Exactly one of call, command, url, prompt and replay is given.

    call: `module:function`, sync or async.
    command: a command that reads JSON on standard input and writes JSON on standard output.
    url: an HTTP endpoint that is posted to.
    prompt: a file with a prompt template, sent to `model`.
    replay: a file of recorded outputs.
    arguments: the same keyword arguments for every call of a function.
    model: the `[models.NAME]` that a prompt is sent to.
    system: a file with a template for the system message of a prompt.
    parameters: parameters of the model (temperature ...) for a prompt.
    tools: a JSON file with the tool definitions of a prompt.
    headers: headers of an HTTP task; a value `$NAME` is taken from the environment.
    body: the template of an HTTP task's body.
    paths: where in the reply of an HTTP task output, context, input_tokens, output_tokens, cost and error lie.
    method: the HTTP method.
    environment: more environment variables for a command.
    versions: component versions to be kept with the run, such as `{ knowledge_base = "2026-11" }`.
    """

    call: str = ""
    command: str | tuple[str, ...] = ""
    url: str = ""
    prompt: str = ""
    replay: str = ""
    arguments: dict[str, Any] = {}
    model: str = ""
    system: str = ""
    parameters: dict[str, Any] = {}
    tools: str = ""
    headers: dict[str, str] = {}
    body: Any = None
    paths: dict[str, str] = {}
    method: str = "POST"
    environment: dict[str, str] = {}
    versions: dict[str, str] = {}


class GateSettings(Struct, frozen=True):
    """`gate = { ... }` of a suite: by what rule a candidate is held against the baseline.

    primary: the scorer, or scorers, that gate; all of the suite by default. Several share the rate of false blocks.
    slices: slices in which they gate as well, by name.
    max_drop: the fall that must be ruled out for a PASS: 0.05 or "5pp".
    min_effect: a fall of the mean that is smaller than this does not block, however sure it is.
    alpha: how often a change that changes nothing may be blocked.
    min: lowest means by scorer; blocks only when the 95 % upper bound lies under it.
    max_cost: the most that the task may cost a row, such as "0.01 USD"; blocks when the 95 % lower bound is above it.
    max_latency: the most seconds that the 95th percentile of latency may be; blocks as `max_cost` does.
    undecided: what UNDECIDED means: "warn" (exit code 0, and a notice), "fail" (exit code 3), or "spend" (more trials).
    early_stop: whether a run over 100 cases or more stops as soon as its outcome is clear.
    require_calibrated: whether each judge must have a calibration (`gatewatch calibrate`) that says USABLE.
    """

    primary: str | tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    max_drop: Points = 0.05
    min_effect: Points = 0.0
    alpha: Annotated[float, Meta(ge=0.0001, lt=0.5)] = 0.05
    min: dict[str, Share] = {}
    max_cost: str = ""
    max_latency: Seconds | None = None
    undecided: Literal["warn", "fail", "spend"] = "warn"
    early_stop: bool = False
    require_calibrated: bool = False


class SuiteSettings(Struct, frozen=True):
    """`[suites.NAME]`: a dataset, a task, and the scorers that say how well the task did.

    dataset: the dataset's file, JSONL or CSV.
    task: `module:function`, `replay:FILE`, a URL, or the name of a `[tasks.NAME]`.
    scorers: names of scorers: from the project's scorer file, `[scorers.NAME]`, or built in.
    trials: how often each case is run; 1, or as often as a replay file has it.
    tier: run only this tier's cases (and must_pass ones) unless told otherwise.
    concurrency: how many cases are worked on at once.
    timeout: seconds a task may take for one case.
    scorer_timeout: seconds a scorer may take for one trace.
    seed: the seed of the order in which cases are run.
    budget: the most that one run may cost, such as "2.00 USD"; at the limit it stops, and can be resumed.
    pass_at: from which value on a graded score is a pass, by scorer.
    setup: `module:function`, called with each case before the task.
    teardown: `module:function`, called with each case after the task.
    matrix: variants of the task, run one after the other: each combination of the values given by key of the task.
    gate: by what rule `gatewatch gate` holds a candidate against the baseline.
    """

    dataset: str
    task: str
    scorers: tuple[str, ...]
    trials: Count | None = None
    tier: Tier | None = None
    concurrency: Count = 32
    timeout: Seconds = 120.0
    scorer_timeout: Seconds = 60.0
    seed: int = 0
    budget: str = ""
    pass_at: dict[str, Share] = {}
    setup: str = ""
    teardown: str = ""
    matrix: dict[str, tuple[Any, ...]] = {}
    gate: GateSettings = GateSettings()


class OnlineSettings(Struct, frozen=True):
    """`[online]`: how live requests are taken in, and for how long they are kept.

    spool: the folder that the application's capture writes to.
    redact: what is taken out before anything is stored: "pii" (personal data and secrets by their form) or "off".
    drop_fields: fields whose values are never stored, such as "input.password" or "spans.*.attributes.auth".
    keep: how long requests and their scores are kept; trends are kept for good.
    hold: how long every payload is kept, so that late feedback can still call for scoring.
    payload_rate: the share of payloads that is kept after that, of flows that no monitor watches.
    payloads: how much room payloads may take; beyond it the oldest are thinned before their time.
    scorer_timeout: seconds a scorer may take for one request.
    concurrency: how many scores a worker waits for at once.
    lease: after how long without a sign of life a worker's tasks go to another.
    """

    spool: str = ".gatewatch/spool"
    redact: Literal["pii", "off"] = "pii"
    drop_fields: tuple[str, ...] = ()
    keep: str = "90d"
    hold: str = "24h"
    payload_rate: Share = 0.1
    payloads: str = "20 GB"
    scorer_timeout: Seconds = 60.0
    concurrency: Count = 32
    lease: str = "2m"


class IngestSettings(Struct, frozen=True):
    """`[ingest]`: what `gatewatch serve` takes in, and from whom.

    map: attributes of spans that name flow, session, user, variant, external_id, or a version as `version.NAME`.
    settle: for how long nothing may come of a trace whose root has ended, before a request is made of it.
    quiet: the same for a trace whose root did not come.
    reopen: for how long a span that comes late still opens its trace again.
    sampled: the share of requests that senders send, where their spans do not say so themselves.
    origins: web origins from which browsers may send feedback, such as "https://app.example"; "*" for any.
    max_body: how long the body of a request may be, on the wire and unpacked.
    feedback_rate: how many pieces of feedback a minute are taken from one address.
    feedback_total: how many a minute are taken with one token.
    """

    map: dict[str, str] = {}
    settle: str = "10s"
    quiet: str = "60s"
    reopen: str = "1h"
    sampled: Annotated[float, Meta(ge=1e-9, le=1)] = 1.0
    origins: tuple[str, ...] = ()
    max_body: str = "16 MB"
    feedback_rate: Count = 60
    feedback_total: Count = 3000


class MonitoredScorer(Struct, frozen=True):
    """A scorer on a share of live traffic.

    use: the scorer's name.
    sample: the share of traffic that is scored, 0 to 1, or how many a day, such as "300/day".
    slices: shares of requests of a slice, by its name; the largest share that matches a request counts.
    tags: shares of requests with a tag.
    variants: shares of requests of a variant.
    """

    use: str
    sample: Share | str = 1.0
    slices: dict[str, Share] = {}
    tags: dict[str, Share] = {}
    variants: dict[str, Share] = {}


class RuleSettings(Struct, frozen=True):
    """What is told of one scorer or signal of a monitor: changes from `drop` or `rise` on, and what breaks a limit. One
    without a rule is watched by the defaults.

    drop: the smallest fall of a scorer's mean that anybody is told of: 0.03 or "3pp"; 2 points by default.
    rise: the smallest rise of a signal: 0.03 or "3pp" of a rate (2 points by default), a part of what an amount was:
        0.2 or "20%" (20 % by default), of durations of the share of slow conversations, which is 5 % at first.
    above: the ceiling of a signal: 0.05 or "5pp" for a rate, "5s" for seconds (of the slowest 5 %), "0.02 USD".
    below: the floor of a scorer's mean.
    any: how many conversations within a day that fail, or have the mark, are one too many.
    severity: "page", "ticket" or "info".
    owner: who sees to it.
    runbook: what to do, or the address of a page that says so.
    link: the web address of a page that shows more.
    to: channels, in the place of those of the monitor.
    """

    drop: Points | None = None
    rise: float | str | None = None
    above: float | str | None = None
    below: Share | None = None
    any: Count | None = None
    severity: Severity = "ticket"
    owner: str = ""
    runbook: str = ""
    link: str = ""
    to: tuple[str, ...] = ()


class AlertSettings(Struct, frozen=True):
    """`alert = { ... }` of a monitor: who is told of what.

    rules: by a scorer of the monitor, or a signal such as `thumbs_down`, `error`, `latency`, `cost`.
    false_alarms: in the place of that of `[alerts]`, for a monitor that is to be quicker, or more patient, than others.
    to: channels, such as "stdout", "webhook:$URL", "slack:$URL", "mail:NAME@HOST"; by default those of `[alerts]`.
    observe: for how long a new monitor only notes what it would have told, limits aside; "0" to tell from the start.
    no_data: after how long without a request somebody is told, a minute or more; "0" for never, as by default.
    owner: who sees to it, where the rule does not say so.
    runbook: what to do, where the rule does not say so.
    link: the web address of a page that shows more, where the rule does not say so.
    """

    rules: dict[str, RuleSettings] = {}
    false_alarms: str = ""
    to: tuple[str, ...] = ()
    observe: str = "7d"
    no_data: str = ""
    owner: str = ""
    runbook: str = ""
    link: str = ""


class AlertsSettings(Struct, frozen=True):
    """`[alerts]`: where alerts of all monitors go, and how.

    false_alarms: how often all monitors of the project together may be wrong, such as "1 per 90d".
    to: channels of monitors that name none: "stdout", "webhook:$URL", "slack:$URL", "mail:NAME@HOST", "apprise:$URL".
    heartbeat: an address that is asked for every minute while monitors work, so that their silence is noticed.
    secret_env: the variable with the key that webhooks are signed with.
    smtp: the server for "mail:", such as "smtps://bot:$SMTP_PASSWORD@mail.example:465".
    mail_from: whom mail is from.
    """

    false_alarms: str = "1 per 90d"
    to: tuple[str, ...] = ()
    heartbeat: str = ""
    secret_env: str = ""
    smtp: str = ""
    mail_from: str = ""


class MonitorSettings(Struct, frozen=True):
    """`[monitors.NAME]`: which scorers watch a flow of live traffic.

    flow: the flow.
    scorers: each `{ use = "NAME", sample = 0.05 }`; a scorer that needs `expected` cannot be used here.
    always: what is always scored, whatever the share: "error", "thumbs_down", "escalated", "guardrail", "high_cost" ...
    high_cost: from which cost on a request counts as such, such as "0.05 USD".
    budget: the most that judges may cost, such as "5.00 USD/day"; shares are lowered so that it lasts the day.
    payload_rate: the share of payloads that is kept after `[online] hold`, besides those of `always`.
    session_end: after how long without a turn a session counts as ended.
    reference: what "as before" is: learnt from the first "7d", the first "1000" conversations, or both.
    baseline: the suite whose pinned baseline trends show beside.
    alert: who is told of what.
    """

    flow: str
    scorers: tuple[MonitoredScorer, ...]
    always: tuple[str, ...] = ()
    high_cost: str = ""
    budget: str = ""
    payload_rate: Share = 0.1
    session_end: str = "30m"
    reference: str = "learn 7d"
    baseline: str = ""
    alert: AlertSettings = AlertSettings()


class LoopSettings(Struct, frozen=True):
    """`[loop]`: how failures found live are grouped, reviewed and promoted.

    embed: the `[models.NAME]` by whose embeddings requests are grouped; by their words where none is named.
    namer: the `[models.NAME]` that names groups; they are called by their terms where none is named.
    reviewers: how many people label each item.
    claim: after how long an item that somebody claimed and did not label goes to others.
    kinds: in which ways an answer may fail: reviewers say which of them it was.
    comment: whether a label needs a comment: "optional", of what is "wrong", or "always".
    severity: whether reviewers say how grave a wrong answer is: minor, major or critical.
    open: for how long a promoted case may fail before the gate fails for it.
    strict: whether a promoted case must pass from the start.
    owner: who sees to promoted cases, where nobody is named.
    """

    embed: str = ""
    namer: str = ""
    reviewers: Count = 1
    claim: str = "30m"
    kinds: tuple[str, ...] = ()
    comment: Literal["optional", "wrong", "always"] = "optional"
    severity: bool = False
    open: str = "30d"
    strict: bool = False
    owner: str = ""


class Settings(Struct, frozen=True):
    """All of gatewatch.toml."""

    project: ProjectSettings = ProjectSettings()
    models: dict[str, ModelSettings] = {}
    prices: dict[str, PriceOverride] = {}
    scorers: dict[str, dict[str, Any]] = {}
    tasks: dict[str, TaskSettings] = {}
    suites: dict[str, SuiteSettings] = {}
    online: OnlineSettings = OnlineSettings()
    ingest: IngestSettings = IngestSettings()
    monitors: dict[str, MonitorSettings] = {}
    alerts: AlertsSettings = AlertsSettings()
    loop: LoopSettings = LoopSettings()
