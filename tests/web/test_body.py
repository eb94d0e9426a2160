"""Bodies under limits: unpacked no further than allowed, and whatever was held is let go of."""

import gzip
import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.web.body import unpacked
from gatewatch.web.held import Held
from gatewatch.web.refusals import Refused

GZIP, ZLIB = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS


def none(size: int) -> None:
    assert size <= 16_000_000


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=5000), st.integers(1, 3))
def test_what_was_packed_comes_out(data: bytes, members: int) -> None:
    assert unpacked(b"".join([gzip.compress(data)] * members), GZIP, 20_000, none) == data * members
    assert unpacked(zlib.compress(data), ZLIB, 20_000, none) == data
    assert unpacked(raw(data), ZLIB, 20_000, none) == data


@given(st.binary(max_size=300), st.data())
def test_damage_is_refused_or_does_not_matter(data: bytes, more: st.DataObject) -> None:
    packed = gzip.compress(data)
    cut = more.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(Refused) as refused:
        unpacked(packed[:cut], GZIP, 1000, none)
    assert refused.value.status == 400
    place, value = more.draw(st.integers(0, len(packed) - 1)), more.draw(st.integers(0, 255))
    try:
        found = unpacked(packed[:place] + bytes([value]) + packed[place + 1 :], GZIP, 1000, none)
    except Refused as error:
        assert error.status in (400, 413)
    else:
        assert found == data


def test_a_bomb_is_unpacked_no_further_than_the_limit() -> None:
    bomb = gzip.compress(bytes(200_000_000), 9)
    assert len(bomb) < 250_000
    held = 0

    def take(size: int) -> None:
        nonlocal held
        held += size

    with pytest.raises(Refused) as refused:
        unpacked(bomb, GZIP, 16_000_000, take)
    assert refused.value.status == 413 and held == 0  # it is not even begun


def test_the_same_long_text_in_every_span_is_no_bomb() -> None:
    chance = random.Random(1)
    prompt = "".join(chance.choices("abcdefghijklmnop ", k=20_000)).encode()
    data = b"".join(prompt + chance.randbytes(40) for _ in range(500))
    packed = gzip.compress(data, 9)
    assert len(data) > 50 * len(packed)
    assert unpacked(packed, GZIP, 16_000_000, none) == data


def test_many_pieces_are_refused_before_they_take_long() -> None:
    with pytest.raises(Refused, match="in more than 64 pieces"):
        unpacked(gzip.compress(b"") * 500_000, GZIP, 16_000_000, none)


def test_room_is_taken_and_given_back() -> None:
    held = Held(10)
    held.take(10)
    with pytest.raises(Refused) as refused:
        held.take(1)
    assert (refused.value.status, refused.value.headers, held.now) == (503, {"retry-after": "2"}, 10)
    held.give(10)
    assert held.now == 0
