"""What capture has to say goes to the log "gatewatch"; Python's logging is loaded when there is something to say."""

from contextlib import suppress


def warn(message: str, *values: object) -> None:
    """Log a warning; `values` go into the message as in `logging`. It never raises, whatever filters there are."""
    with suppress(Exception):
        import logging

        logging.getLogger("gatewatch").warning(message, *values)
