"""What a project says of alerts on a flow, ready for whoever watches it."""

from collections.abc import Mapping

from msgspec import Struct

from gatewatch.core.watch import AlertRule

LEAST, LEAST_OF_AMOUNTS = 0.02, 0.2
"""Smaller changes are minor, where no rule says otherwise: of a share, and of an amount as a part of what it was."""


class Alarming(Struct, frozen=True, kw_only=True):
    """A monitor's rules. Owners, runbooks, links and channels of rules are resolved; those here are for alerts that no
    rule is about (mix, no data, the judge).

    rules: by scorer, or by signal (`core.watch.SIGNALS`).
    false_alarm_days: days between two false alarms of all monitors of the project together.
    observe_s: for how long a new monitor only notes what it would have told; 0 for not at all.
    no_data_s: after how long without a request somebody is told; 0 for never.
    reference_days, reference_n: what a reference is learnt from: both are to be reached.
    session_end_s: after how long without a turn a session has ended.
    scorers: the names of the monitor's scorers.
    """

    monitor: str
    flow: str
    rules: Mapping[str, AlertRule]
    false_alarm_days: float
    observe_s: float
    no_data_s: float
    reference_days: float
    reference_n: int
    session_end_s: float
    scorers: tuple[str, ...]
    owner: str = ""
    runbook: str = ""
    link: str = ""
    to: tuple[str, ...] = ()
