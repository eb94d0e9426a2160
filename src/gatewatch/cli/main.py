"""The `gatewatch` command: parse, one call, print. Each command is a module, loaded when it is asked for.

Exit codes: 0 done or passed, 1 the gate failed, 2 wrong usage or configuration, 3 no verdict, 4 the run itself broke,
130 and 143 when interrupted or told to end.
"""

import errno
import io
import os
import sys
import traceback
from importlib import import_module
from typing import Any

import click

from gatewatch import __version__
from gatewatch.core.errors import GatewatchError, did_you_mean

# One line each, here, so that --help need not load them.
COMMANDS = {
    "ab": "Which variant of a flow is better, looked at as often as one likes.",
    "accept": "Accept a case or a scorer for a while, with a reason and an owner.",
    "alerts": "What is wrong with live traffic: list, acknowledge, resolve; try channels.",
    "audit": "What in a dataset tests nothing, tests twice, or is not so, and what it lacks.",
    "backfill": "Score requests that are stored with a new or changed scorer, at a forecast cost.",
    "baseline": "Pin a run as what later ones are held against, or show what is pinned.",
    "calibrate": "How far a judge may be trusted: hold its verdicts against people's labels.",
    "compare": "Put runs side by side: what changed, how each scorer moved, row by row.",
    "costs": "What live traffic costs in a month: by flow, scorer, model, day.",
    "db": "The store of live traffic: what is in it, and bringing it up to date.",
    "demo": "Take a small support bot through the whole loop: no key, no network.",
    "doctor": "Check the project: configuration, datasets, tasks, scorers, models.",
    "erase": "Erase a user or a session: store, spool, caches, labels, exports; with a receipt.",
    "export": "Give out all that is kept of a user, as JSON lines.",
    "gate": "Did it get worse? Run a candidate and hold it against the baseline.",
    "init": "Start a project here: a suite, a rubric, a monitor, a dataset.",
    "label": "Say of live requests whether they were answered right, blind first; draw some by chance.",
    "mark": "Note that something was changed (a deploy), so that alerts can name it.",
    "mine": "What goes wrong live, grouped into failures, ranked, and put up to be labelled.",
    "plan": "What a suite's gate can see, and what seeing more would cost.",
    "promote": "Make cases of what went wrong live: from failures, items, or requests.",
    "pull": "Write what was promoted, accepted or pinned elsewhere into the files of this checkout.",
    "push": "Send a run's journal to a server, which keeps it beside live data.",
    "rebaseline": "Run the grown dataset, lock what is fixed, and pin: the gate guards it from then on.",
    "rescore": "Score a run's stored outputs again, without calling the application.",
    "rubric": "Try a rubric on a few traces: what a judge says of them, and what that costs.",
    "run": "Run a suite's task over its dataset and score every row.",
    "scorers": "List the scorers that a suite may name here: needs, range, cost, fingerprint.",
    "serve": "Take in what services send, over HTTP, and let it be read: one process, any number of them.",
    "ship": "Send what capture wrote on this machine to a server elsewhere.",
    "show": "Show a run: its summary, its rows, or one case.",
    "token": "Make, end and list the tokens by which a server knows who asks.",
    "trends": "How a flow of live traffic is doing: signals, and scores with their intervals.",
    "why": "What became of a live request with each scorer, and why.",
    "work": "Take in what was captured, sample it, score it, keep it. Any number may run.",
}


class _Commands(click.Group):
    """Commands that are imported when they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"gatewatch.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            ctx.fail(f"there is no command {args[0]!r} ({did_you_mean(args[0], COMMANDS)})")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        from gatewatch.cli.terminal import while_heard

        with while_heard():  # within click, which would give it the code of a gate that failed
            return super().invoke(ctx)
        return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="gatewatch")
def gatewatch() -> None:
    """Score an LLM application, before it ships and while it is live: every row, on one scale, and keep it all."""


def main() -> None:
    """Run the command line, with errors told to people and exit codes told to programs."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal that cannot show a letter is no reason to fail
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(status(sys.argv[1:]))


def status(arguments: list[str]) -> int:
    """Run one command and give its exit code."""
    from gatewatch.cli.terminal import shown, tell

    try:
        code = gatewatch.main(arguments, prog_name="gatewatch", standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except click.ClickException as error:
        error.show()
        return max(2, error.exit_code)
    except GatewatchError as error:
        tell(f"error: {shown(error)}")
        return error.exit_code
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:  # of what somebody named to us
            tell(f"error: {shown(error.filename)}: {error.strerror}")
            return 2
        if os.environ.get("GATEWATCH_DEBUG"):
            traceback.print_exc()
        tell(f"error: {type(error).__name__}: {shown(error)}")
        tell("This is a fault of gatewatch: set GATEWATCH_DEBUG=1 to see where.")
        return 4
    return code if isinstance(code, int) else 0
