"""Channels as they are named: what is one, what is not, and what of it anybody may see."""

import pytest

from gatewatch.online.channels import Channel, channel, expanded, public


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("stdout", Channel("stdout")),
        ("webhook:https://hooks.example/x?y=1", Channel("webhook", "https://hooks.example/x?y=1")),
        ("webhook:$URL", Channel("webhook", "$URL")),
        ("slack:https://hooks.slack.example/$SLACK_PATH", Channel("slack", "https://hooks.slack.example/$SLACK_PATH")),
        (" mail:team+alerts@example.com ", Channel("mail", "team+alerts@example.com")),
        ("apprise:tgram://TOKEN/CHAT", Channel("apprise", "tgram://TOKEN/CHAT")),
    ],
)
def test_what_is_a_channel(text: str, found: Channel) -> None:
    assert channel(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "stdout:",
        "webhook",
        "webhook:",
        "webhook:ftp://SECRET",
        "webhook:https://a b/SECRET",
        "slack:SECRET",
        "mail:SECRET",
        "mail:a@b@c",
        "mail:Team <team@example.com>",
        "apprise:SECRET",
        "sms:SECRET",
    ],
)
def test_what_is_none_is_refused_and_a_secret_in_it_not_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        channel(text)
    if not text.startswith("mail"):
        try:
            channel(text)
        except ValueError as error:
            assert "SECRET" not in str(error)


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("stdout", "stdout"),
        ("webhook:$URL", "webhook:$URL"),
        ("mail:team@example.com", "mail:team@example.com"),
        ("webhook:https://user:SECRET@hooks.example:8443/SECRET", "webhook:hooks.example/..."),
        ("slack:https://[SECRET", "slack:https/..."),
        ("apprise:tgram://SECRET/SECRET", "apprise:tgram/..."),
    ],
)
def test_of_an_address_that_is_written_out_only_the_host_is_shown(text: str, seen: str) -> None:
    assert public(text) == seen


def test_variables_are_taken_from_the_environment_or_named_where_they_are_missing() -> None:
    assert expanded("https://$HOST/$PATH_1", {"HOST": "a", "PATH_1": " b "}) == "https://a/b"
    with pytest.raises(LookupError, match="the environment variable HOST is not set"):
        expanded("https://$HOST", {"HOST": " "})
