"""`gatewatch token`: made, listed, revoked; its text is told once."""

import json
from pathlib import Path

import click
import pytest

from cli.building import run
from cli.traffic import project
from gatewatch.cli.token import command
from gatewatch.store.access import ROLES


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return project(tmp_path)


def test_a_token_is_made_listed_and_revoked(capsys: pytest.CaptureFixture[str]) -> None:
    code, secret, err = run(capsys, "token", "create", "--role", "read", "--note", "grafana", "--expires", "90d")
    assert code == 0 and secret.startswith("gw_r_") and secret.count("\n") == 1
    assert "of project bot, role read" in err and secret.strip() not in err
    (one,) = json.loads(run(capsys, "token", "list", "--json")[1])["tokens"]
    assert (one["project"], one["role"], one["note"], one["used"], one["revoked"]) == (
        "bot",
        "read",
        "grafana",
        None,
        None,
    )
    assert round((one["expires"] - one["created"]) / 86_400) == 90
    out = run(capsys, "token", "list")[1]
    assert one["id"] in out and "grafana" in out and "never" in out and secret.strip() not in out
    assert run(capsys, "token", "revoke", one["id"])[:2] == (
        0,
        f"token {one['id']} of project bot, role read, is revoked\n",
    )
    assert "was revoked" in run(capsys, "token", "list")[1]


def test_it_is_of_the_project_that_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("bot", "shop"):
        made = json.loads(run(capsys, "token", "create", "--project", name, "--json")[1])
        assert (made["project"], made["role"]) == (name, "ingest") and made["token"].startswith("gw_i_")
    assert (
        "project search is made: there was none of this name beside bot, shop"
        in run(capsys, "token", "create", "--project", "search")[2]
    )
    assert "is made" not in run(capsys, "token", "create", "--project", "search")[2]
    assert not (here / ".gatewatch" / "gatewatch.shop.db").exists()  # it is made when something arrives
    found = json.loads(run(capsys, "token", "list", "--project", "shop", "--json")[1])["tokens"]
    assert [each["project"] for each in found] == ["shop"]


def test_there_is_none_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "token", "list")[1] == "there is no token: `gatewatch token create`\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--expires", "soon"), "expected a duration"),
        (("create", "--project", "No Such"), "expected small letters"),
        (("create", "--role", "king"), "'king' is not one of"),
        (("revoke", "0123456789"), "there is no such token"),
    ],
)
def test_what_is_wrong_is_told(capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str) -> None:
    code, out, err = run(capsys, "token", *words)
    assert (code, out) == (2, "") and said in err


def test_every_role_can_be_chosen() -> None:
    (role,) = (each for each in command.commands["create"].params if each.name == "role")
    assert isinstance(role.type, click.Choice) and list(role.type.choices) == list(ROLES)
