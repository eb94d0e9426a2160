"""`gatewatch erase`: afterwards the person is in no file, and does not come back."""

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from cli.building import run
from cli.erasing import MIA, PLANTED, a_project, asked, bytes_found, other_files, pushed
from cli.traffic import spooling
from gatewatch import feedback
from gatewatch.checks.looping import change, failure, item, label
from gatewatch.checks.looping import mine as mined
from gatewatch.checks.traffic import NOW
from gatewatch.core.erasure import mark_of
from gatewatch.store.looping import Mined
from gatewatch.store.open import open_store
from online.capturing import capturing

PROMOTED = ("cases.", ".gatewatch/runs/")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("GATEWATCH_USER_KEY", raising=False)
    return a_project(tmp_path)


def receipt(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code, out, err = run(capsys, "erase", "--yes", "--json", *words)
    assert code == 0, err
    found = json.loads(out)
    assert (found["kind"], found["version"]) == ("gatewatch.erasure", 1)
    return dict(found)


def test_afterwards_they_are_in_no_file(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        mine = [asked(n, MIA, planted=PLANTED, thumbs="down", session="s1") for n in range(5)]
        other = asked(9, "bob", thumbs="up")
    assert run(capsys, "work", "--once")[0] == 0
    other_files(here, mine[0])
    assert run(capsys, "export", "--user", MIA)[0] == 0
    with spooling(here):
        asked(10, MIA, planted=PLANTED)  # of a process that ended, and not taken in yet
        asked(11, "bob")
    assert len(bytes_found(here, PLANTED)) >= 5
    said = receipt(capsys, "--user", MIA)
    assert bytes_found(here, PLANTED, MIA, besides=PROMOTED) == {}
    expected = {"requests": 5, "payloads": 5, "feedback": 5, "scores": 5, "segment records": 1, "labels": 1}
    expected |= {"exports": 1, "cached replies": 50}
    assert {part: said["counts"].get(part) for part in expected} == expected
    assert said["changed"] == [{"file": "labels/helpful.jsonl", "line": 1}]
    looked = [(each["file"], each["line"]) for each in said["look_at"]]
    assert looked == [("cases.csv", 3), ("cases.jsonl", 2), ("cases.jsonl", 3), (".gatewatch/runs/old-1.jsonl", 1)]
    assert [(day["flow"], day["requests"], day["scores"]) for day in said["days"]] == [("support", 5, 10)]
    assert MIA not in json.dumps(said) and said["left"] == []
    assert len((here / "labels" / "helpful.jsonl").read_text().splitlines()) == 2
    run(capsys, "work", "--once")
    store = open_store(here / ".gatewatch" / "gatewatch.db")
    assert {row.external_id for row in store.latest()} == {"m9", "m11"}
    assert store.find(other) is not None
    store.close()


def test_what_came_of_their_requests_goes_though_these_are_long_gone(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with spooling(here):
        mine, other = asked(0, MIA, planted=PLANTED), asked(1, "bob")
    assert run(capsys, "work", "--once")[0] == 0
    store = open_store(here / ".gatewatch" / "gatewatch.db")
    for name in (mine, other):
        row = store.find(name)
        assert row is not None
        told = PLANTED if name == mine else "short"
        found = (item(name, user=row.user, signs=(told,)), store.payload(row.seq) or b"")
        (kept,) = mined(store, Mined(failure=failure(told), items=[found]))
        store.label(label(kept.id, comment=told, expected=told), NOW)
        store.propose([change(told, trace=name)], NOW)
    store.expire(2**40, 0, 0)
    store.close()
    _, out, _ = run(capsys, "export", "--user", MIA, "--json")
    path = Path(json.loads(out)["file"])
    (line,) = map(json.loads, path.read_text().splitlines()[1:])
    assert (line["item"]["trace"], line["trace"]["output"]) == (mine, f"yes please {PLANTED}")
    assert [each["comment"] for each in line["labels"]] == [PLANTED]
    (here / "cases.jsonl").write_text(json.dumps({"input": "?", "provenance": {"trace": mine}}) + "\n")
    _, out, _ = run(capsys, "erase", "--user", MIA, "--dry-run")
    assert out.splitlines()[0] == "would go from the store: 1 item"
    said = receipt(capsys, "--user", MIA)
    assert said["counts"] == {"items": 1, "changes": 1, "exports": 1}
    assert [(each["file"], each["line"]) for each in said["look_at"]] == [("cases.jsonl", 1)]
    assert bytes_found(here, PLANTED, MIA) == {}
    store = open_store(here / ".gatewatch" / "gatewatch.db")
    assert [each.trace for each in store.items()] == [each.trace for each in store.changes()] == [other]
    assert [each.name for each in store.failures()] == ["(erased)", "short"]
    store.close()


def test_a_living_process_goes_on_and_what_it_sends_of_them_stays_out(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with capturing(here / ".gatewatch" / "spool") as captured:
        first = asked(0, MIA, planted=PLANTED)
        asked(1, "bob")
        captured.records()
        run(capsys, "work", "--once")
        said = receipt(capsys, "--user", MIA)
        assert (said["counts"]["requests"], said["counts"]["segment records"]) == (1, 1)
        assert bytes_found(here, PLANTED, MIA) == {}
        late = asked(2, MIA, planted=PLANTED, thumbs="down")
        feedback(first, thumbs="down", comment=PLANTED)
        feedback(late, thumbs="down", comment=PLANTED)
        asked(3, "bob")
        captured.records()
        code, out, _ = run(capsys, "work", "--once", "--json")
        assert (code, json.loads(out)["ingested"]["traces"], json.loads(out)["ingested"]["lost"]) == (0, 1, 4)
        assert bytes_found(here, PLANTED, MIA) == {}
        kinds = [kind for kind, _ in captured.records()]
        assert kinds == ["erased", "trace", "erased", "erased", "erased", "erased", "trace"]
    code, out, _ = run(capsys, "db", "status", "--json")
    assert json.loads(out)["losses"] == {"erased": 4} and json.loads(out)["parked"] == 0


def test_an_old_store_that_is_put_back_is_brought_up(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        for n in range(5):
            asked(n, MIA if n % 2 else "bob", planted=PLANTED if n % 2 else "")
    run(capsys, "work", "--once")
    backup = here / "backup.db"
    shutil.copy(here / ".gatewatch" / "gatewatch.db", backup)
    receipt(capsys, "--user", MIA)
    for again in (("work", "--once"), ("erase", "--again")):
        for path in (here / ".gatewatch").glob("gatewatch.db*"):
            path.unlink()
        shutil.copy(backup, here / ".gatewatch" / "gatewatch.db")
        code, out, _ = run(capsys, *again)
        assert code == 0
        store = open_store(here / ".gatewatch" / "gatewatch.db")
        assert [row.external_id for row in store.latest()] == ["m4", "m2", "m0"]
        assert store.tombstone_count() > 3
        store.close()
    assert out == "erased again: 2 requests\n"
    assert bytes_found(here, PLANTED, MIA, besides=("backup.db",)) == {}
    code, out, _ = run(capsys, "erase", "--list")
    assert "by again  user" in out and "2 requests" in out


def marks_in(graves: Path) -> set[str]:
    head, *lines = map(json.loads, graves.read_text().splitlines())
    assert head == {"kind": "gatewatch.erased", "version": 1}
    return {line["mark"] for line in lines}


def test_a_list_that_was_lost_is_written_anew(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        asked(1, MIA)
    run(capsys, "work", "--once")
    receipt(capsys, "--user", MIA)
    graves = here / ".gatewatch" / "erased.jsonl"
    before = marks_in(graves)
    graves.unlink()
    run(capsys, "work", "--once")
    assert marks_in(graves) == before and len(before) == 4
    assert graves.stat().st_mode & 0o777 == 0o600


def test_nothing_found_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "erase", "--yes", "--user", "nobody")
    assert code == 0 and "gone  nothing is kept of them" in out
    assert "no key of users" in err
    store = open_store(here / ".gatewatch" / "gatewatch.db")
    assert store.buried([mark_of("user", "nobody")])
    store.close()


@pytest.mark.parametrize("given", [{}, {"user_key": "from a file\n"}])
def test_a_key_that_ends_in_white_space_finds_them(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    monkeypatch.setenv("GATEWATCH_USER_KEY", "from a file\n")
    with capturing(here / ".gatewatch" / "spool", **given) as captured:
        asked(1, MIA)
        captured.records()
    run(capsys, "work", "--once")
    assert receipt(capsys, "--user", MIA)["counts"]["requests"] == 1


def test_runs_that_were_pushed_are_named_and_can_be_removed(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        mine = asked(1, MIA)
    run(capsys, "work", "--once")
    long, store = "x" * 1_500_000, here / ".gatewatch" / "gatewatch.db"
    pushed(store, "other", "nobody", "y")
    pushed(store, "of-mia", "nobody", f"{long} I am {MIA}. {PLANTED}", "z")
    pushed(store, "of-trace", f"see {mine} {PLANTED}")
    pushed(store, "cut-1", PLANTED)
    assert bytes_found(here, PLANTED)
    assert receipt(capsys, "--user", MIA)["runs"] == ["of-mia", "of-trace"]
    assert "pushed run of-mia: `gatewatch db forget-run of-mia`" in run(capsys, "erase", "--yes", "--user", MIA)[1]
    for name in ("of-mia", "of-trace"):
        assert run(capsys, "db", "forget-run", name)[0] == 0
    assert bytes_found(here, PLANTED, MIA) == {}
    assert run(capsys, "db", "forget-run", "of-mia")[0] == 2
    lines = json.loads(run(capsys, "db", "audit", "--json")[1])["lines"]
    assert {line["what"] for line in lines if line["action"] == "forget"} == {"run of-mia", "run of-trace"}
    assert receipt(capsys, "--user", MIA)["runs"] == []


def test_what_cannot_be_written_is_told_and_the_rest_goes(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        trace = asked(1, MIA, planted=PLANTED)
    run(capsys, "work", "--once")
    other_files(here, trace)
    run(capsys, "export", "--user", MIA)
    (here / "labels" / ".helpful.jsonl.erasing").mkdir()
    deep = '{"id": "x", "deep": ' + "[" * 20_000 + "]" * 20_000 + "}\n"
    for path in (here / "deep.jsonl", here / ".gatewatch" / "exports" / "deep.jsonl"):
        path.write_text(deep)
    reader = sqlite3.connect(here / ".gatewatch" / "cache.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM reply").fetchone()
    said = receipt(capsys, "--user", MIA)
    reader.close()
    assert [each.split(":")[0] for each in said["left"]] == ["labels/helpful.jsonl", "the reply cache was not emptied"]
    assert said["counts"]["exports"] == 1 and said["counts"]["requests"] == 1
    (here / "labels" / ".helpful.jsonl.erasing").rmdir()
    again = receipt(capsys, "--user", MIA)
    assert (again["left"], again["counts"]["labels"]) == ([], 1)


def test_what_they_said_goes_from_others_exports_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        feedback(asked(1, "bob"), thumbs="down", comment=PLANTED, user=MIA)
        feedback(asked(2, "eve"), thumbs="down", comment="fine", user="eve")
        asked(3, MIA, planted=PLANTED)
    run(capsys, "work", "--once")
    for user in ("bob", "eve", MIA):
        run(capsys, "export", "--user", user, "--out", f".gatewatch/exports/{user}.json")
    assert receipt(capsys, "--user", MIA)["counts"]["exports"] == 2
    assert [path.name for path in (here / ".gatewatch" / "exports").iterdir()] == ["eve.json"]
    assert bytes_found(here, PLANTED) == {}


def test_ids_of_any_length(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        asked(1, session="conversation-" + "x" * 600)
    run(capsys, "work", "--once")
    assert receipt(capsys, "--session", "conversation-" + "x" * 600)["counts"]["requests"] == 1
    assert receipt(capsys, "--user", "y" * 60_000)["counts"].get("requests") is None


@pytest.mark.parametrize("user", ["user", "run", "erase"])
def test_a_user_by_the_name_of_what_the_audit_says(here: Path, capsys: pytest.CaptureFixture[str], user: str) -> None:
    receipt(capsys, "--user", "bob")
    before = json.loads(run(capsys, "db", "audit", "--json")[1])["lines"]
    receipt(capsys, "--user", user)
    assert json.loads(run(capsys, "db", "audit", "--json")[1])["lines"][1:] == before


def test_it_says_what_would_go_and_asks_before(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        asked(1, MIA, thumbs="up")
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "erase", "--user", MIA, "--dry-run")
    assert (code, out.splitlines()[0]) == (0, "would go from the store: 1 request, 1 payload, 1 score, 1 feedback")
    assert run(capsys, "erase", "--user", MIA, "--dry-run", "--json")[0] == 0
    code, _, err = run(capsys, "erase", "--user", MIA)
    assert code == 2 and "give --yes" in err
    assert open_store(here / ".gatewatch" / "gatewatch.db").counts().traces == 1


@pytest.mark.parametrize(
    "words",
    [(), ("--user", "a", "--session", "b"), ("--user", "a", "--flow", "f"), ("--list", "--again"), ("--user", "")],
)
def test_wrong_usage_is_told(here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    code, _, err = run(capsys, "erase", "--yes", *words)
    assert code == 2 and "--" in err


@pytest.mark.parametrize(
    "user", ["a", "%", "_", "mia'; DROP TABLE trace; --", "../../etc", '"', "\x1b[31m", ".*", "ü" * 500]
)
def test_hostile_ids_take_nobody_else_along(here: Path, capsys: pytest.CaptureFixture[str], user: str) -> None:
    with spooling(here):
        asked(1, user)
        asked(2, "alice")
        asked(3)
    run(capsys, "work", "--once")
    other_files(here, "e" * 32)
    before = (here / "labels" / "helpful.jsonl").read_bytes()
    assert receipt(capsys, "--user", user)["counts"]["requests"] == 1
    store = open_store(here / ".gatewatch" / "gatewatch.db")
    assert [row.external_id for row in store.latest()] == ["m3", "m2"]
    store.close()
    assert (here / "labels" / "helpful.jsonl").read_bytes() == before


def test_a_session_of_one_flow(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        asked(1, session="conversation-7")
        asked(2, session="conversation-77")
    run(capsys, "work", "--once")
    assert "requests" not in receipt(capsys, "--session", "conversation-7", "--flow", "other")["counts"]
    assert receipt(capsys, "--session", "conversation-7", "--flow", "support")["counts"]["requests"] == 1
    store = open_store(here / ".gatewatch" / "gatewatch.db")
    assert [row.external_id for row in store.latest()] == ["m2"]
    store.close()


def test_trends_and_costs_say_what_was_erased(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with spooling(here):
        for n in range(4):
            asked(n, MIA if n else "bob")
    run(capsys, "work", "--once")
    code, out, _ = run(capsys, "trends", "support")
    assert code == 0 and "erased" not in out
    receipt(capsys, "--user", MIA)
    code, out, _ = run(capsys, "trends", "support")
    assert "! 3 requests and 3 scores of these days were erased on request: they are in no figure here" in out
    assert "1 request" in out
    code, out, _ = run(capsys, "trends", "--json")
    assert json.loads(out)["flows"][0]["erased"] == {"requests": 3, "scores": 3}
    code, out, _ = run(capsys, "costs", "--json")
    assert json.loads(out)["erased"] == {"requests": 3, "scores": 3}


def test_it_is_noted_who_did(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "db", "audit")
    assert (code, out) == (0, "nothing was noted in this time\n")
    receipt(capsys, "--user", MIA)
    run(capsys, "export", "--user", MIA)
    code, out, _ = run(capsys, "db", "audit", "--since", "1h", "--json")
    lines = json.loads(out)["lines"]
    assert [line["action"] for line in lines] == ["export", "erase"] and MIA not in out
    assert run(capsys, "db", "audit", "--since", "soon")[0] == 2
    code, out, _ = run(capsys, "erase", "--list", "--json")
    assert [each["receipt"]["counts"] for each in json.loads(out)["erasures"]] == [{}]


def test_who_came_under_other_keys_is_not_said_to_be_nowhere(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = here / ".gatewatch" / "spool"
    for number, key in enumerate(("of another machine", "and another", "")):
        with capturing(spool, user_key=key) as captured:
            asked(number, MIA)
            captured.records()
        run(capsys, "work", "--once")
    _, _, err = run(capsys, "work", "--once")
    assert "hashed with 2 other keys" in err and "set GATEWATCH_USER_KEY" in err
    forecast = json.loads(run(capsys, "erase", "--user", MIA, "--dry-run", "--json")[1])
    assert (forecast["counts"]["requests"], len(forecast["other_keys"])) == (1, 2)
    assert json.loads(run(capsys, "export", "--user", MIA, "--json")[1])["other_keys"] == forecast["other_keys"]
    said = receipt(capsys, "--user", MIA)
    assert said["counts"]["requests"] == 1 and "2 other keys" in said["left"][0]
    code, out, err = run(capsys, "erase", "--user", MIA, "--dry-run")
    assert "nothing is kept under the keys that are here" in out and "--key-env" in err
    assert run(capsys, "erase", "--user", MIA, "--dry-run", "--key-env", "KEY_A")[0] == 2
    monkeypatch.setenv("KEY_A", "of another machine")
    monkeypatch.setenv("KEY_B", "and another")
    keys = ("--key-env", "KEY_A", "--key-env", "KEY_B")
    code, out, err = run(capsys, "export", "--user", MIA, *keys)
    assert (code, out[:10], "other key" in err) == (0, "2 requests", False)
    said = receipt(capsys, "--user", MIA, *keys)
    assert (said["counts"]["requests"], said["left"]) == (2, [])
    assert json.loads(run(capsys, "erase", "--user", MIA, "--dry-run", "--json")[1])["other_keys"] == []
