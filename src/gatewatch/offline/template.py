"""Templates: text, or any JSON value, with `{name}` where something of the case belongs.

The names are `input`, `id`, `trial`, `context`, and the arguments of an input that is an object, which come first.
`{{` stands for a brace, and so does a `}}` behind it. Braces around anything but a name (a JSON example, say) stay as
they are.
"""

import re
from collections.abc import Mapping
from typing import Any

from gatewatch.core.case import Case
from gatewatch.core.codec import text_of
from gatewatch.core.errors import did_you_mean

_PLACE = re.compile(r"\{\{|\}\}|\{([A-Za-z_]\w*)\}")


def values_of(case: Case, trial: int) -> dict[str, Any]:
    """What a template can name, for one trial of a case."""
    arguments = case.input if isinstance(case.input, dict) else {}
    context = case.context
    if isinstance(context, tuple):
        context = "\n\n".join(text_of(passage) for passage in context)
    return {"input": case.input, "id": case.id, "trial": trial, "context": context or "", **arguments}


def names_in(template: Any) -> set[str]:
    """The names that a template mentions."""
    if isinstance(template, str):
        return {match[1] for match in _PLACE.finditer(template) if match[1]}
    if isinstance(template, Mapping):
        return {name for item in template.values() for name in names_in(item)}
    if isinstance(template, list | tuple):
        return {name for item in template for name in names_in(item)}
    return set()


def unknown_name(names: set[str], values: Mapping[str, Any]) -> str:
    """What is wrong when a template mentions a name that the case has no value for, or nothing."""
    for name in sorted(names - values.keys()):
        return f"the template names {{{name}}}, which the case does not have ({did_you_mean(name, values)})"
    return ""


def fill(template: Any, values: Mapping[str, Any]) -> Any:
    """The template with its names replaced. Text that is a single name becomes the value itself, whatever its type."""
    if isinstance(template, str):
        alone = _PLACE.fullmatch(template)
        if alone and alone[1] in values:
            return values[alone[1]]
        return fill_text(template, values)
    if isinstance(template, Mapping):
        return {key: fill(item, values) for key, item in template.items()}
    if isinstance(template, list | tuple):
        return [fill(item, values) for item in template]
    return template


def fill_text(template: str, values: Mapping[str, Any]) -> str:
    """The template with its names replaced by text."""
    opened = 0

    def put(match: re.Match[str]) -> str:
        nonlocal opened
        if match[1] is None:
            if match[0] == "}}" and not opened:  # the end of a JSON example
                return match[0]
            opened += 1 if match[0] == "{{" else -1
            return match[0][0]
        return text_of(values[match[1]]) if match[1] in values else match[0]

    return _PLACE.sub(put, template)
