"""`gatewatch serve`: what it refuses to start with. That it serves is in tests/web and tests/live."""

import socket
import sys
from pathlib import Path

import pytest

from cli.building import run
from cli.traffic import project


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return project(tmp_path)


def test_beyond_this_machine_it_wants_a_token(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "serve", "--host", "0.0.0.0")
    assert code == 2 and "there is no token, and others can reach this address" in err
    code, _, err = run(capsys, "serve", "--host", "0.0.0.0", "--no-auth")
    assert code == 2 and "--no-auth: 0.0.0.0 is not this machine alone" in err


def test_it_opens_a_browser_for_whoever_is_at_this_machine_alone(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "serve", "--host", "0.0.0.0", "--open")
    assert code == 2 and "--open: 0.0.0.0 is not this machine alone" in err
    code, _, err = run(capsys, "serve", "--name", "gatewatch.example", "--open")
    assert code == 2 and "--open: others come through a proxy" in err


def test_behind_a_proxy_it_wants_a_token_too(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "serve", "--name", "gatewatch.example")
    assert code == 2 and "there is no token, and others can reach this address" in err
    code, _, err = run(capsys, "serve", "--name", "gatewatch.example", "--no-auth")
    assert code == 2 and "--no-auth: others come through a proxy" in err
    code, _, err = run(capsys, "serve", "--proxy", "proxy.example")
    assert code == 2 and "--proxy: 'proxy.example' is neither an address nor a network" in err


@pytest.mark.parametrize("options", [(), ("--no-auth",)])
def test_an_address_that_is_taken_is_told(capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, _, err = run(capsys, "serve", "--port", str(port), *options)
    assert code == 2 and f"127.0.0.1:{port}: cannot listen there" in err
    assert "warning: it asks for no token" in err


def test_an_address_that_is_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "token", "create")
    code, _, err = run(capsys, "serve", "--host", "nowhere.invalid")
    assert code == 2 and "nowhere.invalid:8321: cannot listen there" in err


def test_what_is_wrong_in_the_settings_is_told(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    wrong = '[ingest]\nsettle = "soon"\nmax_body = "1 KB"\norigins = ["app.example"]\nmap = { a = "flaw" }\n'
    (here / "gatewatch.toml").write_text(wrong)
    code, _, err = run(capsys, "serve")
    assert code == 2
    for said in (
        'gatewatch.toml: ingest.settle: expected a duration such as "30m"',
        "gatewatch.toml: ingest.origins[0]: is no web origin: 'app.example'",
        "gatewatch.toml: ingest.map.a: 'flaw' is nothing that an attribute can be mapped to (did you mean \"flow\"?)",
    ):
        assert said in err
    assert "max_body" not in err


def test_without_its_libraries_it_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("gatewatch.web.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    code, _, err = run(capsys, "serve")
    assert code == 2 and 'needs fastapi, which is not installed (pip install "gatewatch[server]")' in err
