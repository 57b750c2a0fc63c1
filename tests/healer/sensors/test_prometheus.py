"""Exporters scraped over real HTTP: declared series, what is stale, and servers that answer with something else."""

import asyncio
import contextlib
import time

import pytest

from healer.clock import SystemClock
from healer.drivers.http import Http
from healer.errors import SensorError
from healer.model.target import Target
from healer.sensors import prometheus as module
from healer.sensors.prometheus import PrometheusSensor

SERIES = {"load": "load", "free": 'free{mount="/"}', "all": "sum(free)", "gone": "gone"}
TEXT = '# TYPE load gauge\nload 0.5\nfree{mount="/"} 7\nfree{mount="/x"} 9\n'


class Exporter:
    def __init__(self):
        self.body, self.status, self.asked, self.behave = TEXT, "200 OK", b"", None
        self.writers = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.asked = await reader.readuntil(b"\r\n\r\n")
            if self.behave is not None:
                await self.behave(writer)
            else:
                head = f"HTTP/1.1 {self.status}\r\ncontent-type: text/plain; version=0.0.4\r\n\r\n"
                writer.write(head.encode() + self.body.encode())
                await writer.drain()
        writer.transport.abort() if self.behave else writer.close()


@pytest.fixture
async def exporter():
    made = Exporter()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/metrics"
    yield made
    listening.close()
    for writer in made.writers:
        writer.transport.abort()
    await asyncio.sleep(0.01)


@pytest.fixture
async def look():
    http = Http(SystemClock())

    async def looked(exporter, **spec):
        whole = {"url": exporter.url, "series": SERIES, "timeout": 2.0, "every": 5.0, **spec}
        sensor = PrometheusSensor(Target(kind="prometheus", name="x", organ="nervous", spec=whole), http, SystemClock())
        await sensor.open(lambda _: None)
        found = {}
        for reading in await sensor.look(1.0):
            key = dict(reading.labels).get("name") or reading.metric.removeprefix("prometheus.")
            found[key] = getattr(reading, "value", None)
            found[f"{key} because"] = getattr(reading, "because", "")
        return found

    yield looked
    await http.close()


async def test_declared_series_are_told_by_their_own_names(exporter, look):
    seen = await look(exporter)
    assert (seen["ok"], seen["load"], seen["free"], seen["all"]) == (1, 0.5, 7, 16)
    assert (seen["gone"], seen["gone because"]) == (None, "there is no such series")
    assert seen["size"] == len(TEXT)
    assert 0 < seen["latency"] < 2
    assert b"accept: text/plain;version=0.0.4" in exporter.asked.lower()


@pytest.mark.parametrize(
    ("value", "because"),
    [("NaN", "NaN"), ("+Inf", "garbage"), ("1e300", "garbage"), ("0.5 1000", "measured"), ("", "")],
)
async def test_what_is_no_fresh_number_is_unknown_by_itself(exporter, look, value, because):
    exporter.body = TEXT.replace("load 0.5", f"load {value}" if value else "other 1")
    seen = await look(exporter)
    assert (seen["load"], seen["free"], seen["ok"]) == (None, 7, 1)
    assert because in seen["load because"]


@pytest.mark.parametrize(("age", "known"), [(1, True), (-30, True), (3600, False), (-3600, False)])
async def test_a_figure_counts_while_it_is_fresh(exporter, look, age, known):
    exporter.body = f"load 3 {int((time.time() - age) * 1000)}\n"
    assert ((await look(exporter))["load"] is not None) is known


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        ("503 Service Unavailable", TEXT, "status 503"),
        ("200 OK", "<html>hello</html>", "something else"),
        ("200 OK", "load what\n", "cannot be read"),
    ],
)
async def test_another_answer_is_a_fact(exporter, look, status, body, says):
    exporter.status, exporter.body = status, body
    seen = await look(exporter)
    assert (seen["ok"], seen["load"]) == (0, None)
    assert says in seen["message"]


async def test_an_endless_exposition_is_a_fact_and_bounded(exporter, look, monkeypatch):
    monkeypatch.setattr(module, "MOST", 200_000)

    async def flood(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"load 1\n" * 9000)
            await writer.drain()

    exporter.behave = flood
    seen = await look(exporter)
    assert (seen["ok"], "longer than" in seen["message"]) == (0, True)


async def test_hung_reset_and_refused_are_facts_and_a_name_nobody_knows_is_not(exporter, look):
    exporter.behave = lambda _: asyncio.sleep(9)
    assert (await look(exporter, timeout=0.2))["ok"] == 0
    exporter.behave = lambda _: asyncio.sleep(0)
    assert (await look(exporter))["ok"] == 0
    assert (await look(exporter, url="http://127.0.0.1:1/"))["ok"] == 0
    with pytest.raises(SensorError):
        await look(exporter, url="http://no-such-host.invalid/")
