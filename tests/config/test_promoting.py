import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config.building import problems
from gatewatch.core.case import Expected, ToolCall, derived_id
from gatewatch.core.erasure import Subject
from gatewatch.core.trace import Span
from gatewatch.store.base import Store
from loop.failing import (
    DATASET,
    NOW,
    TOML,
    a_project,
    arrive,
    cases,
    lines,
    mined,
    promoted,
    said,
    states,
    trace,
)
from store.making import a_store, backend

__all__ = ["backend"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "store").mkdir()
    return a_store(tmp_path / "store")


def audited(store: Store) -> list[tuple[str, str, str]]:
    return [(each.who, each.action, each.what) for each in store.audit(0.0, 50)]


class TestAFailure:
    def test_what_people_found_wrong_becomes_cases(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        failure = mined(store, trace(1, user="u-7", session=""), trace(2, "Is there a shop in Oslo?"), trace(3, "Bye"))
        said(store, 1, expected="Yes, within 60 days.", comment="wrong window")
        said(store, 2, 1.0)
        outcome = promoted(tmp_path, store, "F1", owner="ole")
        (found,) = outcome.promoted
        assert states(outcome) == [("new", "pulled")]
        assert outcome.left == ("1 of 3 items of F1 are not settled yet: `gatewatch label F1`",)
        assert found.applied is not None
        assert (found.applied.what, found.applied.where.rpartition(":")[2]) == ("added", "2")
        assert path.read_text().startswith(DATASET)
        line = lines(path)[1]
        assert line == {
            "id": derived_id("Can I return shoes after 30 days?"),
            "input": "Can I return shoes after 30 days?",
            "expected": "Yes, within 60 days.",
            "tags": ["promoted"],
            "cluster": "F1",
            "open": {"until": "2099-01-31", "owner": "ole"},
            "provenance": {
                "trace": f"{1:032x}",
                "flow": "support",
                "failure": "F1",
                "failure_name": "returns: days, shoes",
                "sign": "thumbs_down",
                "item": "I1",
                "labels": [{"by": "ana", "at": "2026-09-21T14:13:20Z", "value": 0.0, "comment": "wrong window"}],
                "judged": 0.2,
                "by": "mia",
                "at": "2026-09-21T14:13:20Z",
            },
        }
        turned = store.failure(failure.id)
        assert turned is not None
        assert (turned.state, turned.who, turned.reason) == (
            "promoted",
            "mia",
            f"case {line['id']} of datasets/support.jsonl",
        )
        assert ("mia", "promote", f"{1:032x} C1 case {line['id']} of datasets/support.jsonl") in audited(store)

    def test_again_it_is_there(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        mined(store, trace(1))
        said(store, 1, expected="Yes.")
        promoted(tmp_path, store, "F1")
        once = path.read_bytes()
        outcome = promoted(tmp_path, store, "F1", now=NOW + 99)
        assert states(outcome) == [("there", "")]
        assert path.read_bytes() == once
        assert len(store.changes()) == 1

    @pytest.mark.parametrize("asked", ["can I RETURN shoes after 30 days", "Can I  return shoes\nafter 30 days??"])
    def test_the_same_query_of_another_request_makes_no_other_case(
        self, tmp_path: Path, store: Store, asked: str
    ) -> None:
        path = a_project(tmp_path)
        mined(store, trace(1), trace(2, asked))
        said(store, 1, expected="Yes.")
        said(store, 2, expected="yes")
        assert states(promoted(tmp_path, store, "F1")) == [("new", "pulled"), ("there", "pulled")]
        assert len(cases(path)) == 2

    def test_nothing_was_found_wrong(self, tmp_path: Path, store: Store) -> None:
        a_project(tmp_path)
        mined(store, trace(1), trace(2, "Bye"))
        said(store, 1, 1.0)
        assert problems(lambda: promoted(tmp_path, store, "F1", "F9", "I1", "I2", "I9", "nope")) == [
            "F1: has no item that people found wrong; 1 were found right (`gatewatch label F1` asks them)",
            "F9: there is no such failure (`gatewatch mine FLOW` finds and lists them)",
            "I1: was found right: there is nothing to guard (say with --expected what is right, to promote it all "
            "the same)",
            "I2: is not labelled yet (`gatewatch label I2` first, or say with --expected what is right)",
            "I9: there is no such item (`gatewatch label status` says what there is)",
            "nope: no such request is stored (names are F3 (a failure), I7 (an item), or the id of a request)",
        ]

    def test_reviewers_who_disagree_and_one_who_settles(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        mined(store, trace(1))
        (item,) = store.items()
        assert item.needed == 1
        said(store, 1, 0.0, "Yes, 60 days.")
        said(store, 1, 0.0, "Yes, within 60 days.", by="bo", at=NOW + 1)
        said(store, 1, 1.0, by="cy", settles=False, at=NOW + 2)
        assert problems(lambda: promoted(tmp_path, store, "I1")) == [
            "I1: its reviewers disagree (`gatewatch label settle I1`)"
        ]
        said(store, 1, 0.0, "Yes, of course.", by="di", settles=True, at=NOW + 3)
        promoted(tmp_path, store, "I1")
        (_, case) = cases(path)
        assert case.expected == "Yes, of course."
        assert case.provenance["agreement"] == pytest.approx(1 / 3)
        assert [each["by"] for each in case.provenance["labels"]] == ["ana", "bo", "cy", "di"]


class TestARequest:
    def test_by_its_id_with_what_is_right(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        arrive(store, trace(1, external_id="m1"))
        assert problems(lambda: promoted(tmp_path, store, "m1")) == [
            "m1: nobody said what is wrong with it (say with --expected what is right, or have it mined and labelled)"
        ]
        promoted(tmp_path, store, "m1", expected="Yes.", strict=True)
        (_, case) = cases(path)
        assert (case.must_pass, case.open, case.cluster) == (True, None, "")

    def test_several_cannot_all_be_right_in_one_way(self, tmp_path: Path, store: Store) -> None:
        a_project(tmp_path)
        arrive(store, trace(1), trace(2, "Bye"))
        (told,) = problems(lambda: promoted(tmp_path, store, f"{1:032x}", f"{2:032x}", expected="Yes."))
        assert told.startswith("--expected: says what is right of one request, and 2 are meant")

    def test_a_later_turn_is_a_conversation_and_names_nobody(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        first = trace(1, "I bought shoes.", session="s-42", user="u-7", output="Nice!")
        second = trace(2, "Can I return them?", session="s-42", user="u-7")
        arrive(store, first, second)
        promoted(tmp_path, store, second.id, expected="Yes.")
        (_, case) = cases(path)
        assert case.input == {
            "messages": [
                {"role": "user", "content": "I bought shoes."},
                {"role": "assistant", "content": "Nice!"},
                {"role": "user", "content": "Can I return them?"},
            ]
        }
        assert case.cluster.startswith("session-")
        text = path.read_text()
        assert "s-42" not in text
        assert "u-7" not in text

    def test_messages_and_arguments_are_as_they_were_asked(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        messages = {"messages": [{"role": "user", "content": "Hi"}, {"role": "user", "content": "Return shoes?"}]}
        arguments = {"question": "Is Oslo open?", "language": "no"}
        arrive(store, trace(1, "one", session="s"), trace(2, messages, session="s"), trace(3, arguments, session="s"))
        promoted(tmp_path, store, f"{2:032x}", expected="Yes.")
        promoted(tmp_path, store, f"{3:032x}", expected="Yes.")
        assert [case.input for case in cases(path)][1:] == [messages, arguments]

    def test_turns_that_are_gone(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        first, second = trace(1, "one", session="s"), trace(2, "two", session="s")
        from gatewatch.store.rows import Arrival, Arrivals

        store.take_in(Arrivals((Arrival(first, b"", NOW, 0.5),)), NOW)
        arrive(store, second, now=NOW + 9)
        assert problems(lambda: promoted(tmp_path, store, second.id, expected="Yes.")) == [
            f"{second.id}: 1 of the 1 turns before it in its session are no longer kept (--alone promotes it without "
            "the turns before it)"
        ]
        promoted(tmp_path, store, second.id, expected="Yes.", alone=True)
        assert cases(path)[1].input == "two"

    def test_personal_data_stays_out(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        mined(store, trace(1, "Write to ann@example.com"))
        said(store, 1, expected="I wrote to ann@example.com", comment="bob@example.com complained")
        promoted(tmp_path, store, "F1")
        text = path.read_text()
        assert "example.com" not in text
        assert cases(path)[1].input == "Write to [email]"

    def test_one_that_was_cut_or_has_no_input(self, tmp_path: Path, store: Store) -> None:
        a_project(tmp_path)
        arrive(store, trace(1, cut={"input": 90_000}), trace(2, ""))
        for number, what in ((1, "was too long to be kept whole (input had 90,000 bytes)"), (2, "has no input that")):
            (told,) = problems(partial(promoted, tmp_path, store, f"{number:032x}", expected="x"))
            assert told.startswith(f"{number:032x}: {what}")


class TestWhatGuards:
    def test_a_scorer_that_needs_nothing_expected(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path, TOML.replace('["exact"]', '["exact", "valid_json"]'))
        mined(store, trace(1), scorer="valid_json")
        said(store, 1)
        promoted(tmp_path, store, "F1")
        assert cases(path)[1].expected is None

    def test_without_what_is_right_no_other_does(self, tmp_path: Path, store: Store) -> None:
        a_project(tmp_path, TOML.replace('["exact"]', '["exact", "valid_json"]'))
        mined(store, trace(1), scorer="helpful")
        said(store, 1)
        (told,) = problems(lambda: promoted(tmp_path, store, "F1"))
        assert told.startswith(
            "I1: nothing says what is right: nobody expects anything, and helpful is not of suite support (say so with"
        )

    def test_an_expectation_that_nobody_reads_is_said(self, tmp_path: Path, store: Store) -> None:
        a_project(tmp_path, TOML.replace('["exact"]', '["valid_json"]'))
        arrive(store, trace(1))
        (found,) = promoted(tmp_path, store, f"{1:032x}", expected="x").promoted
        assert found.notes == ("no scorer of suite support looks at what is expected: only valid_json guard it",)

    def test_an_agent_takes_the_calls_that_are_right(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path, TOML.replace('["exact"]', '["tool_calls"]'))
        mined(store, trace(1, spans=(Span(name="refund", kind="tool", input={"order": 7}),)))
        said(store, 1, expected="It refunds.")
        (told,) = problems(lambda: promoted(tmp_path, store, "F1"))
        assert told.startswith('I1: it called tools, and nobody said which calls are right (give {"tool_calls": [')
        calls = Expected(tool_calls=(ToolCall("refund", {"order": 8}),))
        promoted(tmp_path, store, "I1", expected=calls)
        assert cases(path)[1].expected == calls


class TestOthersAtOnce:
    def test_two_reviewers_promote_the_same(self, tmp_path: Path) -> None:
        (tmp_path / "store").mkdir()
        path = a_project(tmp_path)
        one = a_store(tmp_path / "store")
        mined(one, trace(1), trace(2, "can i return shoes after 30 days"))
        said(one, 1, expected="Yes.")
        said(one, 2, expected="Yes.")
        for rounds in range(5):
            path.write_text(DATASET)
            for change in one.changes(["pulled"]):
                one.turn_change(change.id, "merged", NOW)
            failed: list[BaseException] = []
            start = threading.Barrier(4)

            def work(name: str, start: threading.Barrier = start, failed: list[BaseException] = failed) -> None:
                store = a_store(tmp_path / "store")
                try:
                    start.wait()
                    promoted(tmp_path, store, name, by=name)
                except BaseException as error:
                    failed.append(error)

            workers = [threading.Thread(target=work, args=(name,)) for name in ("I1", "I2", "F1", "I1")]
            for each in workers:
                each.start()
            for each in workers:
                each.join()
            assert failed == []
            assert len(cases(path)) == 2, rounds
        assert len(one.changes()) == 1

    def test_one_who_expects_something_else_is_told(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        mined(store, trace(1), trace(2, "can i return shoes after 30 days"))
        said(store, 1, expected="Yes.")
        said(store, 2, expected="No.")
        outcome = promoted(tmp_path, store, "F1")
        assert states(outcome) == [("new", "pulled")]
        assert [problem.what.split(", not")[0] for problem in outcome.refused] == [
            f"case {cases(path)[1].id} asks the same, and expects 'Yes.'"
        ]
        merged = promoted(tmp_path, store, "I2", way="merge")
        assert states(merged) == [("merge", "pulled")]
        assert merged.promoted[0].planned.decision.moved[0] == "expected is 'No.', was 'Yes.'"
        assert cases(path)[1].expected == "No."
        back = promoted(tmp_path, store, "I1", way="merge", now=NOW + 9)
        assert states(back) == [("merge", "pulled")]
        assert cases(path)[1].expected == "Yes."

    def test_a_hand_that_writes_the_file_meanwhile(
        self, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from gatewatch.offline import dataset_edit

        path = a_project(tmp_path)
        mined(store, trace(1))
        said(store, 1, expected="Yes.")
        real = dataset_edit._written
        written: list[int] = []

        def meanwhile(*given: Any) -> Any:
            if not written:
                written.append(1)
                path.write_text(DATASET + '{"id": "hand", "input": "by hand", "expected": "x"}\n')
            return real(*given)

        monkeypatch.setattr(dataset_edit, "_written", meanwhile)
        promoted(tmp_path, store, "F1")
        assert [case.id for case in cases(path)][:2] == ["greet", "hand"]
        assert len(cases(path)) == 3

    def test_a_broken_line_stays_and_is_told(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path, dataset=DATASET + "<<<<<<< ours\n")
        arrive(store, trace(1))
        (found,) = promoted(tmp_path, store, f"{1:032x}", expected="Yes.").promoted
        assert found.applied is not None
        assert "support.jsonl:2" in found.applied.broken[0].where
        assert path.read_text().startswith(DATASET + "<<<<<<< ours\n{")

    def test_one_erased_meanwhile_is_not_promoted(
        self, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = a_project(tmp_path)
        arrive(store, trace(1, user="u-7"))
        real = store.propose

        def erased(*given: Any) -> Any:
            subject = Subject("user", ("u-7",))
            name = store.begin_erasure("e1", subject, "dpo", NOW)
            while store.erase(name, subject, NOW):
                pass
            return real(*given)

        monkeypatch.setattr(store, "propose", erased)
        outcome = promoted(tmp_path, store, f"{1:032x}", expected="Yes.")
        assert [str(each) for each in outcome.refused] == [f"{1:032x}: was erased: nothing is made of it"]
        assert path.read_text() == DATASET


class TestTheOutbox:
    def test_it_waits_there_and_is_asked_once(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        mined(store, trace(1), trace(2, "can i return shoes after 30 days"))
        said(store, 1, expected="Yes.")
        said(store, 2, expected="Yes.")
        outcome = promoted(tmp_path, store, "F1", outbox=True)
        assert states(outcome) == [("new", "pending"), ("there", "pending")]
        assert outcome.promoted[0].waits == "as --outbox says"
        assert path.read_text() == DATASET
        again = promoted(tmp_path, store, "I2", outbox=True)
        assert states(again) == [("there", "pending")]
        assert states(promoted(tmp_path, store, "I2")) == [("there", "pulled")]
        assert len(cases(path)) == 2

    def test_a_file_that_may_not_be_written(
        self, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = a_project(tmp_path)
        arrive(store, trace(1))

        def refused(*_: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("gatewatch.offline.dataset_edit._alone", refused)
        (found,) = promoted(tmp_path, store, f"{1:032x}", expected="Yes.").promoted
        assert (found.applied, found.waits) == (None, "cannot be written: Permission denied")
        assert path.read_text() == DATASET

    def test_nothing_is_written_on_a_dry_run(self, tmp_path: Path, store: Store) -> None:
        path = a_project(tmp_path)
        arrive(store, trace(1))
        outcome = promoted(tmp_path, store, f"{1:032x}", expected="Yes.", dry=True)
        assert states(outcome) == [("new", "")]
        assert store.changes() == []
        assert path.read_text() == DATASET

    def test_what_was_taken_out_of_the_file_comes_back_when_it_is_promoted_again(
        self, tmp_path: Path, store: Store
    ) -> None:
        path = a_project(tmp_path)
        arrive(store, trace(1))
        promoted(tmp_path, store, f"{1:032x}", expected="Yes.")
        path.write_text(DATASET)
        outcome = promoted(tmp_path, store, f"{1:032x}", expected="Sure.")
        assert outcome.promoted[0].notes == (
            "C1 brought it before, and it was taken out of the file: it is there again",
        )
        assert cases(path)[1].expected == "Sure."
