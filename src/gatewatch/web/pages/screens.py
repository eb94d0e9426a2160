"""The screens there are, in the order of the rail: what is not in this table is not shown."""

from gatewatch.web.pages import alerts, costs, datasets, monitor, scorers, settings, traces
from gatewatch.web.pages.house import Screen

SCREENS: tuple[Screen, ...] = (
    datasets.SCREEN,
    scorers.SCREEN,
    monitor.SCREEN,
    traces.SCREEN,
    alerts.SCREEN,
    costs.SCREEN,
    settings.SCREEN,
)
