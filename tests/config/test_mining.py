"""What mining is made of: datasets and pass marks of suites, and the models that embed and name."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from config.building import problems, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.checks.traffic import DAY, FLOW, NOW
from gatewatch.config.mining import Mined, mined, pass_marks
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.config.settings import SuiteSettings
from loop.mining import INVOICE, REFUND, about, arrive, judge

MODELS = """
[models.embedder]
model = "e-1"
base_url = "{url}"
key_env = ""

[models.namer]
model = "n-1"
base_url = "{url}"
key_env = ""

[prices.e-1]
input = 1000.0
output = 0.0

[prices.n-1]
input = 1000.0
output = 1000.0

[loop]
embed = "embedder"
namer = "namer"
reviewers = 2
"""


def found(folder: Path, suites: Sequence[str] = ()) -> Mined:
    """Mine a project's flow, in which ten refunds and five invoices scored low."""
    project = Project.open(folder)
    with closing(store_of(project)) as store:
        if not store.flows():
            arrive(store, about(REFUND, 0, 10), about(INVOICE, 20, 5))
            judge(store, dict.fromkeys(range(25), 0.6))
        return mined(project, store, FLOW, since=NOW - DAY, until=NOW + 1, suites=suites)


OTHER = """
[suites.other]
dataset = "cases.jsonl"
task = "app:answer"
scorers = ["helpful"]
pass_at = { helpful = 0.7 }
"""


def answer(request: dict[str, Any]) -> str | dict[str, Any]:
    """Vectors by whether a text is about a refund, or a name."""
    if "input" not in request:
        return "Things that came damaged"
    data = [{"embedding": [float("refund" in text), float("refund" not in text)]} for text in request["input"]]
    return {"data": data, "model": "e-1", "usage": {"prompt_tokens": 10 * len(data), "total_tokens": 0}}


def test_pass_marks_and_cases_are_those_of_the_suites(tmp_path: Path) -> None:
    write(tmp_path, suite() + OTHER)
    every = found(tmp_path)
    assert every.cases == 2  # of one file, which both suites have
    assert sum(each.n for each in every.mining.failures if each.sign == "score:helpful") == 15
    one = found(tmp_path, suites=["main"])
    assert one.cases == 2 and sum(each.n for each in one.mining.failures if each.sign == "score:helpful") == 0


def test_of_several_pass_marks_the_highest_counts() -> None:
    every: tuple[dict[str, float], ...] = ({"a": 0.5, "b": 1.0}, {"a": 0.75})
    assert pass_marks([SuiteSettings("d", "t", (), pass_at=marks) for marks in every]) == {"a": 0.75, "b": 1.0}


def test_what_there_is_not_is_named(tmp_path: Path) -> None:
    write(tmp_path, suite())
    found(tmp_path)
    (told,) = problems(lambda: found(tmp_path, suites=["mian"]))
    assert told.startswith("gatewatch.toml: suites.mian: there is no such suite") and "main" in told
    (tmp_path / "cases.jsonl").unlink()
    assert "no such file" in problems(lambda: found(tmp_path))[0]


def test_models_embed_and_name_and_what_they_cost_is_told(tmp_path: Path) -> None:
    with FakeProvider(answer) as provider:
        write(tmp_path, suite() + OTHER + MODELS.format(url=provider.base_url))
        first = found(tmp_path)
        live = [each for each in first.mining.failures if each.n]
        assert {(each.name, each.named_by, each.n) for each in live} == {
            ("Things that came damaged", "namer", 10),
            ("Things that came damaged", "namer", 5),
        }
        assert first.cost.amount > 0 and first.cost.unknown == 0
        asked = provider.calls
        again = found(tmp_path)
        assert provider.calls == asked and not again.cost.amount  # embeddings are cached, failures are known
    with closing(store_of(Project.open(tmp_path))) as store:
        assert {item.needed for item in store.items(queue="failures")} == {2}
