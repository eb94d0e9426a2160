"""What a W3C `tracestate` header tells of upstream sampling, as OpenTelemetry writes it there."""

import re

_THRESHOLD = re.compile(r"[0-9a-f]{1,14}")
_DIGITS = 14
_ALL = 1 << 4 * _DIGITS
_POWER = re.compile(r"[0-9]{1,2}")
_NEVER = 63


def share_of(tracestate: str) -> float | None:
    """The probability with which a trace was chosen to be sent, in (0, 1], read from a `tracestate`.

    `ot=th:T` is a threshold: T are hex digits, padded with zeros on the right to 14, and the share is 1 - T / 16**14.
    `ot=p:N`, which an older draft has, is 2**-N; a threshold goes before it. None where nothing is said of it, or
    what is said is malformed or says that nothing is ever sent.

    Source: OpenTelemetry specification, "TraceState: Probability Sampling".

        >>> share_of("vendor=1,ot=th:c")
        0.25
        >>> share_of("ot=p:3;r:5")
        0.125
    """
    if "ot=" not in tracestate:  # most spans have none
        return None
    members = [each.strip(" \t").partition("=") for each in tracestate.split(",")]
    said = [value for key, _, value in members if key == "ot"]
    if len(said) != 1:
        return None
    parts = [each.partition(":") for each in said[0].split(";")]
    fields = {key: value for key, _, value in parts}
    if len(fields) < len(parts):
        return None
    if (threshold := fields.get("th")) is not None:
        if not _THRESHOLD.fullmatch(threshold):
            return None
        return (_ALL - int(threshold.ljust(_DIGITS, "0"), 16)) / _ALL
    power = fields.get("p", "")
    if not _POWER.fullmatch(power) or int(power) >= _NEVER:
        return None
    return float(2.0 ** -int(power))
