from gatewatch.offline.reports.moves import blocking, by_case, glyph, ids_of, notes, slices_moved
from gatewatch.offline.verdict import RowDiff
from offline.reports.making import figures, passed, regressed, row


def test_rows_of_a_case_stand_together_and_what_fell_comes_first() -> None:
    rows = [
        row("a", before=0.0, after=1.0),
        row("b"),
        row("a", "polite", before=0.0, after=0.5),
        row("c", "exact"),
        row("b", "x"),
    ]
    found = by_case(rows)
    assert [case.id for case in found] == ["b", "c", "a"]
    assert [len(case.rows) for case in found] == [2, 1, 2]
    assert [case.fell for case in found] == [True, True, False]


def test_what_blocks() -> None:
    assert ids_of(blocking(regressed())) == ["refund-7", *(f"refund-{n}" for n in range(20, 26))]
    assert by_case(regressed().rows)[0].blocks
    assert not blocking(passed())


def test_signs_and_notes() -> None:
    new = RowDiff(id="a", scorer="x", effect="new", after=0.0, must_pass=True, why="A")
    assert (glyph(new), notes(new)) == ("✕", ["must-pass", "blocks (contract)", "new case"])
    assert [glyph(each) for each in (row(), row(before=0.0, after=1.0), row(flaky=True))] == ["▼", "▲", "~"]
    assert [glyph(RowDiff(id="a", scorer="x", effect=effect)) for effect in ("tie", "new")] == ["=", "+"]
    assert notes(row(accepted="why", crossed="broke", flaky=True)) == ["broke", "flaky", "accepted: why"]


def test_slices_the_worst_first() -> None:
    still = {"wins": 0, "losses": 0}
    slices = {
        "same": {"x": figures(0.0, gating=False, **still)},
        "open": {"x": figures(0.0, verdict="UNDECIDED", p=0.5, **still)},
        "rose": {"x": figures(0.1, gating=False, p=0.9)},
        "dropped": {"x": figures(-0.1, gating=False, p=0.01)},
        "fell": {"x": figures(-0.2, verdict="REGRESSED", p=0.001)},
    }
    assert [part for part, _, _ in slices_moved(passed(slices=slices))] == ["fell", "open", "dropped", "rose"]
