"""The screens there are, in the order of the rail: what is not in this table is not shown."""

from gatewatch.web.pages import (
    alerts,
    compare,
    costs,
    datasets,
    failures,
    monitor,
    overview,
    review,
    runs,
    scorers,
    settings,
    traces,
)
from gatewatch.web.pages.house import Screen

SCREENS: tuple[Screen, ...] = (
    overview.SCREEN,
    runs.SCREEN,
    compare.SCREEN,
    datasets.SCREEN,
    scorers.SCREEN,
    monitor.SCREEN,
    traces.SCREEN,
    alerts.SCREEN,
    failures.SCREEN,
    review.SCREEN,
    costs.SCREEN,
    settings.SCREEN,
)
