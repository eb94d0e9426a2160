"""The screens there are, in the order of the rail: what is not in this table is not shown."""

from gatewatch.web.pages.failures import FAILURES
from gatewatch.web.pages.house import Screen
from gatewatch.web.pages.review import REVIEW

SCREENS: tuple[Screen, ...] = (FAILURES, REVIEW)
