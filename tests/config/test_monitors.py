"""`[monitors]` and `[online]`: what comes of them, and everything that can be wrong in them, each with its place."""

from pathlib import Path
from typing import Any

import pytest

from config.building import model, opened, problems, write
from gatewatch.config.monitors import Online, online, store_address, store_of, worker_of
from gatewatch.core.marks import bits
from gatewatch.core.rates import Rule
from gatewatch.core.trace import Trace
from gatewatch.scorers.base import Scorer

HEAD = '[monitors.live]\nflow = "support"\nscorers = '
JUDGED = '[scorers.helpful]\nrubric = "helpful.md"\nmodel = "judge"\n'
RUBRIC = '---\nscale = "binary"\n---\nDoes the answer help?\n'


def found(folder: Path, toml: str, **files: str) -> Online:
    """What a project says of live traffic."""
    return online(opened(write(folder, toml, **files)))


def wrong(folder: Path, toml: str, **files: str) -> list[str]:
    """What is wrong in what a project says of live traffic."""
    write(folder, toml, **files)
    return problems(lambda: online(opened(folder)), folder)


def test_a_share_of_all_and_more_of_some(tmp_path: Path) -> None:
    scorers = '[{ use = "pii", sample = 0.1, slices = { a = 0.5 }, tags = { b = 0.6 }, variants = { c = 0.7 } }]'
    (monitor,) = found(tmp_path, HEAD + scorers).monitors
    (watch,) = monitor.watches
    assert (monitor.name, monitor.flow, watch.scorer.name, watch.per_day) == ("live", "support", "pii", None)
    assert watch.rules == (Rule(0.1), Rule(0.5, slice="a"), Rule(0.6, tag="b"), Rule(0.7, variant="c"))


def test_what_is_always_scored_and_kept(tmp_path: Path) -> None:
    more = '\nalways = ["error", "thumbs_down", "high_cost"]\nhigh_cost = "0.05 USD"\n'
    (monitor,) = found(tmp_path, HEAD + '[{ use = "pii", sample = 0.1 }, { use = "secrets" }]' + more).monitors
    always = (Rule(1.0, marks=bits(["error"])), Rule(1.0, marks=bits(["thumbs_down"])), Rule(1.0, cost_over=0.05))
    assert monitor.always == always
    sampled, whole = monitor.watches
    assert sampled.rules == (Rule(0.1), *always)
    assert whole.rules == (Rule(1.0),)  # there is nothing to add to all


def test_so_many_a_day(tmp_path: Path) -> None:
    (monitor,) = found(tmp_path, HEAD + '[{ use = "pii", sample = "300/day" }]\nalways = ["error"]').monitors
    (watch,) = monitor.watches
    assert watch.per_day == 300
    assert watch.rules == (Rule(1.0), Rule(1.0, marks=bits(["error"])))


def test_times_and_amounts(tmp_path: Path) -> None:
    keys = '\nbudget = "5.00 USD/day"\npayload_rate = 0.5\nsession_end = "10m"\n'
    room = '[online]\nkeep = "2w"\nhold = "1h"\npayload_rate = 0.2\npayloads = "1 GB"\nlease = "30s"\nconcurrency = 3\n'
    told = found(tmp_path, HEAD + '[{ use = "pii" }]' + keys + room)
    (monitor,) = told.monitors
    assert (monitor.budget, monitor.hold_s, monitor.payload_rate, monitor.session_end_s) == (5.0, 3600, 0.5, 600)
    assert (told.keeping.traces_s, told.keeping.hold_s, told.keeping.payload_rate) == (1_209_600, 3600, 0.2)
    assert (told.keeping.payload_bytes, told.lease_s, told.concurrency) == (10**9, 30, 3)


def test_without_any_table_there_is_something_to_take_in(tmp_path: Path) -> None:
    told = found(tmp_path, "")
    assert told.monitors == ()
    assert told.spool == tmp_path / ".gatewatch" / "spool"
    assert (told.keeping.traces_s, told.lease_s, told.scorer_timeout) == (90 * 86_400, 120, 60)


def test_a_judge_is_guessed_by_the_price_of_its_model(tmp_path: Path) -> None:
    scorers = '[{ use = "helpful" }, { use = "pii" }]\nbudget = "1 USD/day"\n'
    head = model("judge", "http://127.0.0.1:9", price="input = 1.0\noutput = 1.0") + JUDGED
    (monitor,) = found(tmp_path, head + HEAD + scorers, helpful_md=RUBRIC).monitors
    judge, rule = monitor.watches
    assert 0 < judge.guess < 0.01
    assert rule.guess == 0.0


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        (
            HEAD + '[{ use = "pii" }, { use = "pi" }]',
            "gatewatch.toml: monitors.live.scorers[1]: there is no scorer 'pi' (did you mean \"pii\"?)",
        ),
        (
            HEAD + '[{ use = "exact" }]',
            "gatewatch.toml: monitors.live.scorers[0]: 'exact' needs what was expected, which live traffic does not "
            "have (use it in a suite, and here one that looks at the output alone)",
        ),
        (
            HEAD + '[{ use = "pii" }, { use = "pii", sample = 0.5 }]',
            "gatewatch.toml: monitors.live.scorers[1]: 'pii' is given twice",
        ),
        (
            HEAD + '[{ use = "pii", sample = "300" }]',
            "gatewatch.toml: monitors.live.scorers[0].sample: expected a share from 0 to 1, or a number such as "
            "\"300/day\", got '300'",
        ),
        (
            HEAD + '[{ use = "pii" }]\nalways = ["error", "thumb_down"]',
            "gatewatch.toml: monitors.live.always[1]: 'thumb_down' is no mark of a request "
            '(did you mean "thumbs_down"?)',
        ),
        (
            HEAD + '[{ use = "pii" }]\nalways = ["high_cost"]',
            'gatewatch.toml: monitors.live.high_cost: missing (always has "high_cost": say from which cost on)',
        ),
        (
            HEAD + '[{ use = "pii" }]\nalways = ["high_cost"]\nhigh_cost = "much"',
            "gatewatch.toml: monitors.live.high_cost: expected an amount such as \"2.00 USD\", got 'much'",
        ),
        (
            HEAD + '[{ use = "pii" }]\nbudget = "5.00 USD"',
            "gatewatch.toml: monitors.live.budget: expected an amount such as \"5.00 USD/day\", got '5.00 USD'",
        ),
        (
            HEAD + '[{ use = "pii" }]\nsession_end = "0m"',
            'gatewatch.toml: monitors.live.session_end: expected a duration such as "30m", "24h" or "7d", got \'0m\'',
        ),
        (
            HEAD + '[{ use = "pii" }]\n[monitors.more]\nflow = "support"\nscorers = [{ use = "secrets" }]',
            "gatewatch.toml: monitors.more.flow: the flow 'support' has a monitor already, 'live' "
            "(put the scorers of a flow into one monitor)",
        ),
        (
            '[online]\nkeep = "for ever"',
            'gatewatch.toml: online.keep: expected a duration such as "30m", "24h" or "7d", got \'for ever\'',
        ),
        (
            '[online]\nhold = "1 day"',
            'gatewatch.toml: online.hold: expected a duration such as "30m", "24h" or "7d", got \'1 day\'',
        ),
        (
            '[online]\npayloads = "20"',
            'gatewatch.toml: online.payloads: expected an amount such as "500 MB" or "20 GB", got \'20\'',
        ),
        (
            '[online]\nlease = "2"',
            'gatewatch.toml: online.lease: expected a duration such as "30m", "24h" or "7d", got \'2\'',
        ),
        (
            '[project]\nslice = "app:nothing"',
            "gatewatch.toml: project.slice: app has no 'nothing' (known: answer)",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, toml: str, says: str) -> None:
    assert wrong(tmp_path, toml) == [says]


@pytest.mark.parametrize(
    ("toml", "place"),
    [
        ('[monitors.live]\nscorers = [{ use = "pii" }]', "monitors.live"),
        ('[monitors.live]\nflow = "f"', "monitors.live"),
        (HEAD + "[{ sample = 0.5 }]", "monitors.live.scorers[0]"),
        (HEAD + '[{ use = "pii", sample = 1.5 }]', "monitors.live.scorers[0].sample"),
        (HEAD + '[{ use = "pii", slices = { a = -1 } }]', "monitors.live.scorers[0].slices"),
        (HEAD + '[{ use = "pii", share = 0.5 }]', "monitors.live.scorers[0].share"),
        (HEAD + '[{ use = "pii" }]\npayload_rate = 2', "monitors.live.payload_rate"),
        (HEAD + '[{ use = "pii" }]\nalways = "error"', "monitors.live.always"),
        ('[online]\nredact = "all"', "online.redact"),
        ("[online]\nconcurrency = 0", "online.concurrency"),
        ('[online]\nspol = "x"', "online.spol"),
    ],
)
def test_what_is_of_the_wrong_kind_is_told_with_its_place(tmp_path: Path, toml: str, place: str) -> None:
    (said,) = wrong(tmp_path, toml)
    assert said.startswith(f"gatewatch.toml: {place}"), said


def test_a_budget_that_could_not_be_kept_is_refused(tmp_path: Path) -> None:
    head = model("judge", "http://127.0.0.1:9", price="") + JUDGED
    scorers = HEAD + '[{ use = "helpful" }]\n'
    assert found(tmp_path, head + scorers, helpful_md=RUBRIC).monitors[0].watches[0].guess == 0.0
    assert wrong(tmp_path, head + scorers + 'budget = "1 USD/day"', helpful_md=RUBRIC) == [
        "gatewatch.toml: monitors.live.scorers[0]: cannot be kept to the budget: the price of 'judge-model' "
        '([models.judge]) is unknown (add [prices."judge-model"] with input and output)'
    ]


def test_a_judge_without_its_model_is_refused(tmp_path: Path) -> None:
    (said,) = wrong(tmp_path, JUDGED + HEAD + '[{ use = "helpful" }]', helpful_md=RUBRIC)
    assert "judge" in said and said.startswith("gatewatch.toml: ")


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    toml = HEAD + '[{ use = "pi" }, { use = "exact" }]\nalways = ["eror"]\nbudget = "x"\n[online]\nkeep = "z"'
    places = [each.split(": ")[1] for each in wrong(tmp_path, toml)]
    assert places == [
        "online.keep",
        "monitors.live.always[0]",
        "monitors.live.scorers[0]",
        "monitors.live.scorers[1]",
        "monitors.live.budget",
    ]


def test_the_store_is_a_file_of_the_project(tmp_path: Path) -> None:
    project = opened(write(tmp_path, '[project]\nstore = "sqlite:///data/live.db"'))
    assert store_address(project) == f"sqlite:///{tmp_path}/data/live.db"
    store = store_of(project)
    store.close()
    assert (tmp_path / "data" / "live.db").is_file()


@pytest.mark.parametrize(
    "address", ["mysql://me:s@db/x", "sqlite://live.db", "sqlite:///", "live", "host=h password=s"]
)
def test_a_store_that_is_not_known_is_refused(tmp_path: Path, address: str) -> None:
    project = opened(write(tmp_path, f'[project]\nstore = "{address}"'))
    scheme = address.partition("://")[0].partition("=")[0]
    assert problems(lambda: store_address(project)) == [
        f"gatewatch.toml: project.store: expected sqlite:///PATH or postgresql://USER@HOST/DATABASE, got {scheme!r}"
    ]


def test_a_postgresql_is_shared_so_that_a_project_in_it_needs_a_name(tmp_path: Path) -> None:
    toml = 'store = "postgresql://me@db/x"\n'
    assert store_address(opened(write(tmp_path, f'[project]\nname = "a"\n{toml}'))) == "postgresql://me@db/x"
    project = opened(write(tmp_path, f"[project]\n{toml}"))
    assert problems(lambda: store_address(project)) == [
        "gatewatch.toml: project.name: missing: a PostgreSQL is shared by projects, and this one has no name"
    ]


@pytest.mark.parametrize(("redact", "left"), [("pii", "write to [email]"), ("off", "write to mia@example.com")])
def test_what_is_taken_out_before_it_is_stored(tmp_path: Path, redact: str, left: str) -> None:
    toml = f'[online]\nredact = "{redact}"\ndrop_fields = ["input.password"]'
    ways = found(tmp_path, toml).ways
    assert ways.redact is not None
    trace = ways.redact(Trace(id="1", input={"password": "hunter2", "ask": "mail?"}, output="write to mia@example.com"))
    assert trace.input == {"password": "[dropped]", "ask": "mail?"}
    assert trace.output == left


def test_a_worker_of_a_project(tmp_path: Path) -> None:
    project = opened(write(tmp_path, HEAD + '[{ use = "pii" }]\n[online]\nlease = "30s"\nconcurrency = 3\n'))
    store = store_of(project)
    try:
        worker = worker_of(project, store, owner="w", clock=lambda: 1.0)
        scorers: list[Scorer] = [watch.scorer for monitor in worker.monitors for watch in monitor.watches]
        assert [each.name for each in scorers] == ["pii"]
        assert (worker.owner, worker.lease_s, worker.concurrency, worker.clock()) == ("w", 30, 3, 1.0)
        worker.threads.close()
    finally:
        store.close()


def test_slices_are_named_by_the_project_s_function(tmp_path: Path) -> None:
    slicing = "def answer(question):\n    return question\n\ndef slice_of(input):\n    return input[:2]\n"
    ways: Any = found(tmp_path, '[project]\nslice = "app:slice_of"', app_py=slicing).ways
    assert ways.slice_of("refund") == "re"


@pytest.mark.parametrize("spool", ["", " ", ".", "a\\u0000b"])
def test_a_spool_that_is_no_folder_of_its_own_is_refused(tmp_path: Path, spool: str) -> None:
    (said,) = wrong(tmp_path, f'[online]\nspool = "{spool}"')
    assert said.startswith("gatewatch.toml: online.spool: must be a folder of its own")


@pytest.mark.parametrize("path", ["inptu", "id", "input..x"])
def test_a_field_that_cannot_be_dropped_is_told(tmp_path: Path, path: str) -> None:
    (said,) = wrong(tmp_path, f'[online]\ndrop_fields = ["{path}"]')
    assert said.startswith("gatewatch.toml: online.drop_fields: ")


def test_an_amount_beyond_all_room_is_told(tmp_path: Path) -> None:
    (said,) = wrong(tmp_path, f'[online]\npayloads = "{"9" * 400} TB"')
    assert said.startswith("gatewatch.toml: online.payloads: expected an amount below 1e+18 bytes")


def test_a_share_whose_weight_is_no_number_is_refused(tmp_path: Path) -> None:
    assert wrong(tmp_path, "[ingest]\nsampled = 1e-320") == [
        "gatewatch.toml: ingest.sampled: expected a number >= 1e-09"
    ]
