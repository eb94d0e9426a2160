"""The templates: everything that they are given is escaped, and what is not there is an error."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from gatewatch.web.pages import numbers, texts
from gatewatch.web.pages.numbers import WAYS
from gatewatch.web.pages.segments import segment

FOLDER = Path(__file__).parent / "templates"


def environment() -> Environment:
    """The environment of all templates, with the filters by which numbers and texts are shown."""
    found = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: dict[str, Any] = {
        "age": numbers.age,
        "bytes": numbers.size,
        "count": numbers.count,
        "delta": numbers.delta,
        "direction": numbers.direction,
        "duration": numbers.duration,
        "interval": numbers.interval,
        "moment": numbers.moment,
        "money": numbers.money,
        "number": numbers.number,
        "percent": numbers.percent,
        "stamp": numbers.stamp,
        "brief": texts.brief,
        "clipped": texts.clipped,
        "pretty": texts.pretty,
        "visible": texts.visible,
        "urlencode": segment,
        "way": WAYS.__getitem__,
    }
    found.filters.update(filters)
    return found
