"""Redis' figures as readings: what it does not say is unknown, rates are of one run, and loading is neither."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.drivers.redis import Seen
from healer.drivers.redis_info import read_info
from healer.drivers.redis_wire import RedisError
from healer.errors import SensorError
from healer.model.kinds.redis import KIND
from healer.model.observation import Observation
from healer.model.target import Target
from healer.sensors.redis import RedisSensor
from healer.sensors.sane import clean
from healer.testing import FakeClock

RUN = "ab" * 20
USUAL = {
    "redis_version": "7.0.15", "run_id": RUN, "uptime_in_seconds": 60, "loading": 0, "used_memory": 50,
    "maxmemory": 100, "maxmemory_policy": "noeviction", "mem_fragmentation_ratio": "1.20", "connected_clients": 5,
    "maxclients": 10,
    "blocked_clients": 0, "evicted_keys": 0, "expired_keys": 0, "rejected_connections": 0,
    "total_commands_processed": 100, "keyspace_hits": 0, "keyspace_misses": 0, "role": "master", "connected_slaves": 0,
    "master_repl_offset": 0, "rdb_last_bgsave_status": "ok", "rdb_last_save_time": 900,
    "server_time_usec": 1000_000_000, "rdb_changes_since_last_save": 3, "aof_enabled": 0,
}  # fmt: skip
REPLICA = {
    "role": "slave", "master_link_status": "up", "master_sync_in_progress": 0, "master_last_io_seconds_ago": 2,
    "slave_read_repl_offset": 90, "slave_repl_offset": 70,
}  # fmt: skip


class Says:
    """A driver that says what it is told to, one after the other."""

    def __init__(self, *said):
        self.said = list(said)

    async def look(self):
        said = self.said.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


def seen(code="", without=(), **changed):
    lines = {name: value for name, value in {**USUAL, **changed}.items() if name not in without}
    text = "\r\n".join(f"{name}:{value}" for name, value in lines.items())
    return Seen(latency=0.01, refusal=f"{code} no" if code else "", code=code, info=read_info(text.encode()))


def sensor(*said):
    return RedisSensor(Target(kind="redis", name="x", organ="stomach"), Says(*said), FakeClock())


async def look(one, now=10.0):
    """Value, or None where it is unknown, by metric and its further label."""
    found = {}
    for reading in await one.look(now):
        label = "".join(f"@{value}" for name, value in reading.labels if name != "target")
        found[reading.metric.removeprefix("redis.") + label] = getattr(reading, "value", None)
    return found


async def test_a_server_that_answers_tells_all_of_it():
    found = await look(sensor(seen()))
    assert (found["up"], found["message"], found["generation"], found["role"]) == (1, "", RUN, "master")
    assert (found["memory_use"], found["client_use"], found["policy"]) == (0.5, 0.5, "noeviction")
    assert (found["save_ok"], found["save_age"], found["unsaved"]) == (1, 100, 3)
    assert found["fragmentation"] == 1.2
    plain = {metric.name.removeprefix("redis.") for metric in KIND.metrics if metric.labels == ("target",)}
    assert set(found) == plain | {"keys@0"}


async def test_a_server_that_is_down_is_a_fact_and_the_rest_unknown():
    found = await look(sensor(RedisError("refused", fact=True)))
    assert (found.pop("up"), found.pop("message"), found.pop("generation")) == (0, "refused", "")
    assert set(found.values()) == {None}


async def test_that_we_could_not_look_is_no_fact():
    with pytest.raises(SensorError, match="NOAUTH"):
        await look(sensor(RedisError("NOAUTH", hint="h")))


@pytest.mark.parametrize("said", [seen(code="LOADING", loading=1), seen(loading=1)])
async def test_one_that_loads_is_neither_up_nor_down(said):
    found = await look(sensor(said))
    assert (found["up"], found["loading"]) == (None, 1)


async def test_one_that_refuses_writes_is_up_and_says_so():
    found = await look(sensor(seen(code="MISCONF", rdb_last_bgsave_status="err")))
    assert (found["up"], found["message"], found["save_ok"]) == (1, "MISCONF no", 0)


async def test_rates_need_two_looks_of_one_run():
    one = sensor(
        seen(evicted_keys=10), seen(evicted_keys=30), seen(evicted_keys=5), seen(run_id="cd" * 20, evicted_keys=900),
        seen(run_id="cd" * 20, evicted_keys=910),
    )  # fmt: skip
    assert [(await look(one, now))["evicted_rate"] for now in (10.0, 20.0, 30.0, 40.0, 50.0)] == [
        None,
        2,
        None,
        None,
        1,
    ]


async def test_hits_are_of_the_reads_since_the_last_look():
    one = sensor(
        seen(keyspace_hits=100), seen(keyspace_hits=103, keyspace_misses=1), seen(keyspace_hits=103, keyspace_misses=1),
        seen(keyspace_hits=0),
    )  # fmt: skip
    assert [(await look(one, now))["hits"] for now in (10.0, 20.0, 30.0, 40.0)] == [None, 0.75, None, None]


async def test_without_a_limit_there_is_no_share_of_it():
    found = await look(sensor(seen(maxmemory=0)))
    assert (found["memory"], found["memory_limit"], found["memory_use"]) == (50, None, None)


async def test_more_than_the_limit_is_more_than_one():
    assert (await look(sensor(seen(used_memory=150))))["memory_use"] == 1.5


@pytest.mark.parametrize("text", ["nan", "-5", "many", "1e400", "9" * 25])
async def test_garbage_is_unknown_and_counted(text):
    one = sensor(seen(used_memory=text, connected_clients=text, uptime_in_seconds=text))
    found = await look(one)
    assert (found["memory"], found["memory_use"], found["clients"], found["uptime"]) == (None, None, None, None)
    assert one.garbage > 0
    assert found["up"] == 1


@pytest.mark.parametrize("name", sorted(set(USUAL) - {"run_id", "redis_version"}))
async def test_a_line_that_is_missing_takes_nothing_else_with_it(name):
    found = await look(sensor(seen(without=(name,))))
    assert found["up"] == 1
    assert found["generation"] == RUN


async def test_a_replica_tells_of_its_master_and_a_master_does_not():
    found = await look(sensor(seen(**REPLICA)))
    assert (found["role"], found["link_up"], found["lag"], found["lag_bytes"]) == ("replica", 1, 2, 20)
    found = await look(sensor(seen(**{**REPLICA, "master_link_status": "down"}, master_link_down_since_seconds=40)))
    assert (found["link_up"], found["lag"]) == (0, 40)
    found = await look(sensor(seen(**{**REPLICA, "master_link_status": "down"}, master_link_down_since_seconds=-1)))
    assert found["lag"] is None
    assert (await look(sensor(seen())))["link_up"] is None


async def test_a_master_tells_of_each_replica_and_of_no_more_than_some():
    many = {f"slave{number}": f"ip=10.0.0.{number},port=1,state=online,offset=40,lag=1" for number in range(100)}
    many["slave0"] = "ip=10.0.0.0,port=1,state=wait_bgsave,offset=0,lag=0"
    found = await look(sensor(seen(master_repl_offset=100, connected_slaves=100, **many)))
    assert (found["replica_online@10.0.0.1:1"], found["replica_lag_bytes@10.0.0.1:1"]) == (1, 60)
    assert (found["replica_online@10.0.0.0:1"], found["replica_lag_bytes@10.0.0.0:1"]) == (0, None)
    assert sum(name.startswith("replica_online") for name in found) == 32


async def test_an_append_only_file_that_is_not_kept_is_neither_well_nor_ill():
    found = await look(sensor(seen()))
    assert (found["aof"], found["aof_ok"]) == (0, None)
    kept = {"aof_enabled": 1, "aof_last_write_status": "ok", "aof_last_bgrewrite_status": "err"}
    assert (await look(sensor(seen(**kept))))["aof_ok"] == 0


async def test_keys_are_told_by_database_also_once_they_are_gone():
    one = sensor(seen(), seen(db0="keys=7,expires=0,avg_ttl=0", db3="keys=1,expires=0,avg_ttl=0"), seen(db1="keys=1"))
    found = await look(one)
    assert (found["keys@0"], "keys@3" in found) == (0, False)
    found = await look(one)
    assert (found["keys@0"], found["keys@3"]) == (7, 1)
    found = await look(one)
    assert (found["keys@0"], found["keys@3"], found["keys@1"]) == (0, 0, 1)


async def test_no_more_databases_are_told_than_some():
    found = await look(sensor(seen(**{f"db{number}": "keys=1" for number in range(500)})))
    assert sum(name.startswith("keys@") for name in found) == 64


WORDS = st.one_of(
    st.sampled_from(["", "0", "1", "-1", "ok", "up", "slave", "master", "nan", "1e9", "9" * 18, "a=1,b=2", "keys=-1"]),
    st.text(max_size=12).filter(lambda text: "\n" not in text),
)


@given(st.dictionaries(st.sampled_from(sorted({*USUAL, *REPLICA, "slave0", "db0", "db1"} - {"run_id"})), WORDS))
@settings(max_examples=80, deadline=None)
def test_whatever_info_says_a_reading_is_sane_or_unknown(lines):
    readings = asyncio.run(sensor(seen(**lines)).look(10.0))
    for reading in readings:
        if isinstance(reading, Observation):
            assert clean(reading.metric, reading.value) is not None or isinstance(reading.value, str)
    assert len({reading.series for reading in readings}) == len(readings)
