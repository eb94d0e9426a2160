"""The screens there are, in the order of the rail: what is not in this table is not shown."""

from gatewatch.web.pages import compare, costs, runs
from gatewatch.web.pages.house import Screen

SCREENS: tuple[Screen, ...] = (
    runs.SCREEN,
    compare.SCREEN,
    costs.SCREEN,
)
