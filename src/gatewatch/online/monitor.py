"""What is watched: the scorers of a flow, how much of its traffic each of them sees, and for how much money."""

from msgspec import Struct

from gatewatch.core.rates import Rule
from gatewatch.scorers.base import Scorer

HOUR_S, DAY_S = 3600.0, 86_400.0


class Watch(Struct, frozen=True, kw_only=True):
    """A scorer on a flow.

    rules: the rates, of which the largest that matches counts. Where there is a target, the first is its rate.
    per_day: a target: so many requests a day, in the place of a rate.
    guess: US dollars that one score may cost, until there is something to go by; 0 for what costs nothing.
    """

    scorer: Scorer
    rules: tuple[Rule, ...]
    per_day: int | None = None
    guess: float = 0.0

    @property
    def of_session(self) -> bool:
        """Whether it looks at whole sessions, once they have ended."""
        return "session" in self.scorer.needs


class Monitor(Struct, frozen=True, kw_only=True):
    """A flow of live traffic, and what watches it.

    always: rules whose matches keep their payload beyond the hold window.
    budget: US dollars a day for judges; None for no limit.
    hold_s: how long every payload is kept, so that late feedback can still call for scoring.
    payload_rate: the share of payloads that is kept beyond that.
    session_end_s: after how long without a turn a session has ended.
    """

    name: str
    flow: str
    watches: tuple[Watch, ...]
    always: tuple[Rule, ...] = ()
    budget: float | None = None
    hold_s: float = DAY_S
    payload_rate: float = 0.1
    session_end_s: float = HOUR_S / 2
