from pathlib import Path

import pytest

from gatewatch.core.errors import RubricError
from gatewatch.scorers.rubric import Rubric, Shot
from gatewatch.scorers.rubric_file import load_rubric
from gatewatch.scorers.scale import Scale, parse_scale

GOOD = """\
---
scale = "1-5"
model = "strong"
version = "2"

[[examples]]
input = "Where is it?"
output = "In the manual."
verdict = 2
explanation = "Names no page."

[[examples]]
output = "On page 4."
verdict = 5
explanation = "Says where."
---

Score how well {output} answers {input}.

---
A rule across the page is part of the text, and so is {"json": 1}.
"""


def write(folder: Path, text: str | bytes, name: str = "helpful.md") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def problems(path: Path) -> list[str]:
    with pytest.raises(RubricError) as caught:
        load_rubric(path)
    return [str(problem).replace(str(path.parent) + "/", "") for problem in caught.value.problems]


def test_a_rubric_is_its_header_and_its_text(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert load_rubric(path) == Rubric(
        name="helpful",
        text="Score how well {output} answers {input}.\n\n---\n"
        'A rule across the page is part of the text, and so is {"json": 1}.',
        scale=Scale("graded", 1, 5),
        model="strong",
        version="2",
        examples=(
            Shot("In the manual.", 2, "Names no page.", "Where is it?"),
            Shot("On page 4.", 5, "Says where."),
        ),
        path=str(path),
    )


def test_the_least_rubric(tmp_path: Path) -> None:
    rubric = load_rubric(str(write(tmp_path, '---\nscale = "binary"\n---\nIs it polite?')))
    assert (rubric.text, rubric.scale, rubric.model, rubric.examples) == ("Is it polite?", Scale(), "", ())


def test_a_file_from_another_system_reads_the_same(tmp_path: Path) -> None:
    plain = load_rubric(write(tmp_path, GOOD))
    foreign = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert load_rubric(write(tmp_path, foreign)) == plain


def test_examples_may_be_written_inline(tmp_path: Path) -> None:
    text = '---\nscale = "binary"\nexamples = [{ output = "a", verdict = "pass", explanation = "b" }]\n---\nText'
    assert load_rubric(write(tmp_path, text)).examples == (Shot("a", "pass", "b"),)
    assert problems(write(tmp_path, text.replace('"pass"', "1"))) == [
        'helpful.md:3: verdict must be "pass" or "fail", got 1'
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "",
            'helpful.md:1: the header is missing (begin the file with a header, such as ---, scale = "binary", --- '
            "on lines of their own)",
        ),
        (
            "Is it polite?\n",
            'helpful.md:1: the header is missing (begin the file with a header, such as ---, scale = "binary", --- '
            "on lines of their own)",
        ),
        (
            '---\nscale = "binary"\n',
            "helpful.md:1: the header is not closed (end it with a line that is ---)",
        ),
        (
            "---\nscale = binary\n---\nText",
            "helpful.md:2:9: the header is not TOML: Invalid value",
        ),
        (
            '---\nmodel = "x"\n---\nText',
            'helpful.md:1: scale is missing (write scale = "binary", or a range such as scale = "1-5")',
        ),
        (
            '---\nscale = "binray"\n---\nText',
            'helpful.md:2: scale must be "binary", "choice", "policy" or "pairwise", or a range such as "1-5", '
            "got 'binray' (did you mean \"binary\"?)",
        ),
        (
            "---\nscale = 5\n---\nText",
            'helpful.md:2: scale must be "binary", "choice", "policy" or "pairwise", or a range such as "1-5", got 5',
        ),
        (
            '---\nscale = "5-1"\n---\nText',
            "helpful.md:2: scale must rise, in at most 101 grades, got '5-1'",
        ),
        (
            '---\nscale = "binary"\nmodle = "x"\n---\nText',
            "helpful.md:3: unknown key 'modle' (did you mean \"model\"?)",
        ),
        (
            '---\nscale = "binary"\nversion = 2\n---\nText',
            "helpful.md:3: version must be text, got 2 (put it in quotes)",
        ),
        (
            '---\nscale = "binary"\nexamples = "none"\n---\nText',
            "helpful.md:3: examples must be tables (begin each with a line [[examples]])",
        ),
        (
            '---\nscale = "binary"\n---\n \n\n',
            "helpful.md:3: nothing follows the header (write what to judge by)",
        ),
        (
            '---\nscale = "binary"\n---\nCompare it with\n{expcted} or {{outputs}}.',
            "helpful.md:5: {expcted} is not shown to a judge "
            "(did you mean {expected}? In double braces it stands for itself)",
        ),
        *(
            (
                f'---\nscale = "binary"\n---\n{{{name}}}',
                f"helpful.md:4: {{{name}}} is not shown to a judge "
                f"(did you mean {{{meant}}}? In double braces it stands for itself)",
            )
            for name, meant in (
                ("question", "input"),
                ("answer", "output"),
                ("response", "output"),
                ("reference", "expected"),
                ("ground_truth", "expected"),
            )
        ),
        (
            '---\nscale = "binary"\n---\nMatches \\d{4}, not {colour}',
            "helpful.md:4: {colour} is not shown to a judge (known: {input}, {output}, {context}, {expected}, {steps}, "
            "{session}. In double braces it stands for itself)",
        ),
        (
            b'---\nscale = "binary"\n---\nText\nof caf\xe9s',
            "helpful.md:5: byte 0xe9 is not UTF-8 (save the file as UTF-8)",
        ),
    ],
)
def test_what_is_wrong_in_a_rubric(tmp_path: Path, text: str | bytes, expected: str) -> None:
    assert problems(write(tmp_path, text)) == [expected]


def test_every_problem_is_reported_at_once_and_at_its_line(tmp_path: Path) -> None:
    text = """\
---
scale = "1-5"
sclae = "1-3"

[[examples]]
output = "a"
verdict = 5
explanation = "b"

[[examples]]
verdict = true
explanation = 3
note = "c"

[examples.more]
---
"""
    assert problems(write(tmp_path, text)) == [
        "helpful.md:3: unknown key 'sclae' (did you mean \"scale\"?)",
        "helpful.md:13: unknown key 'note' (known: explanation, input, output, verdict)",
        "helpful.md:10: unknown key 'more' (known: explanation, input, output, verdict)",
        "helpful.md:10: the example has no output",
        "helpful.md:11: verdict must be a whole number in 1..5, got True",
        "helpful.md:12: explanation must be text, got 3 (put it in quotes)",
        "helpful.md:16: nothing follows the header (write what to judge by)",
    ]


@pytest.mark.parametrize("value", ["[" * 5000 + "]" * 5000, "9" * 5000])
def test_a_header_beyond_measure_is_no_fault_of_ours(tmp_path: Path, value: str) -> None:
    (said,) = problems(write(tmp_path, f'---\nscale = "binary"\nmodel = {value}\n---\nText'))
    assert said.startswith("helpful.md:1: the header is not TOML: ")
    (said,) = problems(write(tmp_path, f'---\nscale = "binary"\n{"a." * 3000}a = 1\n---\nText'))
    assert said == "helpful.md:1: the header is not TOML: it is nested deeper than 100"


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert problems(tmp_path / "helpfull.md") == [
        'helpfull.md: there is no such file (did you mean "helpful.md"?)',
    ]
    assert problems(tmp_path / "polite.txt") == [
        "polite.txt: there is no such file (relative paths start at the current directory)",
    ]


def test_a_folder_is_no_rubric(tmp_path: Path) -> None:
    (tmp_path / "rubrics").mkdir()
    assert problems(tmp_path / "rubrics") == ["rubrics: is a directory (name a rubric's file in it)"]


def test_grades_lie_evenly_on_the_scale() -> None:
    scale = parse_scale("1-5")
    assert [scale.value(grade) for grade in range(1, 6)] == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert parse_scale("0-100").value(40) == 0.4
    binary = parse_scale("binary")
    assert (binary.value("pass"), binary.value("fail")) == (1.0, 0.0)
    assert (str(scale), str(binary)) == ("1-5", "binary")


@pytest.mark.parametrize("verdict", [0, 6, True, 2.0, "3", None, [3]])
def test_what_is_not_on_the_scale_has_no_value(verdict: object) -> None:
    with pytest.raises(ValueError, match=r"^must be a whole number in 1\.\.5$"):
        parse_scale("1-5").value(verdict)
    with pytest.raises(ValueError, match=r'^must be "pass" or "fail"$'):
        parse_scale("binary").value(verdict)


def test_what_a_text_mentions() -> None:
    rubric = Rubric(name="x", text="{output} for {input}, not {{expected}}, {other} or {}")
    assert rubric.mentions == {"input", "output"}
    assert rubric.text_with({"output": "A", "input": "B"}) == "A for B, not {{expected}}, {other} or {}"
