"""A Redis that misbehaves: each way bounded in time and size, and told for what it is."""

import asyncio
import subprocess
import sys

import pytest
from doubles import redis as double

from healer.clock import SystemClock
from healer.drivers import redis_wire
from healer.drivers.interface import LinkState
from healer.drivers.redis import Redis
from healer.drivers.redis_wire import Place, RedisError, Trust
from healer.yamldoc.secret import Secret

RUN, Server, info = double.RUN, double.Server, double.info


@pytest.fixture
async def server():
    made = Server()
    await made.open()
    yield made
    made.close()
    await asyncio.sleep(0)


@pytest.fixture
async def make(server):
    made = []

    def one(timeout=2.0, **place):
        made.append(Redis("redis:x", Place(**{"port": server.port, **place}), SystemClock(), timeout=timeout))
        return made[-1]

    yield one
    for redis in made:
        await redis.close()


async def failure(question):
    with pytest.raises(RedisError) as caught:
        await question
    return caught.value


async def silence(_writer):
    await asyncio.sleep(30)


async def test_a_look_is_a_ping_and_an_info(server, make):
    seen = await make().look()
    assert (seen.info.generation, seen.info.version, seen.refusal) == (RUN, "7.0.15", "")
    assert 0 < seen.latency < 2
    assert server.asked == [[b"PING"], [b"INFO"]]


async def test_one_connection_is_kept_and_looks_at_once_do_not_mix_up_replies(server, make):
    redis = make()
    await asyncio.gather(*(redis.look() for _ in range(20)))
    assert len(server.writers) == 1
    assert redis.status().state is LinkState.CONNECTED


async def test_it_logs_in_and_chooses_its_database(server, make, tmp_path):
    path = tmp_path / "p"
    path.write_text("hush\n")
    path.chmod(0o600)
    await make(username="healer", password=Secret(file=str(path)), db=3).look()
    assert server.asked[:2] == [[b"AUTH", b"healer", b"hush"], [b"SELECT", b"3"]]


async def test_refused_is_a_fact(server, make):
    server.close()
    error = await failure(make().look())
    assert (error.fact, error.sent) == (True, False)
    assert "refused" in error.message


@pytest.mark.parametrize("word", [b"PING", b"INFO"])
async def test_hung_is_a_fact_within_its_time(server, make, word):
    server.says[word] = silence
    start = SystemClock().now()
    error = await failure(make(timeout=0.2).look())
    assert (error.fact, error.sent) == (True, True)
    assert SystemClock().now() - start < 10


async def test_hung_while_we_log_in_is_a_fact_too(server, make):
    server.says[b"SELECT"] = silence
    error = await failure(make(timeout=0.2, db=1).look())
    assert error.fact


async def test_a_late_reply_is_not_taken_for_the_next(server, make):
    async def late(writer):
        await asyncio.sleep(0.15)
        writer.write(b"+LATE\r\n")

    redis = make(timeout=0.1)
    server.says[b"PING"] = late
    await failure(redis.look())
    server.says[b"PING"] = b"+PONG\r\n"
    await asyncio.sleep(0.1)
    assert (await redis.look()).info.generation == RUN
    assert len(server.writers) == 2


async def test_a_question_that_was_cancelled_ends_the_connection(server, make):
    redis = make()
    await redis.look()
    server.says[b"PING"] = silence
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await redis.look()
    server.says[b"PING"] = b"+PONG\r\n"
    await redis.look()
    assert len(server.writers) == 2


@pytest.mark.parametrize(
    "octets",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$abc\r\n", b"$-7\r\n", b"*1\r\n" * 3000, b":one\r\n", b"+OK\r\n", b"$-1\r\n",
        b"\x16\x03\x01\x02\r\n", b"$99999999999\r\nx", b"$3\r\nabc\r\n", b"*0\r\n", b"\xff" * 100 + b"\r\n",
        b"+PONGPONG\r\n",
        b"+" + b"x" * 200_000,
    ],
)  # fmt: skip
async def test_garbage_is_a_fact_and_ends_the_connection(server, make, octets):
    server.says[b"PING"] = octets
    error = await failure(make(timeout=0.5).look())
    assert error.fact
    assert len(error.message) < 300
    server.says[b"PING"] = b"+PONG\r\n"
    server.says[b"INFO"] = octets
    error = await failure(make(timeout=0.5).look())
    assert error.fact


async def test_a_reply_announced_too_long_is_refused_before_it_comes(server, make):
    server.says[b"INFO"] = b"$%d\r\n" % (redis_wire.MOST + 1)
    error = await failure(make(timeout=30).look())
    assert error.fact


async def test_reset_in_the_middle_of_a_reply_is_a_fact(server, make):
    async def half(writer):
        writer.write(b"$1000\r\nredis_ver")
        await writer.drain()
        writer.transport.abort()

    server.says[b"INFO"] = half
    error = await failure(make().look())
    assert (error.fact, error.lost) == (True, True)


async def test_half_open_is_noticed_and_a_kept_connection_that_died_is_no_news(server, make):
    redis = make()
    await redis.look()
    server.reset()
    assert (await redis.look()).info.generation == RUN
    assert len(server.writers) == 2
    assert redis.status().reconnects == 1


async def test_vanished_and_back_under_the_same_name_is_another(server, make):
    redis = make()
    before = (await redis.look()).info.generation
    server.close()
    assert (await failure(redis.look())).fact
    assert redis.status().state is LinkState.LOST
    server.says[b"INFO"] = info(run="cd" * 20)
    await server.open()
    assert (await redis.look()).info.generation not in ("", before)


@pytest.mark.parametrize(
    ("word", "reply"),
    [
        (b"PING", b"-NOAUTH Authentication required.\r\n"),
        (b"PING", b"-NOPERM this user has no permissions to run the 'ping' command\r\n"),
        (b"PING", b"-DENIED Redis is running in protected mode\r\n"),
        (b"INFO", b"-NOPERM no\r\n"),
        (b"SELECT", b"-ERR DB index is out of range\r\n"),
        (b"AUTH", b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"),
        (b"AUTH", b"+NO\r\n"),
        (b"AUTH", b"-ERR AUTH <password> called without any password configured for the default user.\r\n"),
    ],
)
async def test_who_does_not_let_us_in_may_be_well(server, make, tmp_path, word, reply):
    path = tmp_path / "p"
    path.write_text("hush")
    path.chmod(0o600)
    server.says[word] = reply
    error = await failure(make(db=1, password=Secret(file=str(path))).look())
    assert not error.fact
    assert "hush" not in str(error)


@pytest.mark.parametrize("code", ["LOADING", "MISCONF", "MASTERDOWN"])
async def test_a_refusal_that_tells_how_it_is_keeps_the_connection(server, make, code):
    server.says[b"PING"] = f"-{code} something\r\n".encode()
    redis = make()
    seen = await redis.look()
    assert (seen.code, code in seen.refusal) == (code, True)
    await redis.look()
    assert len(server.writers) == 1


async def test_busy_is_down(server, make):
    server.says[b"PING"] = b"-BUSY Redis is busy running a script.\r\n"
    error = await failure(make().look())
    assert (error.fact, error.code) == (True, "BUSY")


async def test_full_of_clients_is_a_fact(server, make):
    server.greets = b"-ERR max number of clients reached\r\n"
    error = await failure(make(db=1).look())
    assert error.fact
    assert "max number of clients" in error.message


async def test_an_old_version_is_not_understood_and_so_unknown(server, make):
    server.says[b"INFO"] = info(version="4.0.9")
    error = await failure(make().look())
    assert not error.fact
    assert "4.0.9" in error.message


@pytest.mark.parametrize("text", [info(run="short"), info(version="new"), b"$5\r\nhello\r\n", b"*1\r\n:1\r\n"])
async def test_what_has_no_run_id_or_version_is_no_redis(server, make, text):
    server.says[b"INFO"] = text
    assert (await failure(make().look())).fact


async def test_a_server_that_does_not_speak_tls_is_not_what_was_declared(server, make):
    server.greets = b"-ERR what is this?\r\n"
    error = await failure(make(tls=Trust()).look())
    assert not error.fact
    assert "TLS" in error.message


async def test_a_name_that_takes_all_our_time_is_our_own_trouble(make, monkeypatch):
    async def slow(_self, _host, _port):
        await asyncio.sleep(30)

    monkeypatch.setattr(redis_wire.Resolver, "addresses", slow)
    assert not (await failure(make(timeout=0.1, host="slow.example.org").look())).fact


async def test_a_name_nobody_knows_a_secret_that_is_gone_and_bad_certificates_are_ours(make, tmp_path):
    for place in (
        {"host": "no-such-host.invalid"},
        {"password": Secret(file=str(tmp_path / "gone"))},
        {"tls": Trust(ca=str(tmp_path / "gone"))},
    ):
        assert not (await failure(make(timeout=5.0, **place).look())).fact


async def test_a_refusal_among_several_is_told_once_all_are_read(server, make):
    redis = make()
    wire = await redis.wire()
    with pytest.raises(RedisError, match="unknown"):
        await wire.batch([("NONSENSE",), ("PING",)])
    assert await wire.ask("PING") == b"PONG"
    found = await wire.replies([("PING",), ("NONSENSE",)])
    assert found[0] == b"PONG"
    assert found[1].code == "ERR"


async def test_a_connection_that_ended_is_never_made_anew_in_silence(server, make):
    wire = await make().wire()
    wire.end()
    error = await failure(wire.ask("PING"))
    assert error.lost
    assert len(server.writers) == 1


async def test_who_answers_a_knock_is_told_and_who_does_not(server, make):
    redis = make(timeout=0.2)

    async def knocked(behave):
        listening = await asyncio.start_server(behave, "127.0.0.1", 0)
        try:
            return await redis.primary_answers("127.0.0.1", listening.sockets[0].getsockname()[1])
        finally:
            listening.close()

    async def denies(_reader, writer):
        writer.write(b"-NOAUTH Authentication required.\r\n")
        writer.close()

    async def leaves(_reader, writer):
        writer.close()

    async def hangs(reader, writer):
        await reader.read()
        writer.close()

    assert "NOAUTH" in await knocked(denies)
    assert await knocked(leaves) == "hung up"
    assert await knocked(hangs) == ""
    assert await redis.primary_answers("127.0.0.1", 1) == ""
    assert not (await failure(redis.primary_answers("no-such-host.invalid", 6379))).fact


async def test_a_driver_that_was_closed_says_so(make):
    redis = make()
    await redis.look()
    await redis.close()
    assert redis.status().state is LinkState.CLOSED
    assert "closed" in (await failure(redis.look())).message


def test_the_library_is_imported_with_the_first_connection_and_not_before():
    rooms = "healer.drivers.redis, healer.sensors.redis, healer.actions.hands.redis"
    code = f"import sys, {rooms}; print('redis' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"


async def test_without_the_library_it_says_what_to_install_and_blames_nobody(server, make, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis.asyncio.connection", None)
    error = await failure(make().look())
    assert not error.fact
    assert "extras" in error.hint
    assert server.asked == []
