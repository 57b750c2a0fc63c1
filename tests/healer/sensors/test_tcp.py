"""Knocking at ports."""

import asyncio
import contextlib
import errno
import socket

import pytest

from healer.clock import SystemClock
from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors import tcp as module
from healer.sensors.tcp import TcpSensor


async def look(port, host="127.0.0.1", timeout=1.0):
    target = Target(kind="tcp", name="t", organ="lungs", spec={"host": host, "port": port, "timeout": timeout})
    readings = await TcpSensor(target, SystemClock()).look(1.0)
    return {reading.metric: reading.because if isinstance(reading, Unknown) else reading.value for reading in readings}


@pytest.fixture
async def port():
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_open_port_is_ok_with_its_latency(port, host):
    seen = await look(port, host)
    assert seen["tcp.ok"] == 1
    assert 0 < seen["tcp.latency"] < 1


async def test_a_closed_port_is_a_fact():
    seen = await look(1)
    assert seen["tcp.ok"] == 0
    assert "Connection refused" in seen["tcp.latency"]


async def test_a_port_that_takes_nobody_is_a_fact_after_the_timeout():
    with contextlib.ExitStack() as crowd:
        deaf = crowd.enter_context(socket.socket())
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(3):  # fill its queue: the kernel then drops the next knock
            one = crowd.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        seen = await look(deaf.getsockname()[1], timeout=0.2)
    assert seen["tcp.ok"] == 0
    assert "within 0.2 s" in seen["tcp.latency"]


async def test_a_name_nobody_knows_is_unknown():
    with pytest.raises(SensorError, match="cannot look up"):
        await look(80, "no-such-host.invalid")


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EMFILE])
async def test_a_trouble_of_ours_is_unknown(monkeypatch, number):
    async def fail(*_):
        return number

    monkeypatch.setattr(module, "_connect", fail)
    with pytest.raises(SensorError, match="cannot reach out"):
        await look(80)


async def test_connecting_to_ourselves_is_no_connection(monkeypatch):
    # On Linux a closed port of the dynamic range can be drawn as the connecting side's own: it then answers itself.
    real = asyncio.get_running_loop()

    class Loop:
        @staticmethod
        async def sock_connect(sock, _):
            sock.bind(("127.0.0.1", 0))
            await real.sock_connect(sock, sock.getsockname())

    monkeypatch.setattr(module.asyncio, "get_running_loop", Loop)
    assert await module._connect(socket.AF_INET, ("127.0.0.1", 1)) == errno.ECONNREFUSED
