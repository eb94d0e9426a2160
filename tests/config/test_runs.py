"""From a suite to its runs: options, variants, and what a project's check finds."""

from pathlib import Path

import pytest

from config.building import GOOD, model, one, outputs, prepared, problems, ran, rows, suite, write
from gatewatch.config.check import check
from gatewatch.config.project import Project
from gatewatch.offline.result import find_run

MAIN = "gatewatch.toml: suites.main"
PICK = "def pick(question, prompt='a', times=1): return f'{prompt}{question}' * times\n"


# Options


def test_options_stand_over_the_suite(tmp_path: Path) -> None:
    more = 'trials = 3\ntier = "pr"\nseed = 1\nconcurrency = 7\nbudget = "1 USD"\ntimeout = 5\nscorer_timeout = 6\n'
    folder = write(tmp_path, suite(more))
    (plain,) = prepared(folder)
    assert (plain.header.trials, plain.header.seed, plain.header.dataset.tier) == (3, 1, "pr")
    assert (plain.plan.concurrency, plain.plan.budget, plain.plan.timeout, plain.plan.scorer_timeout) == (7, 1.0, 5, 6)
    (other,) = prepared(folder, limit=1, label="Mine!", trials=2, tier="nightly", seed=0, concurrency=9, budget="2 USD")
    assert (other.header.trials, other.header.seed, other.header.dataset.tier) == (2, 0, "nightly")
    assert (other.plan.concurrency, other.plan.budget, other.plan.cells) == (9, 2.0, 2)
    assert (other.header.dataset.cases, other.header.dataset.limit, other.header.name) == (1, 1, "Mine!")
    assert other.header.run.startswith("main-mine-")
    (free,) = prepared(folder, budget="")
    assert free.plan.budget is None


def test_nothing_is_written_by_preparing(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    before = sorted(folder.iterdir())
    prepared(folder)
    assert [path for path in sorted(folder.iterdir()) if path.name != "__pycache__"] == before


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    more = 'budget = "much"\nsetup = "app:set_up"\nteardown = "app:answer2"\npass_at = { exct = 0.5 }\n'
    head = '[project]\nscorers = "evals.py"\nslice = "app:slice_of"\n[scorers.fmt]\nuse = "regx"\n'
    folder = write(tmp_path, suite(more, task="ap:answer", scorers='["exat", "exact", "exact"]', head=head))
    (folder / "cases.jsonl").write_text("{")
    scorers = [
        "gatewatch.toml: project.scorers: there is no module 'evals' (looked in DIR and in what is installed)",
        "gatewatch.toml: scorers.fmt: there is no scorer 'regx' (did you mean \"regex\"?)",
    ]
    assert problems(lambda: prepared(folder), folder) == [
        *scorers,
        f"{MAIN}.scorers[2]: 'exact' is given twice",
        f'{MAIN}.pass_at.exct: not a scorer of this suite (did you mean "exact"?)',
        "DIR/cases.jsonl:1:2: not JSON: Expecting property name enclosed in double quotes (one JSON object a line)",
        f"{MAIN}.budget: expected an amount such as \"2.00 USD\", got 'much'",
        f"{MAIN}.setup: app has no 'set_up' (known: answer)",
        f"{MAIN}.teardown: app has no 'answer2' (did you mean \"answer\"?)",
        "gatewatch.toml: project.slice: app has no 'slice_of' (known: answer)",
        f"{MAIN}.task: there is no module 'ap' (looked in DIR and in what is installed)",
    ]


def test_no_such_suite(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    assert problems(lambda: prepared(folder, "mian")) == [
        'gatewatch.toml: there is no [suites.mian] (did you mean "main"?)'
    ]
    write(tmp_path, "")
    assert problems(lambda: prepared(folder)) == ["gatewatch.toml: there is no [suites.main] (none is defined)"]


# Variants


def test_a_matrix_of_arguments(tmp_path: Path) -> None:
    more = 'matrix = { prompt = ["x", "y"], times = [1, 2] }\n'
    results = ran(write(tmp_path, suite(more, task="app:pick"), app_py=PICK))
    names = [f"prompt={prompt},times={times}" for prompt in "xy" for times in (1, 2)]
    assert [result.summary.header.name for result in results] == names
    assert [outputs(result)["a", 0] for result in results] == ["xone", "xonexone", "yone", "yoneyone"]
    assert [result.summary.header.task for result in results] == [f"app:pick {name}" for name in names]
    assert results[1].summary.header.components.items() >= {"prompt": "x", "times": "2"}.items()
    assert len({result.id for result in results}) == 4
    runs = Project.open(tmp_path).runs
    assert find_run(runs, "prompt=y,times=1") == results[2].path


def test_arguments_of_the_table_are_kept_beside_the_matrix(tmp_path: Path) -> None:
    head = '[tasks.bot]\ncall = "app:pick"\narguments = { times = 2 }\n'
    folder = write(tmp_path, suite('matrix = { prompt = ["x"] }\n', task="bot", head=head), app_py=PICK)
    assert outputs(one(folder))["a", 0] == "xonexone"
    (folder / "gatewatch.toml").write_text(
        suite('matrix = { prompt = ["x"], arguments = [{ times = 3 }] }\n', task="bot", head=head)
    )
    assert outputs(one(folder))["a", 0] == "xonexonexone"


def test_a_matrix_of_functions_and_recordings(tmp_path: Path) -> None:
    head = '[tasks.bot]\nversions = { kb = "1" }\n'  # what is run is named by the matrix alone
    folder = write(tmp_path, suite('matrix = { call = ["app:answer", "app:pick"] }\n', task="bot", head=head),
                   app_py=GOOD["app.py"] + PICK, old_jsonl="", new_jsonl="")  # fmt: skip
    assert [outputs(result)["a", 0] for result in ran(folder)] == ["ONE", "aone"]
    for name in ("old", "new"):
        (folder / f"{name}.jsonl").write_text("".join(f'{{"id": "{i}", "output": "{name}"}}\n' for i in "ab"))
    write(folder, suite('matrix = { replay = ["old.jsonl", "new.jsonl"] }\n', task="bot", head=head))
    found = ran(folder)
    assert [outputs(result)["a", 0] for result in found] == ["old", "new"]
    assert [result.summary.header.name for result in found] == ["replay=old", "replay=new"]


def test_files_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    head = model("m", "http://127.0.0.1:9") + '[tasks.bot]\nprompt = "a/p.md"\nmodel = "m"\n'
    more = 'matrix = { prompt = ["a/p.md", "b/p.md"], parameters = [{ temperature = 0 }] }\n'
    folder = write(tmp_path, suite(more, task="bot", head=head), a__p_md="A {input}", b__p_md="B {input}")
    assert [ready.header.name for ready in prepared(folder)] == [
        f'prompt={name}/p.md,parameters={{"temperature":0}}' for name in "ab"
    ]


@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ("prompt = []", "prompt: an empty list (name the values to be tried)"),
        ('model = ["m", "m"]', "model: m is given twice"),
        ('prompt = ["p.md", 1]', "prompt: expected text, got a whole number (in value 2 of the list)"),
        ('promt = ["p.md"]', "promt: a prompt has no 'promt' (did you mean \"prompt\"?)"),
        (
            'url = ["http://x"]',
            "url: a prompt has no 'url' (known: model, parameters, prompt, system, tools, versions)",
        ),
        ("parameters = [3]", "parameters: expected a table, got a whole number (in value 1 of the list)"),
        (
            'prompt = ["p.md"]\ntemperature = [0]',
            "temperature: a prompt has no 'temperature' (known: model, parameters, prompt, system, tools, versions)",
        ),
    ],
)
def test_what_is_wrong_with_a_matrix(matrix: str, said: str, tmp_path: Path) -> None:
    head = model("m", "http://127.0.0.1:9") + '[tasks.bot]\nprompt = "p.md"\nmodel = "m"\n'
    toml = suite(task="bot", head=head) + f"[suites.main.matrix]\n{matrix}\n"
    folder = write(tmp_path, toml, p_md="{input}")
    assert problems(lambda: prepared(folder)) == [f"{MAIN}.matrix.{said}"]


def test_an_argument_that_the_function_has_not(tmp_path: Path) -> None:
    folder = write(tmp_path, suite('matrix = { promt = ["x", "y"] }\n', task="app:pick"), app_py=PICK)
    said = f"{MAIN}.task: app:pick has no argument 'promt' (did you mean \"prompt\"?)"
    assert problems(lambda: prepared(folder)) == [said]  # once, not for every variant and case


def test_every_variants_own_problem_is_said(tmp_path: Path) -> None:
    head = model("m", "http://127.0.0.1:9") + '[tasks.bot]\nprompt = "p.md"\nmodel = "m"\n'
    more = 'matrix = { prompt = ["p.md", "q.md"], model = ["m", "n"] }\n'
    folder = write(tmp_path, suite(more, task="bot", head=head), p_md="{inptu}")
    assert problems(lambda: prepared(folder), folder) == [
        'DIR/cases.jsonl:1: the template names {inptu}, which the case does not have (did you mean "input"?)',
        'DIR/cases.jsonl:2: the template names {inptu}, which the case does not have (did you mean "input"?)',
        "gatewatch.toml: models.n: is named, but not configured (known: m)",
        "gatewatch.toml: tasks.bot.prompt: q.md cannot be read: No such file or directory",
    ]


# The check of a project


def test_a_project_in_order(tmp_path: Path) -> None:
    assert check(Project.open(write(tmp_path, suite()))) == []


def test_each_problem_is_found_once(tmp_path: Path) -> None:
    other = '[suites.other]\ndataset = "cases.jsonl"\ntask = "app:nothing"\nscorers = ["exact"]\n'
    head = '[project]\nscorers = "evals.py"\n[models.judge]\nmodel = "m"\nkey_env = "NO_SUCH_KEY"\n'
    evals = "from gatewatch import scorer\n\n@scorer\ndef cites(output, contxt): return True\n"
    folder = write(tmp_path, suite(head=head) + other, evals_py=evals)
    said = check(Project.open(folder))
    assert [str(each).replace(str(folder), "DIR") for each in said] == [
        "gatewatch.toml: project.scorers: evals.py cannot be imported: TypeError: cites asks for 'contxt', which a "
        'scorer is not given (did you mean "context"?); a scorer may ask for input, output, expected, context, trace, '
        "case, session, other (evals.py:3)",
        "gatewatch.toml: suites.other.task: app has no 'nothing' (known: answer)",
    ]


MONITOR = '[monitors.live]\nflow = "support"\nscorers = [{ use = "%s" }]\n'


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "exact",
            "scorers[0]: 'exact' needs what was expected, which live traffic does not have (use it in a suite, and "
            "here one that looks at the output alone)",
        ),
        (
            "graded",
            "scorers[0]: 'graded' needs what was expected, which live traffic does not have (use it in a suite, "
            "and here one that looks at the output alone)",
        ),
        ("pi", "scorers[0]: there is no scorer 'pi' (did you mean \"pii\"?)"),
        ("regex", "scorers[0]: regex needs the option 'pattern' (give its options in [scorers.regex])"),
    ],
)
def test_a_monitor_that_could_not_work(name: str, said: str, tmp_path: Path) -> None:
    head = '[scorers.graded]\nrubric = "r.md"\n[models.judge]\nmodel = "m"\nkey_env = "NO_SUCH_KEY"\n'
    rubric = '---\nscale = "binary"\n---\nIs {output} like {expected}?\n'
    folder = write(tmp_path, suite() + head + MONITOR % name, r_md=rubric)
    assert [str(each) for each in check(Project.open(folder))] == [f"gatewatch.toml: monitors.live.{said}"]


def test_a_monitors_judge_needs_no_key_here_but_a_model(tmp_path: Path) -> None:
    head = '[scorers.kind]\nrubric = "r.md"\n[models.judge]\nmodel = "m"\nkey_env = "NO_SUCH_KEY"\n'
    rubric = '---\nscale = "binary"\n---\nIs it kind?\n'
    folder = write(
        tmp_path,
        suite() + head + MONITOR % "kind" + MONITOR.replace("live", "too").replace("support", "too") % "pii",
        r_md=rubric,
    )
    assert check(Project.open(folder)) == []
    write(folder, (suite() + head + MONITOR % "kind").replace("models.judge", "models.jugde"))
    assert [str(each) for each in check(Project.open(folder))] == [
        'gatewatch.toml: models.judge: is named, but not configured (did you mean "jugde"?)'
    ]


def test_a_budget_asks_for_the_prices_of_its_own_suites_models_alone(tmp_path: Path) -> None:
    head = model("m", "http://127.0.0.1:9", price="") + '[tasks.bot]\nprompt = "p.md"\nmodel = "m"\n'
    free = '[suites.another]\ndataset = "cases.jsonl"\ntask = "bot"\nscorers = ["exact"]\n'
    folder = write(tmp_path, suite('budget = "1 USD"\n', head=head + free), p_md="{input}")
    assert check(Project.open(folder)) == []
    write(folder, suite('budget = "1 USD"\n', task="bot", head=head))
    assert [str(each) for each in check(Project.open(folder))] == [
        f"{MAIN}.budget: cannot be kept: the price of 'm-model' ([models.m]) is unknown "
        '(add [prices."m-model"] with input and output)'
    ]


def test_rows_of_cases_that_name_their_scorers(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(scorers='["exact", "contains"]'))
    with (folder / "cases.jsonl").open("a") as file:
        file.write('{"id": "c", "input": "three", "expected": "x", "scorers": ["contains"]}\n')
    found = rows(one(folder))
    assert list(found["c", 0].scores) == ["contains"]
    assert list(found["a", 0].scores) == ["exact", "contains"]
