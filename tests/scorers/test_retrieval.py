from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytrec_eval import RelevanceEvaluator
from sklearn.metrics import ndcg_score

from gatewatch.core.case import Case, Expected
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.retrieval import lexical_grounding, mrr, ndcg, precision_at_k, recall_at_k, retrieved
from gatewatch.stats.agreement import auc
from shared import known_answers, rows


def value(scorer: Scorer, found: list[str], relevant: list[str]) -> float | None:
    trace = Trace(spans=(Span(name="search", kind="retrieval", output=[{"id": each} for each in found]),))
    return apply_inline(scorer, trace, Case(input="?", expected=Expected(relevant=tuple(relevant)))).value


@st.composite
def rankings(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    documents = [f"d{number}" for number in range(12)]
    found = draw(st.lists(st.sampled_from(documents), unique=True, min_size=1, max_size=12))
    relevant = draw(st.lists(st.sampled_from(documents), unique=True, min_size=1, max_size=6))
    return found, relevant


@given(rankings(), st.sampled_from([1, 3, 5, 10]))
def test_equal_to_trec_eval(ranking: tuple[list[str], list[str]], k: int) -> None:
    found, relevant = ranking
    measures = {f"P.{k}", f"recall.{k}", "recip_rank", f"ndcg_cut.{k}"}
    evaluator = RelevanceEvaluator({"q": dict.fromkeys(relevant, 1)}, measures)
    theirs = evaluator.evaluate({"q": {each: float(-place) for place, each in enumerate(found)}})["q"]
    assert value(precision_at_k(k=k), found, relevant) == pytest.approx(theirs[f"P_{k}"])
    assert value(recall_at_k(k=k), found, relevant) == pytest.approx(theirs[f"recall_{k}"])
    assert value(ndcg(k=k), found, relevant) == pytest.approx(theirs[f"ndcg_cut_{k}"])
    assert value(mrr(), found, relevant) == pytest.approx(theirs["recip_rank"])


@given(rankings())
def test_ndcg_is_that_of_scikit_learn(ranking: tuple[list[str], list[str]]) -> None:
    found, relevant = ranking
    every = [*found, *(each for each in relevant if each not in found)]
    if len(every) < 2 or len(every) > len(found):  # it has no place for what was not retrieved
        return
    truth, scores = [[float(each in relevant) for each in every]], [[-float(place) for place in range(len(every))]]
    assert value(ndcg(k=len(every)), found, relevant) == pytest.approx(ndcg_score(truth, scores))


def test_what_was_retrieved() -> None:
    def span(output: Any) -> Span:
        return Span(name="search", kind="retrieval", output=output)

    assert retrieved(Trace(spans=(span(["a", {"id": "b"}, {"doc_id": 7}, "a"]), span({"documents": ["c"]})))) == [
        "a",
        "b",
        "7",
        "c",
    ]
    assert retrieved(Trace(context=({"id": "a", "text": "long"}, "plain text"))) == ["a", "plain text"]
    assert retrieved(Trace(context="one")) == ["one"]
    assert retrieved(Trace()) == []


def test_a_document_that_is_there_twice_counts_once() -> None:
    assert value(precision_at_k(k=2), ["a", "a", "x", "b"], ["a", "b"]) == 0.5
    assert value(recall_at_k(k=3), ["a", "a", "x", "b"], ["a", "b"]) == 1.0


def test_without_labels_there_is_nothing_to_say() -> None:
    trace = Trace(output="x", context=("a",))
    assert apply_inline(ndcg(), trace, Case(input="?", expected="x")).status == "skipped"
    assert apply_inline(ndcg(), trace, Case(input="?", expected=Expected(relevant=()))).status == "skipped"
    assert (
        apply_inline(ndcg(), Trace(error=Fault("boom")), Case(input="?", expected=Expected(relevant=()))).value is None
    )
    failed = apply_inline(ndcg(), Trace(error=Fault("boom")), Case(input="?", expected=Expected(relevant=("a",))))
    assert (failed.value, failed.status) == (0.0, "task_error")
    assert value(mrr(), [], ["a"]) == 0.0


@pytest.mark.parametrize("make", [precision_at_k, recall_at_k, mrr, ndcg])
def test_k_is_1_or_more(make: Any) -> None:
    with pytest.raises(ValueError, match="k must be 1 or more, got 0"):
        make(k=0)


# Grounding


def test_grounding_says_what_it_is() -> None:
    scorer = lexical_grounding()
    score = apply_inline(scorer, Trace(output="Mia lives in Paris since 2019", context="Mia moved to Rome in 2019."))
    assert scorer.name == "lexical_grounding"
    assert score.label == "heuristic"
    assert score.value == 0.5
    assert "not calibrated on this dataset" in score.explanation
    assert score.explanation.endswith("not in the context: lives, Paris, since")


def test_grounding_needs_a_context_and_words() -> None:
    assert apply_inline(lexical_grounding(), Trace(output="Paris")).status == "skipped"
    assert apply_inline(lexical_grounding(), Trace(output="it is", context="Paris")).status == "skipped"


def test_answers_with_unsupported_claims_are_told_from_others() -> None:
    scored = [
        (
            apply_inline(
                lexical_grounding(),
                Trace(
                    output=row["outputs"][0],
                    context=tuple({"title": p["title"], "text": " ".join(p["sentences"])} for p in row["passages"]),
                ),
            ).value,
            not row["output1_unsupported"],
        )
        for row in rows("rag_qa_feedback", "qa_feedback_dev.jsonl.gz")
    ]
    found = auc([1.0 if each is None else each for each, _ in scored], [good for _, good in scored])
    assert found is not None
    assert found[0] >= known_answers("rag_qa_feedback")["auc_of_share_of_output_tokens_absent_from_passages"]


def test_small_edits_of_facts_are_not_seen() -> None:
    documents = {row["source_id"]: row["doc"] for row in rows("summedits", "docs.jsonl.gz")}
    scored = [
        (
            apply_inline(lexical_grounding(), Trace(output=row["summary"], context=documents[row["source_id"]])).value,
            row,
        )
        for row in rows("summedits", "summaries.jsonl.gz")
    ]
    found = auc(
        [each or 0.0 for each, _ in scored],
        [bool(row["human_consistent"]) for _, row in scored],
        [row["source_id"] for _, row in scored],
    )
    assert found is not None
    assert found[1].low < 0.5 < found[1].high + 0.05  # at chance: what the reference says
