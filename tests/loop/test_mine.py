"""Mining: what is found, how much of the traffic it stands for, that it is the same tomorrow and comes back."""

from collections.abc import Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.checks.traffic import DAY, FLOW, NOW, thumb
from gatewatch.core.failure import Failure
from gatewatch.core.watch import Alert, Evidence, Marker
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrivals, Thinned
from gatewatch.store.watching import WatchStep
from loop.mining import INVOICE, PASSWORD, REFUND, about, arrive, asked, cases, failed, judge, mined, names
from store.making import a_store, backend, on_sqlite  # noqa: F401 - every test runs on both


def low(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 0.0)


def test_low_scores_are_grouped_by_what_they_are_about(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 12), about(INVOICE, 100, 8), about(PASSWORD, 200, 20))
    arrive(store, [asked(300, "is it going to rain")])
    judge(store, low(*range(12), *range(100, 108), 300))
    found = mined(store)
    by = {each.name: each for each in found.failures}
    refund, invoice, alone = sorted(by.values(), key=lambda each: -each.n)
    assert (refund.n, invoice.n, alone.n) == (12, 8, 1)
    assert {*refund.name.split(", ")} & {"refund", "damaged", "get"} and "refund" not in invoice.name
    assert alone.name.startswith("other")
    assert refund.share == 12 / 41 and refund.low is not None and refund.low < 12 / 41
    assert [each.id for each in found.failures[:1]] == [refund.id]
    assert refund.sign == "score:helpful" and refund.severity == 0.8
    assert (found.conversations, found.traffic) == (41, 41.0)


def test_requests_are_put_up_to_be_labelled_and_not_again_the_next_day(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 10), about(INVOICE, 20, 9))
    judge(store, low(*range(10)))
    (failure,) = mined(store, reviewers=2).failures
    items = store.items(queue="failures", flow=FLOW)
    assert [item.representative for item in items] == [True] * 5 + [False] * 4  # two are copies
    assert {(item.failure, item.scorer, item.judged, item.needed) for item in items} == {(failure.id, "helpful", 0, 2)}
    assert {item.signs for item in items} == {("score:helpful",)}
    assert b"refund" in (store.item_trace(items[0].id) or b"")
    mined(store)
    assert store.items(queue="failures", flow=FLOW) == items


def test_what_is_sampled_stands_for_all(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 200), about(INVOICE, 1000, 800))
    judge(store, low(*range(200)), rate=0.2)
    (failure,) = [each for each in mined(store).failures if each.sign == "score:helpful"]
    assert 20 < failure.n < 60
    assert failure.share is not None and failure.low is not None and failure.high is not None
    assert abs(failure.share - failure.n / 0.2 / 1000) < 1e-9
    assert failure.low < 0.2 < failure.high


def test_payloads_that_chance_let_go_of_are_stood_for_by_those_it_left(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 400), about(INVOICE, 1000, 400))
    judge(store, low(*range(400)))
    before = mined(store).failures[0]
    held = store.held(NOW + 1, 1000)
    store.thin([Thinned(row.seq, row.marks, 0.25, row.u >= 0.25) for row in held])
    after = next(each for each in mined(store).failures if each.id == before.id)
    assert 60 < after.n < 140 and after.name == before.name
    assert after.share is not None and before.share == 0.5
    assert after.low is not None and after.high is not None and after.low < 0.5 < after.high


def test_a_session_is_one_unit_and_the_turn_that_failed_is_the_item(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for talk in range(4):
        arrive(
            store,
            [asked(10 * talk + turn, REFUND.format("lamp"), session=f"s{talk}", at=NOW + turn) for turn in range(3)],
        )
    judge(store, low(1, 2, 11, 12))
    (failure,) = mined(store, now=NOW + 10).failures
    assert (failure.n, failure.share) == (2, 0.5)
    assert [int(item.trace, 16) for item in store.items(queue="failures")] == [1]


def test_a_thumb_an_error_and_a_low_score_are_one_request(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 3), [failed(10 + n, f"no answer in {n} s") for n in range(3)])
    store.take_in(Arrivals(said=(thumb("f", f"{0:032x}"),)), NOW)
    judge(store, low(0, 1, 2, 10, 11, 12))
    assert names(mined(store)) == {
        "error no answer in # s": 3,
        "score:helpful " + next(each.name for each in mined(store).failures if each.sign == "score:helpful"): 2,
        "thumbs_down " + next(each.name for each in mined(store).failures if each.sign == "thumbs_down"): 1,
    }
    assert store.items(trace=f"{0:032x}")[0].signs == ("thumbs_down", "score:helpful")


def test_errors_are_told_apart_by_their_message(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, [failed(n, f"upstream {n} did not answer") for n in range(5)])
    arrive(store, [failed(10 + n, "KeyError: 'price'\nTraceback ...") for n in range(3)], [failed(20, "unheard of")])
    assert names(mined(store)) == {
        "error upstream # did not answer": 5,
        "error keyerror: 'price": 3,
        "error " + next(each.name for each in mined(store).failures if each.name.startswith("other")): 1,
    }


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_arrival_is_no_matter(random: Random) -> None:
    def found(order: Sequence[int]) -> list[tuple[object, ...]]:
        with TemporaryDirectory() as folder:
            store = on_sqlite(Path(folder))
            every = [*about(REFUND, 0, 9), *about(INVOICE, 20, 7), *about(PASSWORD, 40, 5), asked(60, "rain")]
            arrive(store, [every[place] for place in order])
            judge(store, low(*range(30), *range(40, 61)))
            failures = mined(store, cases("i want a refund")).failures
            told: list[tuple[object, ...]] = []
            for each in failures:
                traces = tuple(item.trace for item in store.items(failure=each.id))
                told.append((each.sign, each.name, each.n, each.severity, each.novelty, traces))
            store.close()
            return told

    order = list(range(22))
    random.shuffle(order)
    assert found(order) == found(range(22))


def test_failures_keep_number_and_name_over_days(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 10), about(PASSWORD, 50, 5))
    judge(store, low(*range(10), *range(50, 55)))
    first = {each.id: each.name for each in mined(store).failures}
    day = NOW + DAY
    arrive(store, about(REFUND, 100, 15, at=day), about(INVOICE, 200, 10, at=day), now=day)
    judge(store, low(*range(100, 115), *range(200, 210)))
    second = mined(store, now=day).failures
    assert {each.id: each.name for each in second if each.id in first} == first
    assert {each.n for each in second} == {25, 5, 10}
    later = day + 30 * DAY
    arrive(store, about(REFUND, 300, 4, at=later), now=later)
    judge(store, low(*range(300, 304)))
    third = {each.id: each for each in mined(store, now=later).failures}
    refund = next(number for number in first if third[number].n)
    assert third[refund].n == 4 and third[refund].first == NOW and third[refund].last == later
    assert all(each.share == 0.0 for each in third.values() if not each.n)


def test_two_miners_at_once_make_no_failure_twice(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 6), about(INVOICE, 20, 6))
    judge(store, low(*range(6), *range(20, 26)))
    asked_for = []

    def names_while_another_mines(groups: Sequence[Sequence[str]]) -> list[str]:
        asked_for.append(len(groups))
        if len(asked_for) == 1:
            mined(a_store(tmp_path))
        return ["a model's name" for _ in groups]

    found = mined(store, namer=names_while_another_mines, named_by="m")
    assert asked_for == [2]  # the second time they are known
    assert sorted(each.id for each in found.failures) == [1, 2] == [each.id for each in store.failures(FLOW)]
    assert len(store.items(queue="failures")) == 12


def test_a_model_is_asked_once_though_others_were_quicker(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 6))
    judge(store, low(*range(6)))
    asked_for = []

    def named_while_others_keep_theirs(groups: Sequence[Sequence[str]]) -> list[str]:
        asked_for.append(len(groups))
        store.keep_mined([], NOW, read_at=store.mined_at())
        return ["a model's name"]

    (found,) = mined(store, namer=named_while_others_keep_theirs, named_by="m").failures
    assert (asked_for, found.name) == ([1], "a model's name")


def test_a_model_names_what_is_new_and_terms_where_it_gives_no_name(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 6), about(INVOICE, 20, 5))
    judge(store, low(*range(6), *range(20, 26)))
    found = mined(store, namer=lambda groups: ["Refunds of damaged goods", ""], named_by="m").failures
    assert (found[0].name, found[0].named_by) == ("Refunds of damaged goods", "m")
    assert found[1].named_by == "" and "invoice" in found[1].name
    assert names(mined(store)) == names(mined(store, namer=lambda groups: 1 / 0))


# What becomes of a failure


def one(store: Store, **given: object) -> Failure:
    (found,) = mined(store, **given).failures  # type: ignore[arg-type]
    return found


def test_what_is_ignored_is_counted_and_gets_no_items(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 3))
    judge(store, low(0, 1, 2))
    number = one(store).id
    store.turn_failure(number, "ignored", who="mia", reason="no", now=NOW)
    arrive(store, about(REFUND, 10, 9))
    judge(store, low(*range(10, 19)))
    found = mined(store)
    assert (found.failures, found.ignored) == ((), 1)
    assert len(store.items(queue="failures")) == 3
    kept = store.failure(number)
    assert kept is not None and (kept.n, kept.state, kept.who) == (12, "ignored", "mia")


def fixed(tmp_path: Path, versions: dict[str, str]) -> tuple[Store, int]:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 3, versions=versions))
    judge(store, low(0, 1, 2))
    number = one(store).id
    store.turn_failure(number, "fixed", who="mia", reason="", now=NOW + 10)
    return store, number


def again(store: Store, first: int, at: float, versions: dict[str, str]) -> Failure:
    arrive(store, about(REFUND, first, 3, at=at, versions=versions), now=at)
    judge(store, low(*range(first, first + 3)))
    return one(store, now=at)


def test_a_fixed_failure_in_a_new_version_has_come_back(tmp_path: Path) -> None:
    store, number = fixed(tmp_path, {"prompt": "1"})
    found = again(store, 10, NOW + 20, {"prompt": "1"})
    assert (found.id, found.state) == (number, "fixed")  # only not deployed yet
    found = again(store, 20, NOW + 9 * DAY, {"prompt": "1"})
    assert found.state == "fixed"
    found = again(store, 30, NOW + 10 * DAY, {"prompt": "2"})
    assert (found.id, found.state) == (number, "regressed")
    items = [int(item.trace, 16) for item in store.items(failure=number)]
    assert {*range(30, 33)} <= {*items}


def test_a_version_that_failed_after_the_last_mining_and_before_the_fix_did_not_have_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 3, versions={"prompt": "1"}))
    judge(store, low(0, 1, 2))
    number = one(store).id
    arrive(store, about(REFUND, 10, 3, at=NOW + 5, versions={"prompt": "2"}), now=NOW + 5)  # nobody mined it
    store.turn_failure(number, "fixed", who="mia", reason="", now=NOW + 10)
    judge(store, low(10, 11, 12))
    assert again(store, 20, NOW + 20, {"prompt": "2"}).state == "fixed"
    assert again(store, 30, NOW + 30, {"prompt": "3"}).state == "regressed"


def test_without_versions_what_began_behind_the_deploy_has_come_back(tmp_path: Path) -> None:
    store, _ = fixed(tmp_path, {})
    store.mark(Marker(NOW + 50, FLOW, "the fix is out", who="mia"))
    store.mark(Marker(NOW + 15, FLOW, "prompt 7", seen=True))
    assert again(store, 10, NOW + 20, {}).state == "fixed"
    assert again(store, 20, NOW + 60, {}).state == "regressed"


def test_without_versions_and_markers_whatever_began_later_has_come_back(tmp_path: Path) -> None:
    store, _ = fixed(tmp_path, {})
    assert one(store).state == "fixed"
    assert again(store, 10, NOW + 20, {}).state == "regressed"


def test_the_dataset_says_what_is_new_near_or_covered(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 5), about(INVOICE, 20, 5), about(PASSWORD, 40, 5))
    judge(store, low(*range(60)))
    golden = cases(
        "Where is the invoice with the vat number?",
        "  How do I get a refund for the LAMP and its shade that came damaged? ",
    )
    found = {each.novelty: each for each in mined(store, golden).failures}
    assert "refund" in found["covered"].name or "damaged" in found["covered"].name
    assert (found["covered"].nearest, found["covered"].likeness) == ("c1", 1.0)
    assert found["near"].nearest == "c0" and 0.35 <= found["near"].likeness < 0.9
    assert "password" in found["new"].name or "reset" in found["new"].name
    assert [each.novelty for each in mined(store, golden).failures] == ["new", "near", "covered"]


# What it is found by


def test_what_an_alert_rests_on_is_found_however_old_it_is(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 4), about(INVOICE, 20, 2, at=NOW - 20 * DAY), now=NOW)
    shown = tuple(f"{number:032x}" for number in (0, 1, 20, 999))
    alert = Alert(
        key="k",
        flow=FLOW,
        kind="rate",
        name="latency_s",
        severity="page",
        title="slow",
        opened=NOW,
        updated=NOW,
        evidence=Evidence(traces=shown),
    )
    read_at = store.unheard({}, 1).read_at
    assert store.keep(WatchStep(read_at=read_at, alerts=[alert]), NOW)
    found = mined(store).failures
    assert {each.sign for each in found} == {"alert:latency_s"}
    assert sum(each.n for each in found) == 3
    assert {(each.share, each.severity) for each in found} == {(None, 0.8)}
    store.turn_alert(1, "resolved", who="mia", reason="", now=NOW)
    assert names(mined(store)) == {}


def test_sources_and_votes_that_disagree_are_found(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 6))
    judge(store, low(0, 1))
    judge(store, low(1), fingerprint="0" * 12)
    judge(store, {2: None, 3: 1.0}, name="panel", split=True)
    found = {each.sign: each.n for each in mined(store).failures if each.n}
    assert found == {"disagreement:helpful": 1, "score:helpful": 1, "disagreement:panel": 4}


def test_what_is_unlike_every_case_is_found_though_nothing_bad_is_known(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    english = [asked(n, each, traits={"language": "en"}) for n, each in enumerate([REFUND.format("lamp")] * 20)]
    odd = [
        asked(100, "", traits={}), asked(101, " \n"),
        asked(102, '{"order": {"id": 1'), asked(103, '[{"a": 1}, {"b"'),
        *(asked(110 + n, f"wo ist meine Bestellung {n}", traits={"language": "de"}) for n in range(3)),
        asked(120, "how do i get a refund? " + "it came damaged and i am sad about that " * 20),
        asked(121, "how do i get a refund? " + "the lamp came damaged and nobody told me why " * 20),
        *about("my neighbour's parrot sings opera at night", 130, 4),
    ]  # fmt: skip
    arrive(store, english, odd)
    golden = cases(REFUND.format("lamp"), "the lamp came damaged, how do i get a refund for it")
    found = mined(store, golden)
    topic = next(each for each in found.failures if each.sign == "unlike:topic")
    assert names(found) == {
        "unlike:malformed empty": 2,
        "unlike:malformed JSON that breaks off": 2,
        "unlike:language asked in de": 3,
        "unlike:length longer than any case": 2,
        f"unlike:topic {topic.name}": 4,
    }
    assert topic.novelty == "new" and topic.severity == 0.2


def test_hostile_texts_are_grouped_like_others(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    texts = [
        "\x1b[2J\ud800 ignore all",
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "a" * 100_000,
        "\0",
        "\u202eabc",
    ]
    arrive(store, [asked(n, text) for n, text in enumerate(texts)], [failed(50, "\x1b]0;owned\x07 " * 500)])
    judge(store, low(*range(6)))
    found = mined(store, cases("\ud800", "x"))
    assert sum(each.n for each in found.failures) == 7
    assert all(len(each.name) < 100 for each in found.failures)
    assert len(store.items(queue="failures")) == 7


def test_the_chance_queue_and_mined_items_are_kept_apart(tmp_path: Path) -> None:
    from gatewatch.core.review import Item

    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 2))
    judge(store, low(0, 1))
    drawn = Item(queue="calibration", flow=FLOW, trace=f"{0:032x}", scorer="helpful", pi=0.1, added=NOW)
    store.add_items([(drawn, b"{}")], NOW)
    mined(store)
    (calibration,) = store.items(queue="calibration")
    assert replace(calibration, id=0) == drawn
    assert len(store.items(queue="failures")) == 2
