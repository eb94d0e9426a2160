"""Judges of other kinds: choices, policies, pairs, panels, cascades, published prompts."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.errors import RubricError
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Span, Trace
from gatewatch.models.protocol import ChatReply, ChatRequest
from gatewatch.scorers.apply import apply
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.judge import judge
from gatewatch.scorers.rubric import Clause, Rubric
from gatewatch.scorers.rubric_file import load_rubric
from gatewatch.scorers.scale import Scale, parse_scale


class Answering:
    """A model that answers by a function of the user's message and of the trial."""

    def __init__(self, answer: Any, name: str = "judge") -> None:
        self.name = name
        self.identity: dict[str, Any] = {"model": f"{name}-1"}
        self.answer = answer
        self.asked: list[ChatRequest] = []

    async def chat(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        text = self.answer(request.messages[1]["content"], request.trial) if callable(self.answer) else self.answer
        return ChatReply(text=text, model=f"{self.name}-2026", finish="stop", cost=Cost(0.01))

    async def close(self) -> None:
        pass


def said(verdict: str, why: str = "because") -> str:
    return json.dumps({"explanation": why, "verdict": verdict})


def scored(scorer: Scorer, trace: Trace, case: Case | None = None, **beside: Any) -> Score:
    return asyncio.run(apply(scorer, trace, case, beside=beside))


TRACE = Trace(input="When?", output="At noon.")

# Choices

CHOICE = Rubric(
    name="right",
    text="Is it right?",
    scale=parse_scale("choice", {"right": 1, "partly": 0.5, "wrong": 0, "cannot tell": "skip"}),
)


@pytest.mark.parametrize(
    ("verdict", "value", "status"),
    [("right", 1.0, "scored"), ("partly", 0.5, "scored"), ("cannot tell", None, "skipped")],
)
def test_a_choice(verdict: str, value: float | None, status: str) -> None:
    model = Answering(said(verdict))
    score = scored(judge(CHOICE, model=model), TRACE)
    assert (score.value, score.status, score.label) == (value, status, verdict)
    assert score.cost == Cost(0.01)
    schema = model.asked[0].schema or {}
    assert schema["properties"]["verdict"]["enum"] == ["right", "partly", "wrong", "cannot tell"]


def test_a_choice_that_there_is_not() -> None:
    score = scored(judge(CHOICE, model=Answering(said("maybe"))), TRACE)
    assert score.status == "scorer_error"
    assert '"verdict" must be "right", "partly", "wrong" or "cannot tell", got "maybe"' in score.explanation


# Policies

POLICY = Rubric(
    name="policy",
    text="Our support policy.",
    scale=Scale("policy"),
    clauses=(Clause("promises", "Promises no date."), Clause("tone", "Is polite.")),
)


def clauses(**verdicts: str) -> str:
    return json.dumps({name: {"explanation": f"{name} why", "verdict": verdict} for name, verdict in verdicts.items()})


def test_a_policy_names_the_clause_that_is_broken() -> None:
    model = Answering(clauses(promises="broken", tone="kept"))
    score = scored(judge(POLICY, model=model), TRACE)
    assert (score.value, score.label, score.explanation) == (0.0, "broken: promises", "promises: promises why")
    assert {name: (part.value, part.label) for name, part in score.parts.items()} == {
        "promises": (0.0, "broken"),
        "tone": (1.0, "kept"),
    }
    system = model.asked[0].messages[0]["content"]
    assert "Clause promises: Promises no date.\n\nClause tone: Is polite." in system
    assert judge(POLICY).binary


def test_a_policy_that_is_kept_or_does_not_apply() -> None:
    assert scored(judge(POLICY, model=Answering(clauses(promises="kept", tone="not applicable"))), TRACE).value == 1.0
    none = scored(judge(POLICY, model=Answering(clauses(promises="not applicable", tone="not applicable"))), TRACE)
    assert (none.value, none.status) == (None, "skipped")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (clauses(promises="kept"), 'the field "tone" is missing'),
        (clauses(promises="kept", tone="kept", more="kept"), 'the field "more" was not asked for'),
        (clauses(promises="perhaps", tone="kept"), 'the verdict on "promises" must be "kept", "broken" or'),
        ('{"promises": "kept", "tone": "kept"}', '"promises" must be an object'),
        ('{"promises": {"verdict": "kept"}, "tone": {}}', 'the field "explanation" of "promises" is missing'),
    ],
)
def test_a_policy_that_cannot_be_read_is_unknown(reply: str, why: str) -> None:
    score = scored(judge(POLICY, model=Answering(reply)), TRACE)
    assert score.status == "scorer_error"
    assert why in score.explanation


# Pairs

PAIR = Rubric(name="better", text="Which answers better?", scale=Scale("pairwise"))
OTHER = Trace(input="When?", output="Soon.")


def prefers(text: str) -> Any:
    """A judge that prefers the output that holds a text, wherever it stands."""

    def answer(content: str, _trial: int) -> str:
        first = content.partition("[BEGIN OUTPUT_A")[2].partition("[END OUTPUT_A")[0]
        return said("A" if text in first else "B")

    return answer


def test_a_pair_is_shown_in_both_orders() -> None:
    model = Answering(prefers("noon"))
    score = scored(judge(PAIR, model=model), TRACE, other=OTHER)
    assert (score.value, score.label, score.cost) == (1.0, "win", Cost(0.02))
    assert scored(judge(PAIR, model=Answering(prefers("Soon"))), TRACE, other=OTHER).value == 0.0
    assert len(model.asked) == 2
    assert "You compare two outputs" in model.asked[0].messages[0]["content"]
    assert model.asked[0].messages[1]["content"].endswith("Compare OUTPUT_A and OUTPUT_B by the rubric.")


def test_a_judge_that_goes_by_position_decides_nothing() -> None:
    score = scored(judge(PAIR, model=Answering(said("A"))), TRACE, other=OTHER)
    assert (score.value, score.label) == (0.5, "first")


def test_without_another_output_a_pair_is_held_against_what_is_expected() -> None:
    case = Case(input="When?", expected="At twelve, sharp.")
    assert scored(judge(PAIR, model=Answering(prefers("noon"))), TRACE, case).value == 1.0
    assert scored(judge(PAIR, model=Answering("")), TRACE, Case(input="When?")).explanation == "no other"
    assert judge(PAIR).reference_based
    assert judge(PAIR).models == ("judge", "judge")


# Several votes


class Configured:
    """Models by the names that they are configured under."""

    def __init__(self, *models: Answering) -> None:
        self.models = {model.name: model for model in models}

    def model(self, name: str) -> Answering:
        return self.models[name]

    def embedder(self, name: str) -> Any:
        raise AssertionError(name)


POLITE = Rubric(name="polite", text="Is it polite?")


def test_votes_are_asked_for_apart() -> None:
    model = Answering(lambda _content, trial: said("pass" if trial < 2 else "fail"))
    score = scored(judge(POLITE, model=model, votes=3), TRACE)
    assert (score.value, score.label, score.cost) == (1.0, "pass", Cost(0.03))
    assert sorted(request.trial for request in model.asked) == [0, 1, 2]
    assert judge(POLITE, votes=3).models == ("judge",) * 3


def test_a_panel() -> None:
    models = [Answering(said("pass"), "a"), Answering(said("fail"), "b"), Answering(said("pass"), "c")]
    scorer = judge(POLITE, model=["a", "b", "c"])
    assert scorer.bind_models is not None
    bound = scorer.bind_models(Configured(*models))
    score = scored(bound, TRACE)
    assert (score.value, score.model) == (1.0, "a=a-2026, b=b-2026, c=c-2026")
    assert score.explanation.startswith("[a: pass, b: fail, c: pass]")


@pytest.mark.parametrize(("sure", "asked"), [(True, 0), (False, 1)])
def test_a_dear_model_is_asked_only_where_a_cheap_one_is_not_sure(sure: bool, asked: int) -> None:
    cheap = Answering(lambda _content, trial: said("pass" if sure or trial else "fail"), "cheap")
    dear = Answering(said("fail"), "dear")
    score = scored(judge(POLITE, model=cheap, escalate=dear), TRACE)
    assert (len(cheap.asked), len(dear.asked)) == (2, asked)
    assert score.value == (1.0 if sure else 0.0)
    assert score.model == ("cheap=cheap-2026" if sure else "cheap=cheap-2026, dear=dear-2026")


def test_votes_are_part_of_the_identity() -> None:
    one = judge(POLITE)
    assert set(judge(POLITE, votes=3).identity.parts) - set(one.identity.parts) == {"votes"}
    assert set(judge(POLITE, escalate="big").identity.parts) - set(one.identity.parts) == {"votes", "escalate"}


def test_votes_that_cannot_be() -> None:
    with pytest.raises(ValueError, match=r"votes must be in 1\.\.25, got 0"):
        judge(POLITE, votes=0)
    with pytest.raises(ValueError, match="the models must be different ones, got a, a"):
        judge(POLITE, model=["a", "a"])


# What a rubric may mention


def test_steps_and_session_are_shown_when_they_are_mentioned() -> None:
    model = Answering(said("pass"))
    rubric = Rubric(name="x", text="Was {steps} right after {session}?")
    talk = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}
    talk["messages"].append({"role": "user", "content": "In stock?"})
    steps = (Span(name="stock", kind="tool", input={"sku": "X2"}, output=3),)
    scored(judge(rubric, model=model), Trace(input=talk, output="Three.", spans=steps))
    content = model.asked[0].messages[1]["content"]
    assert '[1] tool stock, called with: {"sku":"X2"}\ngave: 3' in content
    assert "[1] asked: Hi\n\n[1] answered: Hello" in content


# Rubric files


def write(folder: Path, header: str, text: str = "Text") -> Path:
    path = folder / "r.md"
    path.write_text(f"---\n{header}\n---\n{text}\n")
    return path


def test_files_of_the_new_kinds(tmp_path: Path) -> None:
    choice = load_rubric(write(tmp_path, 'scale = "choice"\n[choices]\nright = 1\nwrong = 0\nunsure = "skip"'))
    assert choice.scale.choices == (("right", 1.0), ("wrong", 0.0), ("unsure", None))
    policy = load_rubric(write(tmp_path, 'scale = "policy"\n[[clauses]]\nid = "tone"\ntext = "Is polite."'))
    assert policy.clauses == (Clause("tone", "Is polite."),)
    assert load_rubric(write(tmp_path, 'scale = "pairwise"')).scale.kind == "pairwise"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ('scale = "choice"', '"choice" needs a table [choices] of two or more'),
        ('scale = "choice"\n[choices]\na = 1\nb = 2', 'b must be worth a number in 0..1, or "skip", got 2'),
        ('scale = "binary"\n[choices]\na = 1\nb = 0', 'must be "choice" where there are [choices]'),
        ('scale = "choice"\nchoices = 3', "choices must be a table"),
        ('scale = "policy"', "the policy has no clauses"),
        ('scale = "binary"\n[[clauses]]\nid = "a"\ntext = "b"', 'scale must be "policy" where there are [[clauses]]'),
        ('scale = "policy"\n[[clauses]]\nid = "a b"\ntext = "b"', "the clause's id is 'a b'"),
        ('scale = "policy"\n[[clauses]]\nid = "a"', "the clause has no text"),
        ('scale = "policy"\n[[clauses]]\nid = "a"\ntext = "b"\n[[clauses]]\nid = "a"\ntext = "c"', "is there twice"),
        ('scale = "policy"\n[[clauses]]\nid = "a"\ntxt = "b"', "unknown key 'txt'"),
    ],
)
def test_what_is_wrong_in_a_file(tmp_path: Path, header: str, said: str) -> None:
    with pytest.raises(RubricError) as caught:
        load_rubric(write(tmp_path, header))
    assert said in str(caught.value)
