"""What is long is cut only where nothing personal is cut in half, and what is escaped is seen as what it is."""

import pytest

from gatewatch.core.spots import replaced
from gatewatch.online.otlp.decode import JSON
from gatewatch.online.otlp.receive import Rules, received
from gatewatch.online.otlp.redacting import Cleaning
from gatewatch.online.redact import find

RULES = Rules(cleaning=Cleaning(pii=True))
MAIL = "dave.victim@mail-corp.com"


def kept(name: str = "chat", message: str = "", value: str = "x", asked: str = "q") -> str:
    """What is stored of a span with these texts."""
    from gatewatch.core import codec

    given = {"openinference.span.kind": "CHAIN", "app.note": value, "input.value": asked}
    attributes = [{"key": key, "value": {"stringValue": text}} for key, text in given.items()]
    span = {
        "traceId": "a" * 32,
        "spanId": "b" * 16,
        "name": name,
        "startTimeUnixNano": "1",
        "endTimeUnixNano": "2",
        "status": {"code": 2, "message": message},
        "attributes": attributes,
    }
    body = codec.encode({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    return received(body, JSON, "traces", RULES).pieces[0].body.decode()


@pytest.mark.parametrize("before", [380, 390, 399])
def test_a_name_is_cut_after_what_is_personal_was_taken_out(before: int) -> None:
    assert "dave" not in kept(name="n" * (before - 1) + " " + MAIL + " n" * 900)


@pytest.mark.parametrize("before", [1980, 1995])
def test_so_is_the_message_of_an_error(before: int) -> None:
    assert "dave" not in kept(message="m" * (before - 1) + " " + MAIL + " m" * 900)


@pytest.mark.parametrize("before", [262_130, 262_140])
def test_a_very_long_text_does_not_end_amidst_something_personal(before: int) -> None:
    body = kept(asked="v" * (before - 1) + " " + MAIL + " v" * 600_000)
    assert "dave" not in body and "vvv" in body


@pytest.mark.parametrize(
    "value", ['{"to":"bob.victim\\u0040mail-corp.com"}', '{"to":"bob.victim\\\\u0040mail-corp.com"}']
)
def test_what_json_inside_a_text_escapes_is_seen(value: str) -> None:
    body = kept(value=value)
    assert "bob" not in body and "[email]" in body


def test_a_text_with_escapes_of_its_own_is_left_as_it_is() -> None:
    assert replaced({"a": 'a "\\u0041" b'}, find)[0] == {"a": 'a "\\u0041" b'}


def test_a_card_number_that_became_a_float_is_seen() -> None:
    assert replaced([4111111111111111.0, 1.5e300, 12.0], find, numbers=True)[0] == ["[card]", 1.5e300, 12.0]
