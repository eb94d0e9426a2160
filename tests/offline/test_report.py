import pytest
from msgspec.structs import replace

from gatewatch.core.money import Cost
from gatewatch.core.run import Row, RunEnd, RunHeader, ScorerRef
from gatewatch.core.score import Score, Status
from gatewatch.core.trace import Fault, Trace, Usage
from gatewatch.offline.report import as_text, clean, interval_text, number, seconds
from gatewatch.offline.summary import Figure, Summary, Tally
from gatewatch.scorers.votes import of_both_orders
from offline.making import header

HOSTILE = (
    "\x1b[31mred\x1b]0;title\x07[bold]b[/bold][/x][link=http://evil]\u202eevil\u2066\u200b\r\nnext\x00\x9b1m\ud800"
)
CONTROLS = [chr(code) for code in (*range(32), 127, *range(128, 160), 0x202E, 0x2066, 0x200B, 0x2028, 0xD800)]


def told(rows: list[Row], head: RunHeader, *, end: RunEnd | None = None, damaged: int = 0) -> Summary:
    tally = Tally(head)
    for row in rows:
        tally.add(row)
    return tally.summary(end, damaged)


def rows(names: list[str], count: int = 20) -> list[Row]:
    """Rows in every state, in three slices."""
    states: list[tuple[Status, float | None]] = [
        ("scored", 1.0),
        ("scored", 0.5),
        ("task_error", 0.0),
        ("timeout", 0.0),
        ("scorer_error", None),
        ("skipped", None),
    ]
    found = []
    for n in range(count):
        status, value = states[n % len(states)]
        found.append(
            Row(
                case=f"c{n}",
                slice=f"slice {n % 3}",
                trace=Trace(
                    output="x",
                    latency_s=0.1 * n,
                    error=Fault(f"{status} of some kind") if value == 0.0 else None,
                    usage=Usage(1000, 20),
                    cost=Cost(0.01),
                ),
                scores={name: Score(value, status=status) for name in names},
            )
        )
    return found


def test_a_judge_that_goes_by_position_is_named() -> None:
    def summary(labels: list[str]) -> Summary:
        paired = of_both_orders(Score(1.0, "win", "x", source="judge"), Score(1.0, "win", "x", source="judge"))
        scores = [replace(paired, label=label) for label in labels]
        told_of = [Row(case=str(n), trace=Trace(output="x"), scores={"better": s}) for n, s in enumerate(scores)]
        return told(told_of, header({"better": ScorerRef("f", "judge")}, cases=len(labels)))

    said = "! better: the judge goes by position: 1.000 [1.000, 1.000] of its verdicts are for what stood first"
    assert said in as_text(summary(["first"] * 20), width=120)
    assert "by position: 0.000" in as_text(summary(["second"] * 20), width=120)
    for labels in (["first"] * 9, ["win"] * 20, ["first", "win", "loss"] * 5, ["tie"] * 20):
        assert "by position" not in as_text(summary(labels), width=120), labels


def everything(names: list[str], **fields: object) -> Summary:
    refs = {name: ScorerRef("f", "judge", pass_at=0.75 if n % 2 else None) for n, name in enumerate(names)}
    pace = {"judge": {"rate": 3.25, "refusals": 4, "retries": 2}, "app": {"limit": 8, "retries": 1}}
    head = header(refs, cases=25, run="support-20260301-120000-1a2b")
    return told(rows(names), head, end=RunEnd("broken", "the disk is full", pace=pace), damaged=2)


class TestHostileText:
    def test_cleaned_it_has_no_controls_and_is_one_line(self) -> None:
        found = clean(HOSTILE)
        assert found == "[31mred]0;title[bold]b[/bold][/x][link=http://evil]evil  next1m"
        assert clean("é\u0301 \U0001f600 [0.5, 0.6]") == "é\u0301 \U0001f600 [0.5, 0.6]"

    @pytest.mark.parametrize("width", [80, 120])
    def test_in_every_place_it_is_inert(self, width: int) -> None:
        scores = {HOSTILE: Score(0.5), "[/judge]": Score(None, status="scorer_error")}
        made = [
            Row(
                case=f"{HOSTILE}{n}",
                slice=HOSTILE if n else "[/slice]",
                trace=Trace(output=HOSTILE, error=Fault(HOSTILE)),
                scores=scores,
                notes=(HOSTILE,),
            )
            for n in range(3)
        ]
        head = header(
            {HOSTILE: ScorerRef("f", pass_at=0.5), "[/judge]": ScorerRef("f", "judge")},
            cases=9,
            trials=2,
            run=HOSTILE,
            task=HOSTILE,
        )
        end = RunEnd("broken", HOSTILE, pace={HOSTILE: {"limit": 1, "refusals": 2}})
        text = as_text(told(made, head, end=end, damaged=1), width=width)
        assert not [letter for letter in CONTROLS if letter != "\n" and letter in text]
        # Markup is shown as it is and nothing of it is acted on.
        assert "[bold]b[/bold][/x]" in text.replace("\n", "")
        assert "[/judge]" in text
        assert "[/slice]" in text
        assert max(map(len, text.splitlines())) <= width

    def test_a_name_that_is_all_controls(self) -> None:
        made = [Row(case="a", trace=Trace(), scores={"\x00": Score(1.0)})]
        assert as_text(told(made, header(["\x00"])))


class TestWidths:
    @pytest.mark.parametrize("width", [80, 100, 120])
    @pytest.mark.parametrize(
        "names", [["exact"], ["exact", "helpful"], ["states_the_window_of_refunds", "b", "c", "d", "e", "f"]]
    )
    def test_every_figure_can_be_read(self, width: int, names: list[str]) -> None:
        summary = everything(names)
        text = as_text(summary, width=width)
        lines = text.splitlines()
        assert max(map(len, lines)) <= width
        assert "…" not in "".join(line for line in lines if "0." in line), "no number is cut"
        joined = text.replace("\n", "").replace(" ", "")
        for name, scorer in summary.scorers.items():
            assert name[:16] in joined
            low, high = scorer.figure.interval or (0, 0)
            assert f"{scorer.figure.mean:.3f}   [{low:.3f}, {high:.3f}]" in text
        assert text.count("slice 1") == -(-len(names) // 3), "the names of slices are whole"
        for word in ("scored", "task error", "timeout", "scorer error", "skipped"):
            assert word in text

    def test_narrower_than_anybody_has_it(self) -> None:
        for width in (1, 10, 40):
            assert as_text(everything(["exact", "helpful"]), width=width)

    def test_wide_letters(self) -> None:
        made = [Row(case=f"c{n}", slice="漢字" * 30, trace=Trace(), scores={"漢字" * 20: Score(1.0)}) for n in range(3)]
        assert as_text(told(made, header(["漢字" * 20], cases=3)), width=80)


class TestWhatIsSaid:
    def test_a_plain_run(self) -> None:
        made = [Row(case=f"c{n}", trace=Trace(latency_s=0.25), scores={"exact": Score(float(n < 3))}) for n in range(4)]
        lines = as_text(told(made, header(["exact"], cases=4), end=RunEnd("complete"))).splitlines()
        assert lines[0] == "demo-1"
        assert lines[1] == "4 cases of d.jsonl@000000000000 · app:answer"
        assert lines[2].split() == ["scorer", "mean", "95", "%", "interval", "cases", "scored"]
        assert lines[4].split() == ["exact", "0.750", "[0.301,", "0.954]", "4", "4"]
        assert "latency  p50 250 ms · p95 250 ms · p99 250 ms (4 answers)" in lines
        assert "cost     task unknown" in lines
        assert "tokens   task unknown" in lines
        assert not [line for line in lines if line.startswith(("!", "PARTIAL", "BROKEN"))]

    def test_all_that_went_wrong(self) -> None:
        text = as_text(everything(["exact"]), width=120)
        assert "! exact: 3 of 17 scores were lost to scorer errors (unreliable); the mean lies between " in text
        assert "! 3 x task_error of some kind" in text
        assert "! 2 records of the journal are torn or damaged and were left out" in text
        assert "BROKEN: 20 of 25 rows; the disk is full" in text
        assert "pace     judge: 3.25 requests/s, 4 refusals, 2 retries" in text
        assert "pace     app: 8 at once, 0 refusals, 1 retries" in text

    def test_a_run_that_was_cut_off(self) -> None:
        text = as_text(told([], header(["exact"], cases=3)))
        assert text.splitlines()[-1] == "PARTIAL: 0 of 3 rows; it was cut off"
        assert "latency  unknown" in text

    def test_no_scorers_and_no_rows(self) -> None:
        assert as_text(told([], header()))
        assert as_text(told([Row(case="a", trace=Trace())], header(), end=RunEnd("complete")))

    def test_all_scores_lost(self) -> None:
        made = [Row(case="a", trace=Trace(), scores={"judge": Score(None, status="scorer_error")})]
        assert "! judge: all 1 scores were lost to scorer errors" in as_text(told(made, header(["judge"])))

    def test_trials(self) -> None:
        made = [
            Row(case=case, trial=trial, trace=Trace(), scores={"exact": Score(float(case == "a" or trial == 0))})
            for case in "ab"
            for trial in (0, 1)
        ]
        text = as_text(told(made, header(["exact"], cases=2, trials=2)))
        assert "2 cases x 2 trials of d.jsonl" in text
        assert "exact: pass^1..2 = 0.7500  0.5000; 1 cases are flaky" in text

    def test_many_kinds_of_error_and_many_slices(self) -> None:
        made = [
            Row(
                case=f"c{n}",
                slice=f"slice {n}",
                trace=Trace(error=Fault(f"error {n}")),
                scores={"exact": Score(0.0, status="task_error")},
            )
            for n in range(30)
        ]
        text = as_text(told(made, header(["exact"], cases=30)))
        assert "! ... and " in text
        assert "\n... and 18 more" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "—"),
        (0.0, "0 µs"),
        (0.0000123, "12.3 µs"),
        (0.0123, "12.3 ms"),
        (0.4996, "500 ms"),
        (0.0009999, "1 ms"),
        (0.9999, "1 s"),
        (1.234, "1.23 s"),
        (123.4, "123 s"),
        (1234.0, "1230 s"),
    ],
)
def test_durations(value: float | None, text: str) -> None:
    assert seconds(value) == text


def test_numbers_and_intervals() -> None:
    assert (number(None), number(0.12345), number(1.0)) == ("—", "0.123", "1.000")
    assert interval_text(Figure(0.5, (0.25, 0.75), 4, {})) == "[0.250, 0.750]"
    assert interval_text(Figure(0.5, None, 1, {})) == "too few cases"
    assert interval_text(Figure(None, None, 0, {})) == "—"
