"""Cases as texts: conversations by turns, what differs by field, a file's edit line by line."""

from gatewatch.core.case import Case
from gatewatch.loop.amend import line_diff
from gatewatch.web.pages.case_texts import field_diffs, line_pieces, pieces, text_of, turns_of


def test_a_conversation_is_shown_by_turns_and_other_values_as_json() -> None:
    value = {"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes."}]}
    assert turns_of(value) == [("user", "Hello?"), ("assistant", "Yes.")]
    assert text_of(value) == "user: Hello?\n\nassistant: Yes."
    assert text_of({**value, "city": "Oslo"}).startswith("{")
    assert (text_of("as it is"), text_of(None), turns_of("text")) == ("as it is", "", None)


def test_each_field_that_differs_is_told_with_its_words() -> None:
    before = Case(id="a", input="May I?", expected="30 days", tags=("x",))
    after = Case(id="a", input="May I?", expected="14 days", must_pass=True)
    found = dict(field_diffs(before, after))
    assert found["expected"] == [("-", "30"), ("+", "14"), ("=", " days")]
    assert set(found) == {"expected", "tags", "must_pass"}
    assert [name for name, _ in field_diffs(before, after, thin=True)] == ["expected"]
    assert [name for name, _ in field_diffs(None, after)] == ["input", "expected"]


def test_long_texts_are_told_in_short() -> None:
    one, other = "word " * 100_000 + "a" + " word" * 100_000, "word " * 100_000 + "b" + " word" * 100_000
    assert sum(len(text) for _, text in pieces(one, other)) < 40_000


def test_an_edit_is_told_line_by_line_with_what_changes_in_it() -> None:
    before = b"".join(b'{"id": "%d", "input": "%s"}\n' % (n, b"x" * 300) for n in range(30))
    after = before.replace(b'"id": "7", ', b'"id": "7", "tier": "nightly", ')
    (place, changed) = line_pieces(line_diff(before, after, "d.jsonl"))
    assert place[0] == "@"
    assert [sign for sign, _ in changed[1]] == ["=", "+", "="]
    assert changed[1][1] == ("+", '"tier": "nightly", ')
    assert len(changed[1][2][1]) < 200
