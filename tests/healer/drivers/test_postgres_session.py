import asyncio
import os
import pwd
import time

import pytest
from doubles import postgres as double

from healer.drivers import postgres_session
from healer.drivers.interface import DriverError
from healer.drivers.pgwire import Door
from healer.drivers.postgres_session import Bounds, Place, PostgresError, connect, shown
from healer.drivers.reach import Resolver
from healer.model.target import Target
from healer.yamldoc.secret import Secret

BOUNDS = Bounds(statement=1.0, lock=1.0)


def place(liar, **more):
    return Place(door=Door(host=str(liar.folder)), dbname="postgres", user="healer", **more)


async def opened(liar, **more):
    return await connect(place(liar, **more), Resolver(), BOUNDS, timeout=1.0)


def refuse(sqlstate, text="no"):
    return double.error(sqlstate, text, severity="ERROR")


async def test_rows_come_back_with_their_types():
    async with double.Liar(answer=lambda _: double.rows((1, 2.5, "x", None, True))) as liar:
        session = await opened(liar)
        assert await session.ask("SELECT", timeout=1.0) == [(1, 2.5, "x", None, True)]
        assert session.version == 150004
        await session.close()


@pytest.mark.parametrize("sqlstate", ["28P01", "28000", "3D000"])
async def test_who_is_not_let_in_has_only_himself_to_blame(sqlstate):
    async with double.Liar(startup=double.error(sqlstate, "no entry")) as liar:
        with pytest.raises(PostgresError, match="no entry") as caught:
            await opened(liar)
    assert not caught.value.fact
    assert "may healer connect to postgres?" in caught.value.hint


@pytest.mark.parametrize(("sqlstate", "text"), [("57P03", "starting up"), ("53300", "too many clients already")])
async def test_a_server_that_lets_nobody_in_is_to_blame(sqlstate, text):
    async with double.Liar(startup=double.error(sqlstate, text)) as liar:
        with pytest.raises(DriverError, match=text) as caught:
            await opened(liar)
    assert caught.value.fact


async def test_a_server_that_takes_the_connection_and_says_nothing_is_given_up_in_time():
    async with double.Liar(startup=double.MUTE) as liar:
        began = time.monotonic()
        with pytest.raises(DriverError, match=r"within 0\.2 s") as caught:
            await connect(place(liar), Resolver(), BOUNDS, timeout=0.2)
    assert caught.value.fact
    assert time.monotonic() - began < 1.0


async def test_garbage_instead_of_a_greeting_is_the_servers_own():
    garbage = b"HTTP/1.1 400 Bad Request\r\n\r\n"
    async with double.Liar(hello=garbage, startup=garbage) as liar:
        with pytest.raises(DriverError, match="not PostgreSQL") as caught:
            await opened(liar)
    assert caught.value.fact


async def test_an_old_server_is_not_looked_at_and_not_called_ill():
    async with double.Liar(version="9.6.24") as liar:
        with pytest.raises(PostgresError, match=r"9\.6") as caught:
            await opened(liar)
    assert not caught.value.fact


@pytest.mark.parametrize(("number", "text"), [(150004, "15.4"), (90624, "9.6"), (120000, "12.0")])
def test_versions_are_written_as_the_server_writes_them(number, text):
    assert shown(number) == text


@pytest.mark.parametrize("answer", [None, b"", b"D\0\0\0\6\0\2garbage", b"T\0\0\0\x05\xff"])
async def test_a_session_that_hangs_ends_or_answers_garbage_is_over_and_the_server_is_to_blame(answer):
    async with double.Liar(answer=lambda _: answer) as liar:
        session = await opened(liar)
        with pytest.raises(PostgresError) as caught:
            await session.ask("SELECT 1", timeout=0.2)
        assert caught.value.fact
        assert caught.value.lost
        assert not session.alive


@pytest.mark.parametrize("said", [double.rows(*((1,),) * 1000), double.message(b"A", b"\0\0\0\1ch\0x\0") * 1000])
async def test_a_server_that_never_stops_answering_is_not_listened_to_for_long(monkeypatch, said):
    monkeypatch.setattr(postgres_session, "MOST_READS", 50)
    async with double.Liar(answer=lambda _: said * 500) as liar:
        session = await opened(liar)
        with pytest.raises(PostgresError, match="more than is ever asked for") as caught:
            await session.ask("SELECT 1", timeout=10.0)
        assert caught.value.fact
        assert not session.alive


def test_who_only_waits_for_long_has_not_been_answered_too_much(monkeypatch):
    monkeypatch.setattr(postgres_session, "MOST_READS", 3)

    def slow():
        for _ in range(100):
            yield 1
        return "done"

    assert len(list(postgres_session._bounded(slow()))) == 100


async def test_a_call_that_is_cancelled_returns_at_once_and_ends_the_session():
    async with double.Liar(answer=lambda _: None) as liar:
        session = await opened(liar)
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await session.ask("SELECT 1", timeout=60.0)
        assert time.monotonic() - began < 1.0
        assert not session.alive


async def test_a_refusal_keeps_the_session_and_says_whether_to_try_again():
    said = {"slow": "57014", "wrong": "42703", "denied": "42501", "dead": "40P01", "full": "53100"}
    async with double.Liar(answer=lambda text: refuse(said[text])) as liar:
        session = await opened(liar)
        seen = {}
        for text in said:
            with pytest.raises(PostgresError) as caught:
                await session.ask(text, timeout=1.0)
            seen[text] = (caught.value.asked, caught.value.again, caught.value.fact, caught.value.denied)
        assert session.alive
        await session.close()
    assert seen == {
        "slow": (True, True, True, False),
        "wrong": (True, False, False, False),
        "denied": (True, False, False, True),
        "dead": (True, True, False, False),
        "full": (False, True, True, False),
    }


async def test_only_what_may_have_been_made_durable_is_ambiguous():
    for broken, sent in (("UPDATE", False), ("COMMIT", True)):
        async with double.Liar(
            answer=lambda text, broken=broken: b"" if text.startswith(broken) else double.rows(tag="UPDATE")
        ) as liar:
            session = await opened(liar)
            with pytest.raises(PostgresError) as caught:
                await session.change([("UPDATE", None)], at_most=1, timeout=1.0)
            assert caught.value.sent is sent, broken
            await session.close()


async def test_a_commit_that_the_server_refuses_is_not_ambiguous():
    async with double.Liar(
        answer=lambda text: refuse("23503") if text == "COMMIT" else double.rows(tag="UPDATE")
    ) as liar:
        session = await opened(liar)
        with pytest.raises(PostgresError) as caught:
            await session.change([("UPDATE", None)], at_most=1, timeout=1.0)
        assert not caught.value.sent
        await session.close()


async def test_more_rows_than_may_be_undo_all():
    async with double.Liar(answer=lambda text: double.message(b"C", f"{text} 3".encode() + b"\0")) as liar:
        session = await opened(liar)
        assert await session.change([("UPDATE", None)], at_most=3, timeout=1.0) == 3
        with pytest.raises(PostgresError, match="6 rows or more of at most 5"):
            await session.change([("UPDATE", None), ("DELETE", None)], at_most=5, timeout=1.0)
        assert liar.asked[-1] == "ROLLBACK"
        await session.close()


async def test_a_select_is_read_only_behind_a_cursor_and_bounded():
    async with double.Liar() as liar:
        session = await opened(liar)
        await session.select("SELECT x FROM y", most=21, timeout=1.0)
        await session.close()
    assert liar.asked == [
        "BEGIN READ ONLY",
        "DECLARE healer NO SCROLL CURSOR FOR SELECT x FROM y",
        "FETCH FORWARD 21 FROM healer",
        "ROLLBACK",
    ]


def test_a_place_is_read_from_the_keys_of_a_target(tmp_path):
    spec = {"host": "db", "port": 5433, "dbname": "shop", "user": "me", "sslmode": "verify-full", "sslrootcert": "/ca"}
    found = Place.of(Target(kind="postgres", name="x", organ="stomach", spec=spec))
    assert (str(found.door), found.dbname, found.user) == ("db:5433", "shop", "me")
    assert found.tls == {"sslmode": "verify-full", "sslrootcert": "/ca"}


def test_without_a_user_it_is_the_agents_own_account_and_an_account_without_a_name_is_no_crash(monkeypatch):
    bare = Target(kind="postgres", name="x", organ="stomach")
    monkeypatch.setenv("USER", "somebody-else")
    assert Place.of(bare).user == pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: 123456)
    assert Place.of(bare).user == "123456"
    assert str(Place.of(bare).door) == "/var/run/postgresql/.s.PGSQL.5432"


async def test_a_password_that_cannot_be_read_is_our_trouble_and_one_that_can_is_never_told(tmp_path):
    secret = tmp_path / "secret"
    async with double.Liar(startup=double.error("28P01", "password authentication failed")) as liar:
        with pytest.raises(PostgresError, match="cannot be read") as caught:
            await opened(liar, password=Secret(file=str(secret)))
        assert not caught.value.fact
        secret.write_text("hunter2 \\'")
        secret.chmod(0o600)
        with pytest.raises(PostgresError, match="authentication failed") as caught:
            await opened(liar, password=Secret(file=str(secret)))
    assert "hunter2" not in str(caught.value)


def test_what_bounds_a_session_is_said_before_anything_is_asked():
    assert "default_transaction_read_only=on" in BOUNDS.options
    assert "search_path=pg_catalog" in BOUNDS.options
    theirs = Bounds(statement=2.0, lock=0.5, write=True, ours=False).options
    assert "default_transaction_read_only=off" in theirs
    assert "statement_timeout=2000" in theirs
    assert "lock_timeout=500" in theirs
    assert "search_path" not in theirs


async def test_without_its_library_it_says_what_to_install(monkeypatch):
    import builtins

    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "psycopg":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(PostgresError, match="client library") as caught:
        postgres_session._load()
    assert "make extras" in caught.value.hint
