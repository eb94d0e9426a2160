"""What commands send with: a client for a server elsewhere, made of its address and a token."""

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 30.0


def client_to(address: str, token_env: str, option: str = "--to") -> "httpx.Client":
    """A client with a server's address, which `option` gave, and the token that a variable has, if it has one.

    Raises:
        click.BadParameter: the address is none.
        InputError: the token cannot be sent.
    """
    import httpx

    from gatewatch.core.errors import InputError, Problem
    from gatewatch.core.http import header_flaw, url_flaw

    if flaw := url_flaw(address):
        raise click.BadParameter(flaw, param_hint=option)
    token = os.environ.get(token_env, "")
    if token and (flaw := header_flaw("authorization", f"Bearer {token}")):
        raise InputError(Problem(token_env, flaw))
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=address, headers=headers, timeout=_TIMEOUT_S)
