"""A user's hash: the same wherever the key is, and it tells which key that was."""

from gatewatch.core.people import hashed, others, tag_in, tag_of, told


def test_a_hash_tells_its_key_and_nothing_of_the_user() -> None:
    assert hashed("mia", b"a") == hashed("mia", b"a")
    assert len({hashed(user, key) for user in ("mia", "bob") for key in (b"a", b"b", b"a" * 65, b"a" * 66)}) == 8
    assert tag_in(hashed("mia", b"a")) == tag_of(b"a") == tag_in(hashed("bob", b"a")) != tag_of(b"b")
    assert tag_in("mia") == tag_in("k1-2") == ""


def test_keys_that_are_not_here_are_told() -> None:
    tags = {tag_of(b"%d" % n) for n in range(8)}
    assert others(tags, [b"%d" % n for n in range(8)]) == []
    assert others(tags, [b"0", b"x"]) == sorted(tags - {tag_of(b"0")})
    assert "another key than" in told([tag_of(b"0")]) and "8 other keys than" in told(sorted(tags))
