"""How a model is configured: the table `[models.NAME]` of gatewatch.toml."""

from typing import Any

from msgspec import Struct


class ModelSettings(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One configured model of an OpenAI-compatible provider.

    Attributes:
        model: the provider's name of the model.
        path: in the place of a provider, the folder of a sentence embedder on this machine.
        base_url: what `/chat/completions` is appended to; `$NAME` is taken from the environment variable NAME.
        key_env: the environment variable that holds the key; empty when the provider wants none.
        headers: further headers; a value `$NAME` is taken from the environment variable NAME.
        rpm: requests a minute that may be sent at most; None: no limit of our own.
        tpm: tokens a minute, input and output together, that may be used at most; None: no limit of our own.
        concurrency: calls that may be in flight at once.
        timeout: seconds that one attempt may take in all, however slowly its body drips in.
        retries: attempts beyond the first, after server errors, time-outs, broken connections and malformed replies.
            A call that was refused for its rate (429) is made again without using these up.
        patience: seconds that a call waits in all, from its first refusal for its rate, before it is given up.
        parameters: sent with every request (temperature, max_tokens, seed ...).
        json_schema: whether the provider is asked to hold a judge's reply to a JSON schema (`response_format`).
        cache: whether replies may come from, and go to, the reply cache.
    """

    model: str = ""
    path: str = ""
    base_url: str = "https://api.openai.com/v1"
    key_env: str = "OPENAI_API_KEY"
    headers: dict[str, str] = {}
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int = 64
    timeout: float = 120.0
    retries: int = 5
    patience: float = 600.0
    parameters: dict[str, Any] = {}
    json_schema: bool = True
    cache: bool = True
