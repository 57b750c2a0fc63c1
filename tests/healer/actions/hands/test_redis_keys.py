"""Keys are thrown away within what was declared and within the budget, however odd the server's replies."""

import asyncio

import pytest
from doubles import redis as double
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from healer.actions.hands import redis as module
from healer.actions.hands.catalog import Services
from healer.actions.hands.redis_keys import _pattern
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, AmbiguousError
from healer.model.target import Target


class Keys(double.Server):
    """A server with keys and their sizes."""

    def __init__(self, **keys):
        super().__init__()
        self.keys = dict(keys)
        self.odd = []
        self.breaks_after = None
        for word in (b"SCAN", b"MEMORY", b"UNLINK", b"DBSIZE", b"FLUSHDB"):
            self.says[word] = self.answer

    async def answer(self, writer):
        words = self.asked[-1]
        name = words[-1].decode()
        if words[0] == b"SCAN":
            found = [key.encode() for key in (*self.keys, *self.odd)]
            listed = b"*%d\r\n" % len(found) + b"".join(b"$%d\r\n%s\r\n" % (len(key), key) for key in found)
            writer.write(b"*2\r\n$1\r\n0\r\n" + listed)
        elif words[0] == b"MEMORY":
            writer.write(b":%d\r\n" % self.keys[name] if name in self.keys else b"$-1\r\n")
        elif words[0] == b"UNLINK":
            if self.breaks_after == 0:
                writer.transport.abort()
                return
            self.breaks_after = None if self.breaks_after is None else self.breaks_after - 1
            writer.write(b":%d\r\n" % (self.keys.pop(name, None) is not None))
        elif words[0] == b"DBSIZE":
            writer.write(b":%d\r\n" % len(self.keys))
        else:
            self.keys.clear()
            writer.write(b"+OK\r\n")


async def clear(server, *, spec=None, generation=double.RUN, **params):
    await server.open()
    drivers = Drivers(SystemClock())
    try:
        hand = module.hands(Services(drivers=drivers, programs=None, clock=drivers.clock))["clear_cache"]
        keys = {"port": server.port, "timeout": 0.5, "caches": ("page:",)} | (spec or {})
        target = Target(kind="redis", name="x", organ="stomach", spec=keys)
        order = Order(intent="aa", target=target, params=params, timeout=5.0, generation=generation)
        assert "throw away" in hand.would(order)
        return await hand.act(order)
    finally:
        await drivers.close()
        server.close()
        await asyncio.sleep(0)


def pages(count, size=10):
    return {f"page:{number}": size for number in range(count)}


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ({}, 0), ({"most": 3}, 7), ({"most": 0}, 10), ({"most_bytes": 35}, 7), ({"most_bytes": 9}, 10),
        ({"prefix": "page:1"}, 9),
    ],
)  # fmt: skip
async def test_no_more_goes_than_may(params, left):
    server = Keys(**pages(10))
    done = await clear(server, **params)
    assert len(server.keys) == left
    assert (done.facts["keys"], done.facts["bytes"]) == (10 - left, 10 * (10 - left))


async def test_a_key_that_does_not_fit_stays_and_a_smaller_one_goes():
    server = Keys(**{"page:big": 100, "page:small": 5})
    await clear(server, most_bytes=50)
    assert set(server.keys) == {"page:big"}


@given(
    keys=st.dictionaries(st.sampled_from([f"page:{number}" for number in range(30)]), st.integers(0, 1000)),
    most=st.integers(0, 40), octets=st.integers(0, 5000),
)  # fmt: skip
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_budget_holds_whatever_the_sizes(keys, most, octets):
    server = Keys(**keys)
    done = asyncio.run(clear(server, most=most, most_bytes=octets))
    gone = keys.keys() - server.keys.keys()
    assert len(gone) == done.facts["keys"] <= most
    assert sum(keys[key] for key in gone) == done.facts["bytes"] <= octets


async def test_keys_that_begin_otherwise_are_left_alone_even_if_the_server_names_them():
    server = Keys(**{"session:1": 5, "page:1": 5})
    await clear(server)
    assert set(server.keys) == {"session:1"}


async def test_a_key_that_went_by_itself_is_not_counted():
    server = Keys(**pages(2))
    server.odd = ["page:gone"]
    assert (await clear(server)).facts["keys"] == 2


@pytest.mark.parametrize(
    ("spec", "params", "because"),
    [
        ({"caches": ()}, {}, "which beginning"), ({"caches": ("page:", "frag:")}, {}, "which beginning"),
        ({}, {"prefix": "session:"}, "not declared"), ({}, {"prefix": "pag"}, "not declared"),
        ({}, {"prefix": ""}, "beginning"), ({}, {"flush": "db"}, "not declared disposable"),
        ({"disposable": True}, {"flush": "db", "prefix": "page:"}, "either"),
    ],
)  # fmt: skip
async def test_what_was_not_declared_is_refused_without_a_word_to_the_server(spec, params, because):
    server = Keys(**pages(3))
    with pytest.raises(ActionError, match=because):
        await clear(server, spec=spec, **params)
    assert server.asked == []


async def test_a_replica_has_no_keys_of_its_own():
    server = Keys(**pages(3))
    server.says[b"INFO"] = double.info().replace(b"role:master", b"role:slave\r")
    with pytest.raises(ActionError, match="its master's"):
        await clear(server)


async def test_what_was_thrown_away_before_the_connection_broke_is_told():
    server = Keys(**pages(600))
    server.breaks_after = 550
    with pytest.raises(AmbiguousError, match="500 keys thrown away"):
        await clear(server)


async def test_a_scan_that_is_none_is_no_effect():
    server = Keys(**pages(3))
    server.says[b"SCAN"] = b"+OK\r\n"
    with pytest.raises(ActionError, match="SCAN"):
        await clear(server)
    assert len(server.keys) == 3


async def test_a_disposable_database_goes_whole():
    server = Keys(**pages(3), other=5)
    done = await clear(server, spec={"disposable": True}, flush="db")
    assert done.facts == {"keys": 4, "left": 0}


async def test_a_flush_that_did_nothing_is_not_done():
    server = Keys(**pages(3))
    server.says[b"FLUSHDB"] = b"+OK\r\n"
    with pytest.raises(ActionError, match="3 keys and has 3"):
        await clear(server, spec={"disposable": True}, flush="db")


@given(st.text("ab*?[]^\\-!", min_size=1, max_size=8))
def test_signs_of_a_pattern_are_letters(prefix):
    pattern, at = _pattern(prefix), 0
    for char in prefix:
        at += pattern[at] == "\\"
        assert pattern[at] == char
        assert pattern[at - 1 : at] == "\\" or char not in "*?[]\\"
        at += 1
    assert pattern[at:] == "*"
