import asyncio

import pytest
from doubles import postgres as double
from hypothesis import given
from hypothesis import strategies as st

from healer.clock import SystemClock
from healer.drivers.postgres import Postgres
from healer.errors import SensorError
from healer.model.kinds.postgres import KIND
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.postgres import PostgresSensor
from healer.sensors.postgres_pieces import PIECES
from healer.sensors.sane import Sieve

WELL = {
    "current_setting('server_version')": [("15.4", False, 1700000000.0, 60.0, True)],
    "pg_control_system": [("7710",)],
    "GROUP BY state": [("idle-in-transaction", 2, 2, 90.0, None, 80.0, 10), ("active", 1, 2, 5.0, 4.0, None, 10)],
    "NOT granted": [(3, 12.5)],
    "pg_stat_replication": [("second", 1, 4096.0, 1.5)],
    "pg_replication_slots": [("kept", False, 1024.0)],
    "xact_commit": [(100.0, 1.0, 2.0, 4096.0, 90.0, 10.0)],
    "pg_database_size": [(1e9,)],
    "datfrozenxid": [(2.0**30, 5.0)],
    "n_dead_tup": [("public.jobs", 0.25)],
    "pg_stat_bgwriter": [(5.0, 1.0)],
    "pg_stat_archiver": [(True, 3.0)],
    "pg_stat_wal_receiver": [(True, 100.0, 30.0)],
}


def answering(known):
    def answer(text):
        for part, found in known.items():
            if part in text:
                return found if isinstance(found, bytes) or found is None else double.rows(*found)
        return double.rows()

    return answer


def sensor(liar, clock=None, timeout=0.5):
    spec = {"host": str(liar.folder), "user": "healer", "timeout": timeout}
    target = Target(kind="postgres", name="main", organ="stomach", spec=spec)
    return PostgresSensor(target, Postgres(target, clock or SystemClock()), clock or SystemClock())


async def look(one, at=None):
    """By metric and its further label: the value, or why there is none."""
    seen = {}
    for reading in await one.look(SystemClock().now() if at is None else at):
        further = [value for key, value in reading.labels if key != "target"]
        said = f"?{reading.because}" if isinstance(reading, Unknown) else reading.value
        seen["/".join([reading.metric.removeprefix("postgres."), *further])] = said
    return seen


async def seen_of(known, **more):
    async with double.Liar(answer=answering(WELL | known), **more) as liar:
        one = sensor(liar)
        seen = await look(one)
        await one._driver.close()
        return seen


async def test_what_the_server_says_is_told():
    seen = await seen_of({})
    assert seen["up"] == 1
    assert seen["generation"] == "7710.1700000000.000000"
    assert seen["connections/idle-in-transaction"] == 2
    assert seen["connections/idle"] == 0
    assert seen["connections_used"] == 0.4
    assert seen["longest_transaction"] == 90
    assert seen["longest_idle_in_transaction"] == 80
    assert seen["longest_query"] == 4
    assert (seen["blocked"], seen["longest_wait"]) == (3, 12.5)
    assert (seen["standbys"], seen["standby_lag_bytes/second"], seen["standby_lag_seconds/second"]) == (1, 4096, 1.5)
    assert (seen["slot_bytes/kept"], seen["slot_active/kept"]) == (1024, 0)
    assert seen["wraparound"] == 0.5
    assert seen["dead_ratio/public.jobs"] == 0.25
    assert seen["archive_failing"] == 1
    assert "lag_bytes" not in seen


async def test_rates_need_two_looks_and_counters_that_go_back_are_unknown():
    counters = [100.0, 1.0, 2.0, 4096.0, 90.0, 10.0]
    known = dict(WELL)
    async with double.Liar(answer=answering(known)) as liar:
        one = sensor(liar)
        seen = {}
        for at, grown in ((0.0, 0.0), (10.0, 50.0), (20.0, -500.0)):
            known["xact_commit"] = [tuple(value + grown for value in counters)]
            now = SystemClock().now() + at
            seen[at] = await look(one, now)
        await one._driver.close()
    assert seen[0.0]["commits_rate"].startswith("?a rate needs two looks")
    assert seen[10.0]["commits_rate"] == pytest.approx(5.0, rel=0.1)
    assert seen[10.0]["cache_hit"] == 0.5
    assert "reset" in seen[20.0]["deadlocks_rate"]
    assert "reset" in seen[20.0]["cache_hit"]


async def test_what_is_dear_is_asked_once_a_minute():
    async with double.Liar(answer=answering(WELL)) as liar:
        one = sensor(liar)
        start = SystemClock().now()
        for at in (0.0, 10.0, 61.0):
            await look(one, start + at)
        await one._driver.close()
    assert sum("pg_database_size" in text for text in liar.asked) == 2
    assert sum("NOT granted" in text for text in liar.asked) == 3


@pytest.mark.parametrize(
    ("receiver", "seconds"),
    [((True, 0.0, 900.0), 0.0), ((True, 10.0, 30.0), 30.0), ((False, 0.0, 30.0), None), ((True, None, 30.0), 30.0)],
)
async def test_late_is_what_has_not_been_replayed_and_not_what_is_old(receiver, seconds):
    who = [("15.4", True, 1700000000.0, 60.0, True)]
    seen = await seen_of({"current_setting('server_version')": who, "pg_stat_wal_receiver": [receiver]})
    assert seen["receiving"] == receiver[0]
    if seconds is None:
        assert "nobody can tell" in seen["lag_seconds"]
        assert "nobody can tell" in seen["lag_bytes"]
    else:
        assert seen["lag_seconds"] == seconds
    assert "dead_ratio/public.jobs" not in seen


async def test_without_the_grant_only_what_it_hides_is_unknown():
    who = [("15.4", False, 1700000000.0, 60.0, False)]
    seen = await seen_of({"current_setting('server_version')": who})
    assert seen["longest_transaction"] == "?not shown to our role: GRANT pg_monitor TO healer"
    assert seen["blocked"] == 3


async def test_one_piece_that_is_refused_costs_itself_only():
    refused = double.error("42501", "permission denied for view pg_locks", severity="ERROR")
    seen = await seen_of({"NOT granted": refused})
    assert seen["blocked"] == "?permission denied for view pg_locks: GRANT pg_monitor TO healer"
    assert seen["up"] == 1
    assert seen["size"] == 1e9


async def test_one_piece_that_hangs_leaves_the_server_up_and_the_rest_unknown():
    seen = await seen_of({"NOT granted": None})
    assert seen["up"] == 1
    assert "did not answer" in seen["blocked"]
    assert "before it was asked" in seen["standbys"]


@pytest.mark.parametrize("rows", [[("idle",)], [], [(None, None)], [("x", "y")]])
async def test_a_piece_of_another_shape_is_unknown_and_no_crash(rows):
    seen = await seen_of({"NOT granted": rows, "datfrozenxid": rows, "pg_stat_archiver": rows})
    assert seen["up"] == 1
    assert seen["blocked"].startswith("?")
    assert seen["wraparound"].startswith("?")
    assert seen["size"] == 1e9


NUMBERS = (st.integers(), st.just(10**400), st.floats(), st.decimals())
CELLS = st.one_of(st.none(), st.booleans(), *NUMBERS, st.text(max_size=5), st.binary(max_size=5))


@given(st.sampled_from(PIECES), st.lists(st.lists(CELLS, max_size=8).map(tuple), max_size=3))
def test_whatever_a_piece_answers_is_readings_and_no_crash(piece, rows):
    class Session:
        alive = True

        async def ask(self, *_, **__):
            return rows

    target = Target(kind="postgres", name="main", organ="stomach", spec={"host": "/nonexistent", "user": "healer"})
    one = PostgresSensor(target, Postgres(target, SystemClock()), SystemClock())
    sieve = Sieve(SystemClock().now(), one.marks)
    asyncio.run(one._tell_piece(sieve, Session(), piece, sieve.at + 60, monitor=True))
    known = {metric.name: set(metric.labels) for metric in KIND.metrics}
    for reading in sieve.readings:
        assert {key for key, _ in reading.labels} == known[reading.metric]


async def test_names_that_anybody_may_choose_are_made_visible():
    seen = await seen_of({"n_dead_tup": [("public.a\nb\x1b[31m", 0.5)], "pg_stat_replication": [("", 1, 1.0, 1.0)]})
    assert seen["dead_ratio/public.a?b?[31m"] == 0.5
    assert "standby_lag_bytes/unnamed" in seen


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"hello": b"SSH-2.0-OpenSSH_9.2\r\n"}, "not PostgreSQL"),
        ({"hello": None}, "did not answer"),
        ({"hello": b""}, "without a word"),
        ({"startup": double.error("57P03", "the database system is starting up")}, "starting up"),
        ({"startup": double.error("53300", "sorry, too many clients already")}, "too many clients"),
        ({"startup": double.MUTE}, "within"),
        ({"answer": lambda _: b""}, "ended the session"),
        ({"answer": lambda _: None}, "did not answer"),
        ({"answer": lambda _: b"SSH-2.0-OpenSSH_9.2\r\n"}, "ended the session|did not answer"),
    ],
)
async def test_what_the_server_does_wrong_is_a_fact(lie, said):
    import re

    async with double.Liar(**lie) as liar:
        one = sensor(liar, timeout=0.2)
        seen = await look(one)
        await one._driver.close()
    assert seen["up"] == 0
    assert re.search(said, seen["message"]), seen["message"]
    assert seen["generation"] == ""
    assert seen["blocked"].startswith("?")


async def test_a_session_that_ended_unseen_is_made_anew_within_the_look():
    ended = []

    def once(text):
        if "server_version" in text and liar.asked.count(text) == 2 and not ended:
            ended.append(text)
            return b""
        return answering(WELL)(text)

    async with double.Liar(answer=once) as liar:
        one = sensor(liar)
        first, second = await look(one), await look(one)
        await one._driver.close()
    assert ended
    assert liar.sessions == 2
    assert first["up"] == second["up"] == 1


@pytest.mark.parametrize("sqlstate", ["28P01", "28000", "3D000", "42501"])
async def test_what_we_do_wrong_makes_all_unknown(sqlstate):
    async with double.Liar(startup=double.error(sqlstate, "no entry for you")) as liar:
        with pytest.raises(SensorError, match="no entry for you"):
            await look(sensor(liar))


async def test_a_server_that_reappears_as_another_has_another_generation():
    seen = [
        (await seen_of({"current_setting('server_version')": [("15.4", False, started, 1.0, True)]}))["generation"]
        for started in (1700000000.0, 1700000000.000001)
    ]
    assert seen[0] != seen[1]
