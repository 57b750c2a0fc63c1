"""Where a Redis server is, as its target's keys say it; what a driver does on the wire is tried in test_redis."""

import asyncio

import pytest

from healer.drivers.redis_wire import MOST, Place, RedisError, Trust, garbage, told
from healer.model.target import Target
from healer.yamldoc.secret import Secret


def target(**spec):
    return Target(kind="redis", name="x", organ="stomach", spec=spec)


def test_the_keys_of_a_target_make_a_place():
    assert Place.of(target()) == Place()
    secret = Secret(credential="redis")
    place = Place.of(target(host="h", port=7, db=2, username="u", password=secret, tls={"ca": "/ca", "cert": None}))
    assert place == Place(host="h", port=7, db=2, username="u", password=secret, tls=Trust(ca="/ca"))
    assert Place.of(target(tls={})).tls == Trust()


def test_a_place_is_told_without_its_secrets():
    assert str(Place(host="h", username="u", password=Secret(credential="redis"))) == "h:6379"
    assert str(Place(socket="/run/redis.sock")) == "/run/redis.sock"


@pytest.mark.parametrize(
    ("exc", "fact", "lost"),
    [
        (ConnectionRefusedError(111, "refused"), True, True),
        (OSError(101, "unreachable"), False, True),
        (PermissionError(13, "denied"), False, True),
        (TimeoutError(), True, False),
        (RecursionError(), True, False),
        (ValueError("x" * 10_000), True, False),
    ],
)
def test_whose_fault_it_is(exc, fact, lost):
    error = told(exc, Place(host="h"))
    assert (error.fact, error.lost) == (fact, lost)
    assert len(error.message) <= 200


def test_what_was_told_once_is_not_told_anew():
    error = RedisError("x", code="NOAUTH")
    assert told(error, Place()) is error
    assert garbage(Place()).fact


async def test_replies_are_bounded_in_sum_too():
    from healer.drivers.redis_wire import _Bounded

    reader = _Bounded()
    reader.feed_data(b"x" * 100)
    reader.taken = MOST - 50
    assert await reader.readexactly(50) == b"x" * 50
    with pytest.raises(ValueError, match="longer than"):
        await reader.readexactly(1)
    assert isinstance(reader, asyncio.StreamReader)
