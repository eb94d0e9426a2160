import base64
import json
import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.secrets import count, find
from shared import rows

MIXED = "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7cF0hL"


def _jwt(alg: str) -> str:
    parts = (json.dumps({"alg": alg, "typ": "JWT"}), json.dumps({"sub": "42", "name": "Mia"}), MIXED)
    return ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


# Put together here, so that nothing that looks for secrets stops at this file.
SECRETS = {
    "aws_key": "AK" + "IA" + "Q7RS5TUV3WX2YZAB",
    "github_token": "gh" + "p_" + MIXED + "Xy3z",
    "gitlab_token": "gl" + "pat-" + MIXED[:20],
    "slack_token": "xo" + "xb-" + "2048120481-" + MIXED[:24],
    "stripe_key": "sk_" + "live_" + MIXED[:24],
    "google_key": "AI" + "za" + MIXED + "Qw9",
    "llm_key": "sk" + "-proj-" + MIXED * 2,
    "package_token": "np" + "m_" + MIXED + "Xy3z",
    "sendgrid_key": "S" + "G." + MIXED[:22] + "." + MIXED,
    "twilio_key": "S" + "K" + "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "private_key": "-----BEGIN RSA PRIV" + "ATE KEY-----",
    "jwt": _jwt("HS256"),
}


@pytest.mark.parametrize("kind", SECRETS)
def test_found(kind: str) -> None:
    text = f"the key is {SECRETS[kind]}, keep it"
    (secret,) = find(text)
    assert (secret.type, text[secret.start : secret.end]) == (kind, SECRETS[kind])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("postgresql://app:h7Gk2pQz@db.internal:5432/app", "url_password"),
        ('API_KEY = "q8Zt4Lm1Xc7Vb2Nk"', "assigned"),
        ("client_secret: Zk39vQx71LmPw0aB", "assigned"),
        ("my password is Tr0ub4dor&3xY9", "assigned"),
    ],
)
def test_found_by_where_it_stands(text: str, kind: str) -> None:
    assert [each.type for each in find(text)] == [kind]


@pytest.mark.parametrize(
    "text",
    [
        "AK" + "IAIOSFODNN7EXAMPLE",
        "sk" + "-your-key-here-your-key-here-your",
        "token = <your-token-goes-here>",
        "password: correct horse battery",
        "password = changeme123456",
        "api_key = os.environ['API_KEY_12345678']",
        "https://user:password@example.com",
        "the secret is that 2024 was better than 2023",
        "eyJ" + "a" * 40 + "." + "b" * 40 + "." + "c" * 40,  # its head is no JSON
        _jwt("none"),
        "sk-learn is a library, desk-" + "a" * 40,
        "a private key is kept in a file",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_not_found(text: str) -> None:
    assert find(text) == []


def test_counted_in_any_value() -> None:
    value = {"keys": [SECRETS["aws_key"], {SECRETS["jwt"]: 1}], "n": 3, "none": None}
    assert count(value) == {"aws_key": 1, "jwt": 1}


@given(st.text(alphabet=string.ascii_letters + string.digits + "-_.:/@=\"' ", max_size=300))
def test_what_is_found_lies_in_the_text_and_does_not_overlap(text: str) -> None:
    found = find(f"{text} {SECRETS['aws_key']} {text}")
    assert all(0 <= each.start < each.end for each in found)
    assert all(one.end <= other.start for one, other in pairwise(found))


def test_ordinary_requests_hold_none() -> None:
    texts = [
        row["text"] for row in rows("guard_injection", "prompts.jsonl.gz") if row["origin"] in ("CLINC150", "NotInject")
    ]
    assert len(texts) > 900
    assert sum(bool(find(text)) for text in texts) == 0
