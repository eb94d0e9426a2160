"""Keeping our own calls out of the traces of whoever traces the process that makes them."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_KEYS = ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY")


@contextmanager
def untraced() -> Iterator[None]:
    """Have OpenTelemetry's instrumentations, where any are loaded, record nothing of what is done meanwhile."""
    api: Any = sys.modules.get("opentelemetry.context")
    if api is None:
        yield
        return
    context = api.set_value("suppress_instrumentation", True)
    for name in _KEYS:
        key = getattr(api, name, None)
        if key is not None:
            context = api.set_value(key, True, context)
    token = api.attach(context)
    try:
        yield
    finally:
        api.detach(token)
