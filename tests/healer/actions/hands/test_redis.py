"""Hands on a Redis that misbehaves: what is not sure to have happened is never said to have, nor to have not."""

import asyncio

import pytest
from doubles import redis as double

from healer.actions.hands import redis as module
from healer.actions.hands.catalog import Services
from healer.actions.interface import Order
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError, AmbiguousError
from healer.model.systems import VERBS
from healer.model.target import Target

RUN, info = double.RUN, double.info
REPLICA = (
    "master_host:127.0.0.1\r\nmaster_port:1\r\nmaster_link_status:down\r\nmaster_link_down_since_seconds:9\r\n"
    "master_sync_in_progress:0\r\nslave_read_repl_offset:90\r\nslave_repl_offset:90\r\n"
)
ROOM = "total_system_memory:1000000000\r\nused_memory:50000000\r\n"


def as_replica(more=REPLICA):
    text = f"redis_version:7.0.15\r\nrun_id:{RUN}\r\nloading:0\r\nrole:slave\r\n{more}".encode()
    return b"$%d\r\n%s\r\n" % (len(text), text)


def array(*items):
    return b"*%d\r\n" % len(items) + b"".join(b"$%d\r\n%s\r\n" % (len(item), item) for item in items)


async def hang_up(writer):
    writer.transport.abort()


@pytest.fixture
async def server():
    made = double.Server()
    await made.open()
    yield made
    made.close()
    await asyncio.sleep(0)


@pytest.fixture
async def do(server):
    drivers = Drivers(SystemClock())
    hands = module.hands(Services(drivers=drivers, programs=None, clock=drivers.clock))

    async def one(verb, *, generation=RUN, spec=None, **params):
        defaults = {
            name: param.default
            for name, param in VERBS[verb].params.items()
            if param.default is not None and (not param.kinds or "redis" in param.kinds)
        }
        target = Target(
            kind="redis", name="x", organ="stomach", spec={"port": server.port, "timeout": 1.0} | (spec or {})
        )
        order = Order(intent="aa", target=target, params=defaults | params, timeout=5.0, generation=generation)
        assert hands[verb].would(order)
        return await hands[verb].act(order)

    yield one
    await drivers.close()


async def test_another_run_or_one_that_loads_is_left_alone(server, do):
    with pytest.raises(ActionError, match="another incarnation"):
        await do("failover", generation="cd" * 20)
    server.says[b"INFO"] = info(more="").replace(b"loading:0", b"loading:1")
    with pytest.raises(ActionError, match="loads"):
        await do("failover")
    server.close()
    with pytest.raises(ActionError) as caught:
        await do("failover")
    assert caught.value.transient
    assert {words[0] for words in server.asked} <= {b"PING", b"INFO"}


# ------------------------------------------------------------------------------------------------ failover


@pytest.mark.parametrize(
    ("more", "because"),
    [
        (REPLICA.replace("status:down", "status:up"), "that one lives"),
        (REPLICA.replace("progress:0", "progress:1"), "half of it"),
        (
            REPLICA.replace("slave_repl_offset:90", "slave_repl_offset:1").replace("seconds:9", "seconds:-1"),
            "never had",
        ),
        (REPLICA.replace("read_repl_offset:90", "read_repl_offset:99000000"), "yet to apply"),
        (REPLICA.replace("host:127.0.0.1", "host:no-such-host.invalid"), "nobody can tell"),
    ],
)
async def test_a_replica_that_must_not_be_a_master_is_not_made_one(server, do, more, because):
    server.says[b"INFO"] = as_replica(more)
    with pytest.raises(ActionError, match=because):
        await do("failover")
    assert [b"REPLICAOF", b"NO", b"ONE"] not in server.asked


async def promote(server, writer):
    server.says[b"INFO"] = info()
    writer.write(b"+OK\r\n")


async def test_a_promotion_is_read_back(server, do):
    server.says[b"INFO"] = as_replica()
    server.says[b"REPLICAOF"] = lambda writer: promote(server, writer)
    done = await do("failover")
    assert (done.generation, done.facts["down"]) == (RUN, 9)
    assert not done.undo


async def test_an_order_that_was_taken_and_had_no_effect_is_not_done(server, do):
    server.says[b"INFO"] = as_replica()
    server.says[b"REPLICAOF"] = b"+OK\r\n"
    with pytest.raises(ActionError, match="is none") as caught:
        await do("failover")
    assert not isinstance(caught.value, AmbiguousError)


async def test_a_lost_reply_is_settled_by_what_it_says_after(server, do):
    async def lost(writer):
        await promote(server, writer)
        writer.transport.abort()

    server.says[b"INFO"] = as_replica()
    server.says[b"REPLICAOF"] = lost
    assert (await do("failover")).generation == RUN


async def test_a_lost_reply_that_nothing_settles_is_ambiguous(server, do):
    server.says[b"INFO"] = as_replica()
    server.says[b"REPLICAOF"] = hang_up
    with pytest.raises(AmbiguousError, match="reply was lost"):
        await do("failover")


async def test_a_restart_in_the_middle_is_ambiguous(server, do):
    async def restarts(writer):
        server.says[b"INFO"] = info(run="cd" * 20)
        writer.write(b"+OK\r\n")

    server.says[b"INFO"] = as_replica()
    server.says[b"REPLICAOF"] = restarts
    with pytest.raises(AmbiguousError, match="restarted"):
        await do("failover")


async def test_a_missing_right_is_no_passing_trouble(server, do):
    server.says[b"INFO"] = as_replica()
    server.says[b"REPLICAOF"] = b"-NOPERM this user has no permissions to run the 'replicaof' command\r\n"
    with pytest.raises(ActionError, match="NOPERM") as caught:
        await do("failover")
    assert not caught.value.transient


# -------------------------------------------------------------------------------------------------- adjust


def limited(server, *values):
    """Maxmemory as told, one after the other."""
    told = list(values)

    async def config(writer):
        said = server.asked[-1][1]
        writer.write(array(b"maxmemory", told.pop(0)) if said == b"GET" else b"+OK\r\n")

    server.says[b"INFO"] = info(more=ROOM)
    server.says[b"CONFIG"] = config


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        ("+20%", 100_000_000, 120_000_000), ("+400%", 100_000_000, 150_000_000), ("-90%", 100_000_000, 50_000_000),
        ("-90%", 60_000_000, 50_000_000), ("200MB", 0, 200_000_000), ("50%", 0, 500_000_000), ("9GB", 1, 900_000_000),
        ("1B", 100_000_000, 1 << 20), ("+64MiB", 200_000_000, 200_000_000 + (64 << 20)),
    ],
)  # fmt: skip
async def test_memory_is_kept_within_its_bounds(server, do, change, before, after):
    limited(server, b"%d" % before, b"%d" % after)
    done = await do("adjust", memory=change)
    assert [b"CONFIG", b"SET", b"maxmemory", b"%d" % after] in server.asked
    assert done.undo == {"back": {"memory": before, "from": after}}


@pytest.mark.parametrize(("change", "before"), [("-20%", 40_000_000), ("+20%", 950_000_000), ("+0%", 100_000_000)])
async def test_where_there_is_no_room_nothing_is_changed_the_other_way(server, do, change, before):
    limited(server, b"%d" % before)
    done = await do("adjust", memory=change)
    assert "already" in done.because
    assert not done.undo


@pytest.mark.parametrize(
    ("params", "because"),
    [
        ({}, "nothing else"),
        ({"cpu": "+20%"}, "nothing else"),
        ({"memory": "much"}, "no change"),
        ({"memory": "+1%"}, "no maxmemory"),
    ],
)
async def test_a_change_that_means_nothing_is_refused(server, do, params, because):
    limited(server, b"0")
    with pytest.raises(ActionError, match=because) as caught:
        await do("adjust", **params)
    assert not caught.value.transient


async def test_a_limit_that_does_not_stay_is_not_done(server, do):
    limited(server, b"100000000", b"100000000")
    with pytest.raises(ActionError, match="was set to"):
        await do("adjust", memory="+20%")


async def test_a_change_is_put_back_only_where_it_is_still_ours(server, do):
    limited(server, b"120", b"100")
    assert "120 -> 100" in (await do("adjust", back={"memory": 100, "from": 120})).because
    limited(server, b"777")
    assert "777 already" in (await do("adjust", back={"memory": 100, "from": 120})).because


# ----------------------------------------------------------------------------------------------- reconnect

LINES = b"\n".join((
    b"id=1 addr=a:1 idle=900 flags=N name=old user=app cmd=get",
    b"id=2 addr=a:2 idle=5 flags=N name=new user=app cmd=get",
    b"id=3 addr=a:3 idle=900 flags=S name= user=r cmd=replconf",
    b"id=4 addr=a:4 idle=900 flags=P name= user=app cmd=subscribe",
    b"id=5 addr=a:5 idle=900 flags=b name= user=app cmd=blpop",
    b"id=6 addr=a:6 idle=950 flags=N name=a=b user=other cmd=get",
    b"id=7 addr=a:7 idle=999 flags=N name= user=healer cmd=client",
    b"id=x idle=900 flags=N", b"id=8 idle=nan flags=N", b"id=9 idle=900", b"",
))  # fmt: skip


def crowded(server):
    async def client(writer):
        said = server.asked[-1][1]
        writer.write({b"ID": b":7\r\n", b"LIST": b"$%d\r\n%s\r\n" % (len(LINES), LINES)}.get(said, b":1\r\n"))

    server.says[b"CLIENT"] = client


def killed(server):
    return [int(words[3]) for words in server.asked if words[:2] == [b"CLIENT", b"KILL"]]


@pytest.mark.parametrize(
    ("params", "ids"),
    [
        ({}, [6, 1]), ({"at_most": 1}, [6]), ({"at_most": 0}, []), ({"user": "app"}, [1]), ({"client": "o*"}, [1]),
        ({"client": "a=?"}, [6]), ({"older": 0.0}, [6, 1, 2]), ({"older": 1000.0}, []), ({"user": "r"}, []),
    ],
)  # fmt: skip
async def test_those_that_are_idle_go_and_nobody_who_is_so_by_nature(server, do, params, ids):
    crowded(server)
    done = await do("reconnect", **params)
    assert killed(server) == ids
    assert done.facts["connections"] == len(ids)


async def test_what_was_ended_before_the_connection_broke_is_told(server, do):
    crowded(server)
    inner = server.says[b"CLIENT"]

    async def breaks(writer):
        if len(killed(server)) == 2:
            writer.transport.abort()
        else:
            await inner(writer)

    server.says[b"CLIENT"] = breaks
    with pytest.raises(AmbiguousError, match="1 connections ended"):
        await do("reconnect")
