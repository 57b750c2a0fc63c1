import pytest
from doubles import postgres as double

from healer.clock import SystemClock
from healer.drivers.interface import DriverError
from healer.drivers.link import LinkState
from healer.drivers.postgres import Postgres, identify
from healer.drivers.postgres_session import PostgresError
from healer.model.target import Target

WHO = ("15.4", True, 1700000000.5, 60.0, True)


def answers(text):
    if "current_setting" in text:
        return double.rows(WHO)
    return double.rows(("7710",)) if "pg_control_system" in text else double.rows((1,))


def driver(liar, **more):
    spec = {"host": str(liar.folder), "user": "healer", "timeout": 0.5}
    return Postgres(Target(kind="postgres", name="main", organ="stomach", spec=spec), SystemClock(), **more)


async def test_nothing_is_connected_before_it_is_asked_and_one_session_serves_all():
    async with double.Liar(answer=answers) as liar:
        one = driver(liar)
        assert one.status().state is LinkState.IDLE
        assert await one.session() is await one.session()
        await one.select("SELECT 1", most=1)
        assert liar.sessions == 1
        assert one.status().state is LinkState.CONNECTED
        assert one.status().version == "15.4"
        await one.close()
        assert one.status().state is LinkState.CLOSED


async def test_a_session_that_ended_unseen_is_made_anew_and_counted():
    ended = []

    def once(text):
        if "DECLARE" in text and not ended:
            ended.append(text)
            return b""
        return answers(text)

    async with double.Liar(answer=once) as liar:
        one = driver(liar)
        assert await one.select("SELECT 1", most=1) == [(1,)]
        assert one.status().reconnects == 1
        await one.close()


async def test_a_session_that_always_ends_is_the_servers_fault():
    async with double.Liar(answer=lambda _: b"") as liar:
        one = driver(liar)
        with pytest.raises(PostgresError) as caught:
            await one.select("SELECT 1", most=1)
        assert caught.value.fact
        assert liar.sessions == 2
        await one.close()


async def test_health_is_the_door_and_not_the_session():
    async with double.Liar(hello=b"no") as liar:
        with pytest.raises(DriverError, match="not PostgreSQL"):
            await driver(liar).health()


async def test_who_it_is_tells_starts_and_servers_apart_even_where_its_identifier_is_hidden():
    async with double.Liar(answer=answers) as liar:
        one = driver(liar)
        found = await identify(await one.session(), timeout=0.5)
        assert (found.generation, found.in_recovery, found.version) == ("7710.1700000000.500000", True, "15.4")
        await one.close()

    def hidden(text):
        return double.error("42501", "no", severity="ERROR") if "pg_control_system" in text else answers(text)

    async with double.Liar(answer=hidden) as liar:
        one = driver(liar)
        assert (await identify(await one.session(), timeout=0.5)).generation == ".1700000000.500000"
        await one.close()


async def test_hands_have_a_session_of_their_own_and_leave_another_incarnation_alone():
    async with double.Liar(answer=answers) as liar:
        one = driver(liar)
        await one.session()
        assert await one.change([("UPDATE", None)], at_most=1, timeout=1.0, generation="7710.1700000000.500000") == 0
        assert liar.sessions == 2
        with pytest.raises(PostgresError, match="another incarnation") as caught:
            await one.change([("UPDATE", None)], at_most=1, timeout=1.0, generation="7710.1")
        assert not caught.value.again
        assert liar.asked.count("UPDATE") == 1
        await one.close()
