"""What every store holds to when somebody is erased: all of theirs goes, nothing else does, none of it comes back."""

from collections.abc import Callable

from msgspec.structs import replace

from gatewatch.checks.hostile import HOSTILE
from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take, thumb, trends_agree_with_rows
from gatewatch.core.erasure import Subject, Tombstone
from gatewatch.core.people import hashed, tag_of
from gatewatch.core.rates import Epoch, Rule
from gatewatch.store.base import Store
from gatewatch.store.rows import Piece, Plan, Settled, TakenIn

MIA = Subject("user", ("mia",))


def erase(store: Store, subject: Subject = MIA, *, most: int = 2, now: float = NOW + 500) -> str:
    """Erase somebody, a step at a time; the erasure's name."""
    name = store.begin_erasure(f"e{len(store.erasures())}", subject, "ana", now)
    while store.erase(name, subject, now, most):
        pass
    return name


def erases_all_of_a_user(store: Store) -> None:
    """Requests, payloads, scores, feedback, work and what was set aside for it go; others' stay, trends agree."""
    work = planned(store, "x", "y")
    mine = [request(f"m{n}", user="mia", session="s" if n else "", external_id=f"e{n}", marks=n % 2) for n in range(5)]
    take(store, *mine, request("z", session="s", at=NOW + 7), said=[thumb("1", "m1"), thumb("2", "x", author="mia")])
    take(store, said=[thumb("3", "nobody", author="mia"), thumb("4", "nobody"), thumb("5", "y", author="mia")])
    store.plan(work.id, Plan(tuple((seq, NOW, 0.5) for seq in range(3, 9)), epoch=Epoch(1, 8, (Rule(1.0),)), through=8))
    leased = {each.row.id: each for each in lease(store, work)}
    store.settle(
        [Settled(leased[name].task, leased[name].attempt, judged(0.25), "judge") for name in ("m0", "x", "z")], NOW
    )
    store.reserve("day", 1.0, 0.5, leased["m1"].task)
    store.stage(
        [Piece("w", "1", "", root=True, body=b'{"user":"mia"}'), Piece("w", "2", "", root=False, body=b"{}")], NOW
    )
    store.stage([Piece("v", "1", "", root=True, body=b'{"user":"miami"}')], NOW)
    name = erase(store)
    assert [each.trace for each in store.gathered(NOW * 2, NOW * 2, 9)] == ["v"], "spans of the user still wait"
    assert [row.id for row in store.latest()] == ["z", "y", "x"], "what is left is not what others sent"
    assert store.find("e1") is None, "an erased request is found by its external id"
    assert [kept.author for kept in store.scores(1)] == ["judge"], "what the user said of others stays"
    assert store.counts().parked == 1, "of feedback that waits, not only the user's went"
    assert store.spent("day")[1] == 0.0, "money is still set aside for an erased request"
    assert store.latest(marks=1) == [], "an erased request is found by its mark"
    late = store.settle([Settled(leased["m2"].task, leased["m2"].attempt, judged(0.5))], NOW)
    assert late == 0, "a task of an erased request was settled"
    session = store.find_session(FLOW, "s")
    assert session is not None and (session.first, session.turns, session.last_at) == (8, 1, NOW + 7), f"{session}"
    parts, days = store.tally(name)
    expected = {"requests": 5, "payloads": 5, "feedback": 3, "feedback waiting": 1, "scores": 1, "tasks": 4, "spans": 2}
    found = {part: parts.get(part, 0) for part in expected}
    assert found == expected, f"it says that {found} went, not {expected}"
    assert [(day.flow, day.requests, day.scores) for day in days] == [(FLOW, 5, 4)], f"by day it says {days}"
    assert store.erased(NOW, NOW + 1) == days, "a window does not tell what was erased of it"
    trends_agree_with_rows(store)


def erases_a_session(store: Store) -> None:
    """A session goes, of one flow or of every; what other services recorded of its requests goes with it."""
    for flow in (FLOW, "other"):
        take(store, request(f"a-{flow}", session="s", flow=flow, span_id="1" * 16))
        take(store, request(f"a-{flow}", flow=flow, span_id="2" * 16, parent_id="1" * 16))
        take(store, request(f"a-{flow}", session="t", flow=flow, span_id="3" * 16, parent_id="1" * 16))
        take(store, request(f"a-{flow}-b", flow=flow))
    erase(store, Subject("session", ("s",), "other"))
    left = {row.id for row in store.latest("other")}
    assert left == {f"a-other-{'3' * 16}", "a-other-b"}, f"of the flow {left} are left"
    assert len(store.latest(FLOW)) == 4, "a session of another flow went too"
    erase(store, Subject("session", ("s",)))
    assert {row.session for row in store.latest()} == {"t", ""} and len(store.latest()) == 4, "a turn is left"
    assert take(store, request("n", session="s", flow="new")).erased == 1, "a session that was erased goes on"
    assert store.find_session(FLOW, "s") is None, "a session that was erased is still there"
    trends_agree_with_rows(store)


def keeps_the_erased_out(store: Store) -> None:
    """What arrives late of somebody who was erased stays out, and is counted; what is others' is taken in."""
    take(store, request("m", user="mia", external_id="ticket", span_id="1" * 16))
    erase(store)
    again = take(
        store,
        *(request("m", user="mia"), request("m2", user="mia", external_id="t2"), request("m", span_id="2" * 16)),
        *(request("x", user="bob"), request("m", user="bob", span_id="3" * 16)),
        said=[
            *(thumb("1", "m"), thumb("2", external_id="ticket"), thumb("3", "x", author="mia")),
            *(thumb("4", "x"), thumb("5", "m2"), thumb("6", external_id="t2"), thumb("7", "later")),
        ],
    )
    assert (again.traces, again.said, again.parked, again.erased) == (2, 2, 1, 7), f"of late arrivals it says {again}"
    assert store.counts().losses == {"erased": 7}, f"what stayed out is counted as {store.counts().losses}"
    take(store, request("r", external_id="ticket"))
    assert take(store, said=[thumb("8", external_id="ticket")]).said == 1, (
        "another's request of that name hears nothing"
    )
    assert take(store, request("x", user="bob")) == TakenIn(repeated=1), "what is not erased is counted as such"
    take(store, request("k", session="s2"), request("k2", session="s2"))
    more = replace(request("k", user="mia", session="s2", payload=b'{"input":"more"}'), again=True)
    store.stage([Piece("k", "1", "", root=True, body=b'{"user":"mia"}')], NOW)
    assert take(store, more).erased == 1 and store.find("k") is None, "one that turns out to be of the user is there"
    assert not store.gathered(NOW * 2, NOW * 2, 9), "its spans wait"
    trends_agree_with_rows(store)


def resumes_an_erasure(store: Store) -> None:
    """One that was begun is found again by whom it is of, counts go on, and the receipt closes it."""
    take(store, *(request(f"{n}", user=text) for n, text in enumerate((*HOSTILE, "a", "mia"))))
    for n, text in enumerate(HOSTILE):
        subject = Subject("user", (text, f"h{n}"))
        name = store.begin_erasure(f"e{n}", subject, text, NOW)
        assert store.begin_erasure("other", subject, "bob", NOW + 1) == name, "an erasure under way is not found again"
        while store.erase(name, subject, NOW):
            pass
        store.count_erased(name, {"labels": 2})
        assert store.tally(name)[0]["requests"] == 1 and store.tally(name)[0]["labels"] == 2, f"of {text!r} it tells"
        store.close_erasure(name, b'{"id":"x"}')
        kept = next(each for each in store.erasures() if each.id == name)
        assert (kept.who, kept.marks, kept.receipt) == (text, subject.marks, {"id": "x"}), f"it kept {kept}"
    assert {row.user for row in store.latest()} == {"a", "mia"}, "others went too"
    empty = Subject("user", ("nobody",))
    assert store.tally(erase(store, empty)) == ({}, []), "of nobody something went"
    assert store.scrub(), "the store's files could not be rebuilt"


def knows_whom_tombstones_mean(store: Store) -> None:
    """Tombstones come and go by digests; who is stored is found by them; and all of somebody is told."""
    take(store, request("a", user="mia", session="s"), request("b", user="bob", session="s"), request("c", user="mia"))
    take(store, said=[thumb("1", "b", author="mia"), thumb("2", "none", author="mia"), thumb("3", "none")])
    assert [row.id for row in store.belonging(MIA, 0, 1)[0]] == ["a"] and store.belonging(MIA, 0, 1)[1] == 1
    assert ([row.id for row in store.belonging(MIA, 1, 9)[0]], store.belonging(MIA, 1, 9)[1]) == (["c"], 0)
    assert store.said_elsewhere(MIA) == [(2, "mia")], f"elsewhere said is {store.said_elsewhere(MIA)}"
    assert [said.id for said in store.waiting(MIA)] == ["2"], "what waits of a user is not told"
    session = Subject("session", ("s",), FLOW)
    stones = [Tombstone(mark, each.kind, NOW) for each in (MIA, session) for mark in each.marks]
    assert store.bury(stones) == 2 and store.bury(stones) == 0, "a tombstone was kept twice, or not"
    assert store.buried([stones[0].mark, "0" * 32]) == {stones[0].mark}, "it does not know its tombstones"
    assert store.tombstone_count() == 2, "it miscounts its tombstones"
    assert sorted(store.tombstones(), key=repr) == sorted(stones, key=repr), "a tombstone came back as another"
    assert store.meant(stones) == [MIA, session], f"they mean {store.meant(stones)}"


def knows_the_keys_of_users(store: Store) -> None:
    """It tells which keys ids were hashed with, of requests and of feedback, and no more once these are gone."""
    assert store.user_keys() == set(), "it knows keys before anybody came"
    names = [hashed(f"u{n}", b"%d" % (n % 3)) for n in range(9)]
    take(store, *[request(f"r{n}", user=name) for n, name in enumerate([*names, "", "kate", "k00000000-x", "zoe"])])
    take(store, said=[thumb("1", "r1", author=hashed("mia", b"said")), thumb("2", "r1", author="karl")])
    expected = set(map(tag_of, (b"0", b"1", b"2", b"said")))
    assert store.user_keys() == expected, f"it knows {store.user_keys()}, not {expected}"
    erase(store, Subject("user", tuple(names[::3])))
    assert store.user_keys() == expected - {tag_of(b"0")}, "it knows a key that nobody has any more"


def keeps_an_audit(store: Store) -> None:
    """What was noted is there, the newest first."""
    for n, text in enumerate(HOSTILE):
        store.note(NOW + n // 2, text, "read", f"of {text}")
    found = [(line.at, line.who, line.action, line.what) for line in store.audit(NOW + 1, 3)]
    last = len(HOSTILE) - 1
    expected = [(NOW + n // 2, HOSTILE[n], "read", f"of {HOSTILE[n]}") for n in range(last, last - 3, -1)]
    assert found == expected, f"the audit's newest lines are {found}, not {expected}"
    assert len(store.audit(NOW + 1, 99)) == len(HOSTILE) - 2, "lines from before a time are given, or some are missing"
    take(store, request("chat-mia", user="mia"), request("mia", user="bob"), request("m", user="mia"))
    for text in ("chat-mia", "mia", "m", "run mia"):
        store.note(NOW - 1, "mia", "read", text)
    erase(store)
    told = sorted(line.what for line in store.audit(NOW - 1, 99) if line.at < NOW)
    assert told == ["(erased)", "m", "mia", "run mia"], f"of requests that were looked at the audit tells {told}"


ERASING: tuple[Callable[[Store], None], ...] = (
    erases_all_of_a_user,
    erases_a_session,
    keeps_the_erased_out,
    resumes_an_erasure,
    knows_whom_tombstones_mean,
    knows_the_keys_of_users,
    keeps_an_audit,
)
"""Every check of these, in order."""
