"""The documentation cannot rot: every block runs, and every command, option and key is documented.

On a page, blocks are taken in order, in a folder of the page's own. What a block is for is said by its first line:

    ```toml gatewatch.toml      a language and a file's name: the block is written to that file
    ```python                   Python: it is run
    ```console                  lines that start with `$ ` are run by a shell; the lines after one are what it prints,
                                where `...` stands for anything
    ```json, ```toml            without a file's name: it must be well-formed
    ```text                     is only read
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from gatewatch.cli.main import COMMANDS, gatewatch
from gatewatch.config import settings
from gatewatch.models.prices import PriceOverride
from gatewatch.models.settings import ModelSettings
from gatewatch.online import settings as capture

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)?[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        yield match[1] or "", match[2].strip(), match[3]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_runs(page: Path, tmp_path: Path) -> None:
    for language, file, body in blocks(page):
        if file:
            target = tmp_path / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(body, encoding="utf-8")
        elif language == "python":
            _run([sys.executable, "-c", body], tmp_path, body)
        elif language == "console":
            _console(body, tmp_path)
        elif language == "json":
            for line in body.strip().splitlines() if body.count("\n{") else [body]:
                json.loads(line)
        elif language == "toml":
            tomllib.loads(body)
        else:
            assert language == "text", f"{name_of(page)}: a block of {language!r} is not checked; say which it is"


def _console(body: str, folder: Path) -> None:
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, _, expected = part.partition("\n")
        printed = _run(["bash", "-c", command], folder, command)
        if expected.strip():
            pattern = r"[\s\S]*?".join(re.escape(piece.strip()) for piece in expected.strip().split("..."))
            assert re.search(pattern, printed), f"$ {command}\nprinted:\n{printed}\nnot as documented:\n{expected}"


def _run(command: list[str], folder: Path, what: str) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "100"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, f"{what}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    for match in _LINK.finditer(page.read_text(encoding="utf-8")):
        assert (page.parent / match[1]).exists(), f"{name_of(page)}: {match[1]}"


def test_every_command_and_option_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    context = click.Context(gatewatch)
    for name in COMMANDS:
        assert f"## `gatewatch {name}" in text, name
        assert f"| [`gatewatch {name}`](#gatewatch-{name}" in text, f"{name} is not in the table at the top"
        command = gatewatch.get_command(context, name)
        assert command is not None
        section = text.split(f"## `gatewatch {name}")[1].split("\n## ")[0]
        for path, each in under(command, name):
            assert f"`gatewatch {path}" in f"`gatewatch {name} {section}", path
            for parameter in each.params:
                if isinstance(parameter, click.Option):
                    assert f"`{parameter.opts[-1]}" in section, f"{path} {parameter.opts[-1]}"


def under(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """A command and, of a group, all that are in it, each with how it is called."""
    yield path, command
    if isinstance(command, click.Group):
        for name, each in command.commands.items():
            yield from under(each, f"{path} {name}")


def test_the_table_of_commands_is_in_order() -> None:
    text = (ROOT / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[`gatewatch (\w+)`\]", text, re.MULTILINE) == list(COMMANDS)
    assert re.findall(r"^## `gatewatch (\w+)", text, re.MULTILINE) == list(COMMANDS)


def test_every_variable_of_capture_is_documented() -> None:
    text = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    section = text.split("## Variables of capture")[1].split("\n## ")[0]
    for name in capture.Settings.__struct_fields__:
        if name != "hook":  # a function, which no variable can name
            assert f"| `GATEWATCH_{name.upper()}` |" in section, name


@pytest.mark.parametrize(
    ("table", "struct"),
    [
        ("[project]", settings.ProjectSettings),
        ("[models.NAME]", ModelSettings),
        ("[prices.MODEL]", PriceOverride),
        ("[tasks.NAME]", settings.TaskSettings),
        ("[suites.NAME]", settings.SuiteSettings),
        ("gate", settings.GateSettings),
        ("[online]", settings.OnlineSettings),
        ("[ingest]", settings.IngestSettings),
        ("[monitors.NAME]", settings.MonitorSettings),
        ("[monitors.NAME]", settings.MonitoredScorer),
        ("[monitors.NAME]", settings.AlertSettings),
        ("[monitors.NAME]", settings.RuleSettings),
        ("[alerts]", settings.AlertsSettings),
        ("[loop]", settings.LoopSettings),
    ],
)
def test_every_key_is_documented(table: str, struct: type[msgspec.Struct]) -> None:
    text = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    section = text.split(f"## `{table}`")[1].split("\n## ")[0]
    for field in msgspec.structs.fields(struct):
        assert f"| `{field.name}` |" in section, f"{table} {field.name}"


def test_no_machine_path_in_the_documentation() -> None:
    for page in PAGES:
        assert not re.search(r"(^|[\s`\"'(])/(root|home|work|tmp)/", page.read_text(encoding="utf-8")), name_of(page)
