import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case, Expected, derived_id
from gatewatch.offline.dataset import Dataset, from_cases, open_dataset, write_cases
from offline.making import problems, text_cases, write

NOT_JSON = "(one JSON object a line)"
AS_UTF8 = "(save the file as UTF-8)"


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def opened(*lines: str | bytes) -> Dataset:
    return open_dataset(write(Path("d.jsonl"), *lines))


def refused(*lines: str | bytes) -> list[str]:
    return problems(lambda: opened(*lines))


class TestIds:
    def test_given_twice_has_both_lines(self) -> None:
        assert refused('{"id": "a", "input": "x"}', "", '{"id": "a", "input": "y"}', '{"id": "a", "input": "z"}') == [
            "d.jsonl:3: id 'a' is given in line 1 already (ids must differ)",
            "d.jsonl:4: id 'a' is given in line 1 already (ids must differ)",
        ]

    def test_an_id_of_twelve_letters_is_not_taken_for_a_derived_one(self) -> None:
        assert refused('{"id": "refund-00001", "input": "x"}', '{"id": "refund-00001", "input": "y"}') == [
            "d.jsonl:2: id 'refund-00001' is given in line 1 already (ids must differ)"
        ]

    def test_the_same_input_twice_without_ids(self) -> None:
        same = derived_id("x")
        assert refused('{"input": "x", "tags": ["a"]}', '{"input": "x"}') == [
            f"d.jsonl:2: id '{same}' is given in line 1 already (the same input twice)"
        ]

    def test_derived_ids_are_for_ever(self) -> None:
        # These were computed once: a change of them would make every baseline's cases strangers.
        dataset = opened('{"input": "x"}', '{"input": {"b": [1, 2.5, null], "a": "é"}}', '{"input": {"a": "\\ud800"}}')
        assert [case.id for case in dataset] == ["ba2df4903a2c", "d764fee2563d", "89f8ca88ea20"]

    def test_derived_ids_do_not_depend_on_the_order_of_keys_or_on_other_fields(self) -> None:
        one = opened('{"input": {"a": 1, "b": 2}, "tags": ["x"]}')[0].id
        assert one == opened('{"expected": "y", "input": {"b": 2, "a": 1}}')[0].id

    def test_are_compared_and_kept_in_nfc(self) -> None:
        composed, apart = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
        line = '{{"id": "{}", "input": "{}"}}'
        assert [case.id for case in opened(line.format(apart, "x"))] == [composed]
        assert refused(line.format(composed, "x"), line.format(apart, "y")) == [
            f"d.jsonl:2: id '{composed}' is given in line 1 already (ids must differ)"
        ]

    def test_the_input_is_left_as_it_is(self) -> None:
        apart = unicodedata.normalize("NFD", "café")
        assert opened(json.dumps({"input": apart}))[0].input == apart


class TestEncoding:
    def test_a_byte_order_mark_and_windows_line_ends_are_fine(self) -> None:
        Path("d.jsonl").write_bytes(b'\xef\xbb\xbf{"id": "a", "input": "x"}\r\n\r\n{"id": "b", "input": "y"}\r\n')
        dataset = open_dataset("d.jsonl")
        assert [(case.id, case.input) for case in dataset] == [("a", "x"), ("b", "y")]
        assert dataset.version == opened('{"id": "a", "input": "x"}', '{"id": "b", "input": "y"}').version
        assert dataset.place(1) == "d.jsonl:3"

    def test_no_newline_at_the_end(self) -> None:
        Path("d.jsonl").write_bytes(b'{"input": "x"}\n{"input": "y"}')
        assert [case.input for case in open_dataset("d.jsonl")] == ["x", "y"]

    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
    def test_utf_16_with_a_mark(self, encoding: str) -> None:
        text = '{"input": "x"}\n{"input": "y"}\n'
        mark = b"" if encoding == "utf-16" else b"\xfe\xff"
        Path("d.jsonl").write_bytes(mark + text.encode(encoding))
        assert problems(lambda: open_dataset("d.jsonl")) == [
            "d.jsonl:1: the file is UTF-16, at byte 0 (save it as UTF-8)"
        ]

    def test_utf_16_without_a_mark_is_not_taken_for_json(self) -> None:
        Path("d.jsonl").write_bytes('{"input": "x"}'.encode("utf-16-le"))
        assert len(problems(lambda: open_dataset("d.jsonl"))) == 1

    def test_latin_1_is_told_with_the_byte_in_the_file(self) -> None:
        good = '{"input": "naïve"}'.encode()
        bad = '{"input": "ok", "meta": {"where": "café"}}'.encode("latin-1")
        data = b"\xef\xbb\xbf" + good + b"\r\n" + bad + b"\n" + bad.replace(b"ok", b"no") + b"\n"
        Path("d.jsonl").write_bytes(data)
        first = data.index(b"\xe9")
        assert problems(lambda: open_dataset("d.jsonl")) == [
            f"d.jsonl:2: not UTF-8 at byte {first} {AS_UTF8}",
            f"d.jsonl:3: not UTF-8 at byte {data.index(bytes([0xE9]), first + 1)} {AS_UTF8}",
        ]

    def test_a_surrogate_in_raw_bytes_is_not_utf_8(self) -> None:
        assert refused(b'{"input": "\xed\xa0\x80"}') == [f"d.jsonl:1: not UTF-8 at byte 11 {AS_UTF8}"]

    @pytest.mark.parametrize(
        "text",
        ["\ud800 alone", "a\x00b", "e\u0301 \u00e9", "\u200b\u202e\u2066", "\U0001f600", 'quo"te\\', "\x7f\x85\u2028"],
    )
    def test_any_text_comes_back_as_it_was(self, text: str) -> None:
        given = {"id": "a", "input": {"text": text, text: 1}, "expected": text, "context": [text], "meta": {"k": text}}
        (case,) = opened(json.dumps(given))
        assert case.input == {"text": text, text: 1}
        assert (case.expected, case.context, case.meta) == (text, (text,), {"k": text})
        write_cases(Path("again.jsonl"), [case])
        assert list(open_dataset("again.jsonl")) == [case]


class TestFiles:
    @pytest.mark.parametrize("data", [b"", b"\n", b"\r\n  \n\t\n", b"\xef\xbb\xbf"])
    def test_no_cases(self, data: bytes) -> None:
        Path("d.jsonl").write_bytes(data)
        assert problems(lambda: open_dataset("d.jsonl")) == [
            'd.jsonl: no cases (write one JSON object a line, such as {"input": "...", "expected": "..."})'
        ]

    def test_no_such_file(self, tmp_path: Path) -> None:
        said = "no such file (a dataset is a .jsonl or .csv file)"
        assert problems(lambda: open_dataset("none.jsonl")) == [f"none.jsonl: {said}"]
        assert problems(lambda: open_dataset(tmp_path)) == [f"{tmp_path}: {said}"]

    def test_a_file_that_may_not_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        file = write(Path("d.jsonl"), '{"input": "x"}')

        def refuse(*_: Any, **__: Any) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        assert problems(lambda: open_dataset(file)) == ["d.jsonl: cannot be read: Permission denied"]

    def test_blank_lines_do_not_shift_the_line_numbers(self) -> None:
        dataset = opened("", '{"id": "a", "input": "x"}', "   ", '{"id": "b", "input": "y"}')
        assert [dataset.place(index) for index in range(len(dataset))] == ["d.jsonl:2", "d.jsonl:4"]
        assert [case.id for case in dataset] == ["a", "b"]

    def test_a_file_that_is_replaced_stays_as_it_was_opened(self) -> None:
        dataset = opened(*(json.dumps(case) for case in text_cases(3)))
        write(Path("new.jsonl"), '{"input": "another"}')
        Path("new.jsonl").replace("d.jsonl")
        assert [case.input for case in dataset] == ["q0", "q1", "q2"]
        assert [case.input for case in open_dataset("d.jsonl")] == ["another"]

    def test_a_file_that_is_removed_stays_as_it_was_opened(self) -> None:
        dataset = opened(*(json.dumps(case) for case in text_cases(3)))
        Path("d.jsonl").unlink()
        assert dataset[2].input == "q2"

    def test_a_file_that_is_written_into_is_noticed(self) -> None:
        dataset = opened(*(json.dumps(case) for case in text_cases(3)))
        with Path("d.jsonl").open("r+b") as file:
            file.write(b"\n\n")
            os.utime(file.fileno(), ns=(1, 1))  # so that the clock's grain does not matter
        assert problems(lambda: dataset[1]) == ["d.jsonl: was written to while it was in use (start a new run)"]


class TestVersion:
    LINES = ('{"id": "a", "input": {"p": 1, "q": [1, 2]}, "tags": ["t"]}', '{"id": "b", "input": "x"}')

    def test_is_for_ever(self) -> None:
        assert opened(*self.LINES).version == "fd83e586797e"

    @pytest.mark.parametrize(
        "lines",
        [
            LINES[::-1],
            ('{"tags":["t"],"input":{"q":[1,2],"p":1},"id":"a"}', LINES[1]),
            (LINES[0], "", LINES[1]),
            ('{"id": "a", "input": {"p": 1, "q": [1, 2]}, "tags": ["t"], "tier": "pr", "meta": {}}', LINES[1]),
        ],
        ids=["order of lines", "order of keys", "blank lines", "defaults written out"],
    )
    def test_does_not_depend_on(self, lines: tuple[str, ...]) -> None:
        assert opened(*lines).version == opened(*self.LINES).version

    @pytest.mark.parametrize(
        "line",
        [
            '{"id": "a", "input": {"p": 2, "q": [1, 2]}, "tags": ["t"]}',
            '{"id": "a", "input": {"p": 1, "q": [2, 1]}, "tags": ["t"]}',
            '{"id": "a", "input": {"p": 1, "q": [1, 2]}, "tags": ["u"]}',
            '{"id": "c", "input": {"p": 1, "q": [1, 2]}, "tags": ["t"]}',
            '{"id": "a", "input": {"p": 1, "q": [1, 2]}, "tags": ["t"], "retired": "old"}',
        ],
    )
    def test_changes_with_the_content(self, line: str) -> None:
        assert opened(line, self.LINES[1]).version != opened(*self.LINES).version

    def test_changes_when_a_case_is_added(self) -> None:
        assert opened(self.LINES[0]).version != opened(*self.LINES).version


class TestFields:
    def test_all_of_them(self) -> None:
        given = {
            "id": "a",
            "input": {"messages": [{"role": "user", "content": "hi"}], "assistant": "regenerated"},
            "expected": {
                "answer": "b",
                "tool_calls": [{"name": "f", "arguments": {"x": 1}, "accept": {"x": [1, 2]}, "optional": ["y"]}],
                "criteria": ["polite"],
                "relevant": ["d1"],
            },
            "context": ["p", {"id": "d1"}],
            "tags": ["t"],
            "slice": "s",
            "cluster": "c",
            "must_pass": True,
            "tier": "nightly",
            "retired": "gone",
            "scorers": ["exact"],
            "meta": {"any": [1, None, {"thing": 1.5}]},
            "provenance": {"trace": "t1"},
        }
        (case,) = opened(json.dumps(given))
        assert isinstance(case.expected, Expected)
        assert case.answer == "b"
        assert case.expected.tool_calls is not None
        assert case.expected.tool_calls[0].accept == {"x": [1, 2]}
        assert (case.slice, case.cluster, case.must_pass, case.tier) == ("s", "c", True, "nightly")
        assert (case.retired, case.scorers, case.tags) == ("gone", ("exact",), ("t",))
        assert case.context == ("p", {"id": "d1"})

    def test_no_tool_call_expected_is_not_nothing_expected(self) -> None:
        (case,) = opened('{"input": "x", "expected": {"tool_calls": []}}')
        assert case.expected == Expected(tool_calls=())

    def test_large_whole_numbers_are_not_rounded(self) -> None:
        (case,) = opened('{"input": {"n": 123456789012345678901234567890}}')
        assert case.input == {"n": 123456789012345678901234567890}


class TestInMemory:
    def test_objects_and_cases(self) -> None:
        dataset = from_cases([{"input": "x"}, Case(id="b", input="y")])
        assert [case.id for case in dataset] == [derived_id("x"), "b"]
        assert (len(dataset), dataset.path, dataset.place(1)) == (2, "(in memory)", "(in memory):2")

    def test_the_version_is_that_of_the_file(self) -> None:
        assert from_cases([{"id": "a", "input": "x"}]).version == opened('{"id": "a", "input": "x"}').version

    def test_what_json_cannot_say(self) -> None:
        cases: list[Any] = [
            {"input": {"a": float("nan")}},
            {"input": {"a": object()}},
            {1: 2},
            Case(input={"a": [float("inf")]}),
            Case(input=5),  # type: ignore[arg-type]
            5,
            [],
            {"input": "x", "expectd": "y"},
        ]
        place = "(a case is made of what JSON can say)"
        assert problems(lambda: from_cases(cases)) == [
            f"(in memory):1: nan at $.input.a has no place in JSON {place}",
            f"(in memory):2: a value of type object at $.input.a has no place in JSON {place}",
            f"(in memory):3: key 1 at $ is not text {place}",
            f"(in memory):4: inf at $.input.a[0] has no place in JSON {place}",
            "(in memory):5: input: expected text or a table, got a whole number",
            f"(in memory):6: expected a JSON object, got int {NOT_JSON}",
            f"(in memory):7: expected a JSON object, got list {NOT_JSON}",
            '(in memory):8: expectd: unknown field (did you mean "expected"?)',
        ]

    def test_ids_given_twice(self) -> None:
        assert problems(lambda: from_cases([{"id": "a", "input": "x"}] * 2)) == [
            "(in memory):2: id 'a' is given in line 1 already (ids must differ)"
        ]

    def test_none(self) -> None:
        assert problems(lambda: from_cases([])) == [
            '(in memory): no cases (write one JSON object a line, such as {"input": "...", "expected": "..."})'
        ]


def test_one_changed_case_changes_one_line() -> None:
    cases = list(from_cases(text_cases(20, expected="y", tags=["b", "a"])))
    assert write_cases(Path("before.jsonl"), cases) == 20
    cases[7] = Case(id="c7", input="q7", expected="z")
    write_cases(Path("after.jsonl"), cases)
    before, after = (Path(name).read_text().splitlines() for name in ("before.jsonl", "after.jsonl"))
    assert [number for number in range(20) if before[number] != after[number]] == [7]
    assert after[7] == '{"id":"c7","input":"q7","expected":"z"}'
