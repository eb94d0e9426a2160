"""The screens there are, in the order of the rail: what is not in this table is not shown."""

from gatewatch.web.pages.house import Screen
from gatewatch.web.pages.settings import SETTINGS

SCREENS: tuple[Screen, ...] = (SETTINGS,)
