import pytest
from doubles import postgres as double

from healer.clock import SystemClock
from healer.drivers.interface import DriverError
from healer.drivers.pgbouncer import Pooler, pool
from healer.model.target import Target

ROW = {"database": "shop", "user": "app", "cl_active": 3, "cl_waiting": 2, "sv_active": 3, "sv_idle": 1, "sv_used": 1,
       "maxwait": 1, "maxwait_us": 500000}  # fmt: skip


def pooler(liar):
    spec = {"user": "healer", "timeout": 0.3, "pooler": {"host": str(liar.folder), "port": 5432}}
    return Pooler.of(Target(kind="postgres", name="main", organ="stomach", spec=spec), SystemClock())


def table(*found):
    return double.rows(*(tuple(row.values()) for row in found), names=tuple(found[0]) if found else ())


def test_a_row_is_read_by_its_names_whatever_else_stands_in_it():
    found = pool(ROW | {"pool_mode": "session", "sv_login": 1})
    assert (found.name, found.active, found.waiting, found.wait, found.servers) == ("shop/app", 3, 2, 1.5, 5)
    assert pool({key: value for key, value in ROW.items() if key != "maxwait_us"}).wait == 1.0


def test_without_the_key_there_is_none():
    assert Pooler.of(Target(kind="postgres", name="main", organ="stomach"), SystemClock()) is None


async def test_who_waits_comes_first_and_the_consoles_own_pool_is_left_out():
    rows = (ROW | {"cl_waiting": 0, "user": "calm"}, ROW, ROW | {"database": "pgbouncer"})
    async with double.Liar(answer=lambda _: table(*rows), version="1.18.0/bouncer") as liar:
        one = pooler(liar)
        assert [found.name for found in await one.pools()] == ["shop/app", "shop/calm"]
        assert liar.asked == ["SHOW POOLS"]
        await one.close()


@pytest.mark.parametrize("row", [{"database": "shop"}, ROW | {"cl_active": "many"}, ROW | {"maxwait": None}])
async def test_odd_rows_are_the_poolers_own(row):
    async with double.Liar(answer=lambda _: table(row)) as liar:
        one = pooler(liar)
        with pytest.raises(DriverError, match="oddly") as caught:
            await one.pools()
        assert caught.value.fact
        await one.close()


async def test_a_console_that_went_away_and_came_back_is_asked_again_and_one_that_stays_away_is_down():
    ended = []

    def once(_):
        if not ended:
            ended.append(1)
            return b""
        return table(ROW)

    async with double.Liar(answer=once) as liar:
        one = pooler(liar)
        assert len(await one.pools()) == 1
        await one.close()
    with pytest.raises(DriverError) as caught:
        await pooler(liar).pools()
    assert caught.value.fact


async def test_a_user_it_does_not_know_is_our_trouble():
    async with double.Liar(startup=double.error("08P01", "not allowed")) as liar:
        with pytest.raises(DriverError, match="not allowed") as caught:
            await pooler(liar).pools()
    assert not caught.value.fact
