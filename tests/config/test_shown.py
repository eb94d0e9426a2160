"""Which scorer is shown where none is asked for; what a thousand requests cost where that is not known."""

from typing import Any

from gatewatch.config.live import Money
from gatewatch.config.shown import Ruler, shown
from gatewatch.core.watch import Alert
from gatewatch.store.rows import ScoreCell

RULERS = [Ruler(name, "f", "judge") for name in ("helpful", "on_topic", "pii")]


def alert(name: str, **more: Any) -> Alert:
    return Alert(key=name, flow="bot", kind="quality", name=name, title=name, opened=1.0, updated=1.0, **more)


def cells(name: str, *means: float, n: int = 100) -> list[ScoreCell]:
    return [
        ScoreCell(float(at), "", "", name, "f", "judge", 1.0, n, n * mean, n * mean) for at, mean in enumerate(means)
    ]


def test_the_gravest_alert_comes_first() -> None:
    some = [alert("pii"), alert("on_topic", severity="page"), alert("latency_s", severity="page", state="open")]
    found = shown(RULERS, some, {"helpful"}, cells("pii", 1.0, 1.0, 0.2))
    assert found is not None and found.scorer == "on_topic"


def test_without_one_what_surely_moved() -> None:
    moved = [*cells("pii", 0.9, 0.9, 0.9, 0.6), *cells("on_topic", 0.9, 0.9, 0.9, 0.8)]
    found = shown(RULERS, [alert("latency_s")], {"helpful"}, moved)
    assert found is not None and found.scorer == "pii"


def test_within_noise_the_one_that_has_a_baseline_or_the_first() -> None:
    still = [*cells("pii", 0.9, 0.9, 0.9, 0.88), *cells("on_topic", 0.0, 0.0, 0.0, 1.0, n=5)]
    found = shown(RULERS, [], {"pii"}, still)
    assert found is not None and found.scorer == "pii"
    found = shown(RULERS, [], (), still)
    assert found is not None and found.scorer == "helpful"
    assert shown([], [], (), []) is None


def test_an_unknown_cost_is_no_zero() -> None:
    assert Money(requests=50.0).per_thousand is None
    assert Money(requests=50.0, judge=1.0).per_thousand is None
    assert Money(requests=50.0, known=25.0, cost=1.0, judge=1.0).per_thousand == 60.0
