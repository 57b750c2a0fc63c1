"""A management interface that misbehaves: each way bounded in time and size, and told for what it is."""

import asyncio
from base64 import b64encode

import pytest
from doubles import rabbitmq as double

from healer.clock import SystemClock
from healer.drivers import rabbitmq as module
from healer.drivers.http import Http
from healer.drivers.interface import LinkState
from healer.drivers.rabbitmq import Place, RabbitError, RabbitMQ, number
from healer.model.target import Target
from healer.testing import FakeClock
from healer.yamldoc.secret import Secret


@pytest.fixture
async def broker():
    made = double.Broker()
    await made.open()
    yield made
    made.close()
    await asyncio.sleep(0)


@pytest.fixture
async def make(broker):
    http = Http(SystemClock())
    await http.open()

    def one(timeout=2.0, clock=None, **place):
        return RabbitMQ(
            "rabbitmq:x", Place(**{"url": broker.url, **place}), http, clock or SystemClock(), timeout=timeout
        )

    yield one
    await http.close()


async def failure(question):
    with pytest.raises(RabbitError) as caught:
        await question
    return caught.value


async def test_a_look_asks_for_the_overview_and_the_node_that_answers(broker, make):
    rabbit = make()
    seen = await rabbit.look()
    assert (seen.name, seen.running, seen.version) == (double.NODE, True, "3.10.8")
    assert broker.asked == [("GET", "overview"), ("GET", "nodes", double.NODE)]
    assert "memory" not in broker.query["columns"]
    assert rabbit.status().state is LinkState.CONNECTED


async def test_the_password_goes_in_a_header_and_nowhere_else(broker, make, tmp_path):
    path = tmp_path / "p"
    path.write_text("hush\n")
    path.chmod(0o600)
    await make(username="healer", password=Secret(file=str(path))).look()
    assert f"authorization: basic {b64encode(b'healer:hush').decode()}".lower() in broker.head.lower()
    assert "hush" not in broker.head.split("\r\n")[0]


async def test_refused_is_a_fact(broker, make):
    broker.close()
    rabbit = make()
    error = await failure(rabbit.look())
    assert (error.fact, error.sent) == (True, False)
    assert rabbit.status().state is LinkState.LOST


async def test_hung_is_a_fact_within_its_time(broker, make):
    broker.odd["overview"] = lambda _writer: asyncio.sleep(30)
    start = SystemClock().now()
    error = await failure(make(timeout=0.2).look())
    assert (error.fact, error.sent) == (True, True)
    assert SystemClock().now() - start < 10


async def test_reset_in_the_middle_of_a_reply_is_a_fact(broker, make):
    async def half(writer):
        writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"no')
        await writer.drain()
        writer.transport.abort()

    broker.odd["overview"] = half
    assert (await failure(make().look())).fact


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"7", b'"x"', b"{}", b"{" * 2000, b"[" * 100_000,
     b'{"node": 7, "rabbitmq_version": "3.10"}',
     b'{"node": "a@b", "rabbitmq_version": "new"}', b"\xff\xfe", b"null"],
)  # fmt: skip
async def test_garbage_is_a_fact(broker, make, body):
    broker.odd["overview"] = (200, body)
    assert (await failure(make().look())).fact
    del broker.odd["overview"]
    broker.odd["nodes"] = (200, body)
    if body != b'{"node": "a@b", "rabbitmq_version": "new"}':
        assert (await failure(make().look())).fact


async def test_an_answer_without_end_is_cut(broker, make, monkeypatch):
    monkeypatch.setattr(module, "MOST", 1000)
    broker.overview["rates_mode"] = "x" * 5000
    assert (await failure(make().look())).fact


@pytest.mark.parametrize(
    ("status", "body", "fact"),
    [
        (401, {"error": "not_authorized", "reason": "Login failed"}, False),
        (401, {"error": "not_authorised", "reason": "Not monitor user"}, False),
        (403, b"", False), (404, b"nginx", False), (301, b"", False), (429, b"", False), (500, b"", True),
        (503, b"", True),
    ],
)  # fmt: skip
async def test_who_does_not_let_us_in_may_be_well_and_who_fails_is_not(broker, make, status, body, fact):
    broker.odd["overview"] = (status, body)
    error = await failure(make().look())
    assert (error.fact, error.status) == (fact, status)
    assert str(status) in error.message


async def test_an_old_version_is_not_understood_and_so_unknown(broker, make):
    broker.overview["rabbitmq_version"] = "3.7.28"
    error = await failure(make().look())
    assert not error.fact
    assert "3.7.28" in error.message


async def test_a_node_nobody_has_heard_of_is_a_mistake_of_ours(broker, make):
    error = await failure(make(node="rabbit@elsewhere").look())
    assert not error.fact
    assert "rabbit@elsewhere" in error.message


async def test_a_name_nobody_knows_and_a_secret_that_is_gone_are_ours(make, tmp_path):
    assert not (await failure(make(url="http://no-such-host.invalid").look())).fact
    assert not (await failure(make(password=Secret(file=str(tmp_path / "gone"))).look())).fact


async def test_a_start_keeps_its_word_and_another_start_has_another(broker, make):
    clock = FakeClock()
    rabbit = make(clock=clock)
    word = rabbit.generation(await rabbit.look())
    assert word.startswith(f"{double.NODE}.77.")
    for uptime, advance in ((70_700, 10.0), (81_000, 10.0)):  # it drifts, and counts in its own time
        clock.at += advance
        broker.node["uptime"] = uptime
        assert rabbit.generation(await rabbit.look()) == word
    clock.at += 10.0
    broker.node["uptime"] = 81_000  # its figures are as old as they may be
    assert rabbit.generation(await rabbit.look()) == word
    broker.node["uptime"] = 80_000
    clock.at -= 1.0
    again = rabbit.generation(await rabbit.look())
    assert again not in ("", word)
    clock.at += 60.0
    broker.node["uptime"] = 81_000
    assert rabbit.generation(await rabbit.look()) not in ("", word, again)
    broker.node["os_pid"] = "78"
    assert rabbit.generation(await rabbit.look()) not in ("", word, again)


@pytest.mark.parametrize("odd", [{"running": False}, {"uptime": "long"}, {"uptime": None}])
async def test_a_node_that_does_not_run_or_say_has_no_generation(broker, make, odd):
    broker.node |= odd
    rabbit = make()
    assert rabbit.generation(await rabbit.look()) == ""


@pytest.mark.parametrize("pattern", ["orders", "work.*", "*", "work.?", "or(ders", "a|orders", "o.ders", "^orders$"])
async def test_patterns_match_as_people_mean_them(broker, make, pattern):
    broker.queues["workXa"] = broker.queues["or(ders"] = broker.queues["orders"]
    found = await make().queues([pattern])
    assert sorted(found) == double.like(broker.queues, pattern)


async def test_more_queues_than_can_be_listed_are_not_told_in_part(broker, make):
    listed = double.page(broker.queues)
    broker.odd["queues"] = (200, listed | {"filtered_count": 500})
    error = await failure(make().queues(["*"]))
    assert not error.fact
    assert "500 queues" in error.message


@pytest.mark.parametrize("body", [{}, [], {"items": "x"}, {"items": {}}])
async def test_a_list_that_is_none_is_garbage(broker, make, body):
    broker.odd["queues"] = (200, body)
    assert (await failure(make().queues(["*"]))).fact


async def test_names_are_no_paths(broker, make):
    rabbit = make(vhost="a/b")
    broker.queues["../x?y#z"] = broker.queues["orders"]
    await rabbit.purge("../x?y#z")
    assert broker.asked[-1] == ("DELETE", "queues", "a/b", "../x?y#z", "contents")
    assert not await rabbit.disconnect("..", "because")
    assert broker.asked[-1] == ("DELETE", "connections", "..")


async def test_a_connection_is_ended_and_says_why(broker, make):
    broker.connections["1 -> 2"] = {"state": "running"}
    rabbit = make()
    assert await rabbit.connected("1 -> 2")
    assert await rabbit.disconnect("1 -> 2", "healer: a rule")
    assert "x-reason: healer: a rule" in broker.head.lower()
    assert not await rabbit.connected("1 -> 2")
    assert not await rabbit.disconnect("1 -> 2", "once more")


async def test_one_that_was_told_to_end_counts_as_ended(broker, make):
    broker.connections["c"] = {"state": "closed"}
    assert not await make().connected("c")


def test_the_keys_of_a_target_make_a_place():
    spec = {"url": "http://h:1/", "username": "u", "vhost": "v", "verify_tls": False, "node": "a@b"}
    assert Place.of(Target(kind="rabbitmq", name="x", organ="stomach", spec=spec)) == Place(
        url="http://h:1", username="u", vhost="v", verify=False, node="a@b"
    )


@pytest.mark.parametrize("found", [None, "7", True, [], {}, {"a": "7"}, {"a": True}, {"a": {"b": 1}}])
def test_what_is_no_number_is_not_there(found):
    assert number(found, "a") is None
