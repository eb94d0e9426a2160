"""`gatewatch serve`: the server."""

import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Literal

import click

from gatewatch.cli.terminal import log_to_standard_error, shown, tell, who

if TYPE_CHECKING:
    from gatewatch.web.host import Base

_PREFIX = re.compile(r"(/[A-Za-z0-9_.~-]+)+/?")
_LOOPBACK = ("127.0.0.1", "::1")


@click.command(name="serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8321, show_default=True, help="The port; 0 for any.")
@click.option("--name", "names", multiple=True, help="A name that it answers to on loopback, behind a proxy.")
@click.option(
    "--proxy", "proxies", multiple=True, help="A proxy's address or network, whose X-Forwarded-For it believes."
)
@click.option("--prefix", default="", help="The path that it is mounted at behind a proxy, such as /gatewatch.")
@click.option("--no-auth", is_flag=True, help="Ask for no token, on loopback only.")
@click.option("--insecure", is_flag=True, help="Ask for no token beyond loopback, while none was created.")
@click.option("--open", "look", is_flag=True, help="Open the pages in a browser; on loopback only.")
def command(
    host: str,
    port: int,
    *,
    names: tuple[str, ...],
    proxies: tuple[str, ...],
    prefix: str,
    no_auth: bool,
    insecure: bool,
    look: bool,
) -> int | None:
    """Take in what services send (OTLP, captured requests, feedback), and let it be read and looked at. Any number may
    run.

    What was acknowledged is stored. SIGTERM and Ctrl-C let what was received be kept before it ends.
    """
    from gatewatch.config.project import Project
    from gatewatch.config.serving import serving
    from gatewatch.core.errors import InputError, Problem

    try:
        from gatewatch.web.app import application
        from gatewatch.web.host import Base, Host
        from gatewatch.web.server import listen, serve
        from gatewatch.web.visitors import Visitors
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("gatewatch"):
            raise
        what = f"needs {error.name}, which is not installed"
        raise InputError(Problem("gatewatch serve", what, 'pip install "gatewatch[server]"')) from None
    from gatewatch.core.clock import wall
    from gatewatch.online.traits import can_tell

    project = Project.open()
    found = serving(project)
    loopback = _loopback(host)
    alone = loopback and not names  # a proxy lets others in
    if no_auth and not alone:
        what = "others come through a proxy" if loopback else f"{host} is not this machine alone"
        raise InputError(Problem("--no-auth", what, "create tokens, or say --insecure"))
    if look and not alone:
        what = "others come through a proxy" if loopback else f"{host} is not this machine alone"
        raise InputError(Problem("--open", what, "sign in at /signin with a token"))
    _check_networks(proxies)
    _check_prefix(prefix)
    base = Base(found.base)
    open_: Literal["always", "untokened", "never"] = (
        "always" if no_auth else "untokened" if alone or insecure else "never"
    )
    _look_at_tokens(base, found.own, open_)
    visitors = Visitors(base, wall, own=found.own, open_=open_, account=who() if alone else "")
    app = application(Host(found, visitors, base), project=project, names=names if loopback else None, prefix=prefix)
    can_tell()  # the model of languages is part of what a server takes from the start
    listening = listen(host, port)
    where = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}{prefix.rstrip('/')}"
    tell(shown(f"serving {where} -> {project.settings.project.store}"))
    if alone:
        _lead_in(f"{where}/" if no_auth else f"{where}/enter?key={visitors.link()}", no_auth=no_auth, look=look)
    log_to_standard_error()
    heard = serve(app, listening, proxies or (_LOOPBACK if names and loopback else ()))
    return 128 + heard if heard else None


def _lead_in(address: str, *, no_auth: bool, look: bool) -> None:
    """Tell the address of the pages to whoever started this, on whose screen it is; it goes into no log."""
    tell(f"pages   {address}" + ("" if no_auth else "  (lets you in once, within 15 minutes)"))
    if look:
        import threading
        import webbrowser

        threading.Thread(target=webbrowser.open, args=[address], daemon=True).start()  # some wait until it is closed


def _check_networks(proxies: tuple[str, ...]) -> None:
    for each in proxies:
        try:
            ip_network(each)
        except ValueError:
            what = f"{each!r} is neither an address nor a network"
            raise click.BadParameter(f'{what}, such as "10.0.0.7" or "10.0.0.0/8"', param_hint="--proxy") from None


def _check_prefix(prefix: str) -> None:
    if prefix and not _PREFIX.fullmatch(prefix):
        what = f"{prefix!r} is no path: it begins with a stroke and has letters, digits, dots, dashes and strokes"
        raise click.BadParameter(what, param_hint="--prefix")


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _look_at_tokens(base: "Base", own: str, open_: str) -> None:
    """Make the project known, and see whether whoever asks has to bear a token.

    Raises:
        InputError: there is none that anybody could bear.
    """
    from gatewatch.core.clock import wall
    from gatewatch.core.errors import InputError, Problem, StoreError
    from gatewatch.store.access import any_token, register

    try:
        register(base(), own, wall())
        tokens = any_token(base())
    except StoreError as error:
        tell(shown(f"not ready: {error}"))
        return
    if open_ == "never" and not tokens:
        hint = "`gatewatch token create` makes one; --insecure takes whatever comes"
        raise InputError(Problem("gatewatch serve", "there is no token, and others can reach this address", hint))
    if open_ == "always" or not tokens:
        tell("warning: it asks for no token: whoever can reach it may send, and read everything")
