from pathlib import Path
from typing import Any

import pytest

from gatewatch import capture, configure, flush, record
from gatewatch.core.errors import ConfigError
from gatewatch.online.process import drain, process, stats
from gatewatch.online.settings import Settings, from_environment, stated
from gatewatch.online.spool import Spool
from online.capturing import anew, capturing


def test_each_setting_has_a_variable() -> None:
    found, problems = from_environment(
        {
            "GATEWATCH_SPOOL": "/var/spool/x",
            "GATEWATCH_FLOW": "support",
            "GATEWATCH_REDACT": "pii",
            "GATEWATCH_DROP_FIELDS": "input.password, spans.*.attributes.auth",
            "GATEWATCH_USER_KEY": "k",
            "GATEWATCH_DURABILITY": "sync",
            "GATEWATCH_QUOTA_BYTES": "10000",
            "GATEWATCH_SEGMENT_BYTES": "5000",
            "GATEWATCH_QUEUE_RECORDS": "10",
            "GATEWATCH_MAX_BYTES": "2000",
            "GATEWATCH_ENABLED": "off",
        }
    )
    assert problems == []
    assert set(found) == set(Settings.__struct_fields__) - {"hook"}
    settings = Settings(**found)
    assert settings.drop_fields == ("input.password", "spans.*.attributes.auth")
    assert (settings.quota_bytes, settings.enabled) == (10_000, False)


def test_a_variable_that_is_wrong_is_told_of_and_left_out() -> None:
    found, problems = from_environment(
        {"GATEWATCH_QUEUE_RECORDS": "many", "GATEWATCH_ENABLED": "perhaps", "GATEWATCH_MAX_BYTES": "5"}
    )
    assert found == {} and len(problems) == 3


def test_redaction_asked_for_in_unknown_words_is_done() -> None:
    found, problems = from_environment({"GATEWATCH_REDACT": "pi"})
    assert found == {"redact": "pii"} and 'did you mean "pii"?' in str(problems[0])


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        configure(redact="ppi", queue_records=0, drop_fields=["inptu.x"], hook=3)  # type: ignore[arg-type]
    said = str(raised.value)
    assert "configure(redact=): 'ppi' is not known: did you mean \"pii\"?" in said
    assert "configure(queue_records=): must be a whole number of at least 1, got 0" in said
    assert 'did you mean "input"?' in said and "configure(hook=)" in said


@pytest.mark.parametrize(
    "wrong",
    [
        {"spool": "a\0b"},
        {"spool": "\ud800"},
        {"drop_fields": "input.password"},
        {"drop_fields": ["input..x"]},
        {"drop_fields": [3]},
        {"drop_fields": 3},
        {"spool": ""},
        {"spool": 3},
        {"enabled": "yes"},
        {"max_bytes": True},
        {"durability": "always"},
        {"user_key": b"k"},
        {"redact": ["pii"]},
    ],
)
def test_what_is_wrong_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        stated(wrong)


def test_the_variables_are_read_when_first_needed_and_what_is_configured_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    anew()
    monkeypatch.setenv("GATEWATCH_SPOOL", str(tmp_path / "a"))
    monkeypatch.setenv("GATEWATCH_FLOW", "from the variable")
    configure(flow="stated")
    with capture(input="q"):
        pass
    assert flush(30) and process.flow == "stated"
    assert [path.suffix for path in (tmp_path / "a").iterdir()] == [".seg"]
    anew()


def test_without_a_word_records_go_into_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    anew()
    monkeypatch.chdir(tmp_path)
    with capture(flow="x"):
        pass
    assert flush(30) and len(list((tmp_path / ".gatewatch" / "spool").iterdir())) == 1
    anew()


def test_a_later_call_writes_what_there_is_and_keeps_the_other_settings(tmp_path: Path) -> None:
    with capturing(tmp_path / "a", flow="f") as kept:
        with capture(input="1"):
            pass
        configure(spool=tmp_path / "b")
        with capture(input="2"):
            pass
        assert flush(30)
        assert [trace.input for trace in kept.traces()] == ["1"]
        kept.folder = tmp_path / "b"
        assert [(trace.input, trace.flow) for trace in kept.traces()] == [("2", "f")]


def test_where_there_is_no_disk_records_are_kept_until_they_are_drained(tmp_path: Path) -> None:
    anew()
    configure(spool=":memory:", queue_records=5, redact="pii")
    for number in range(8):
        with capture(input=f"{number}: jane@example.com"):
            pass
    assert stats().accepted == 5 and stats().dropped == {"queue full": 3}
    first = drain(2)
    assert [kind for kind, _ in first] == ["trace", "trace", "loss"]
    assert b"0: [email]" in first[0][1] and b'"queue full":3' in first[2][1]
    assert len(drain()) == 3 and drain() == [] and flush()
    assert stats().written == 5 and not (tmp_path / ":memory:").exists()
    assert isinstance(process.spool, Spool) and process.spool._thread is None
    anew()


def test_what_was_never_drained_is_counted_when_records_go_elsewhere(tmp_path: Path) -> None:
    with capturing(tmp_path / "spool") as kept:
        configure(spool=":memory:")
        record(input="x")
        configure(spool=tmp_path / "spool")
        assert stats().dropped == {"not drained": 1}
        assert kept.losses() == {"not drained": 1}
