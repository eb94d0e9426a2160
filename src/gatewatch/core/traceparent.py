"""The mark by which calls of our own judges are known where they are traced: they are no traffic of the application."""

import os

OURS = "gatewatch/"
"""How the user agent of our own calls begins."""
USER_AGENT = f"{OURS}1 (judge)"
_PREFIX = b"gatewatc".hex()


def is_ours(trace_id: str) -> bool:
    """Whether a trace, by its id in hex digits, is one of our own calls."""
    return trace_id.startswith(_PREFIX)


def of_our_own() -> str:
    """A W3C traceparent for a call of our own, which says that it is not to be recorded."""
    return f"00-{_PREFIX}{os.urandom(8).hex()}-{os.urandom(8).hex()}-00"
