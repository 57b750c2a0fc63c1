"""A real name server (dnsmasq): answers, no such name, silence, and who is to blame."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from healer.clock import SystemClock
from healer.drivers.dns import Dns
from healer.errors import SensorError
from healer.model.target import Target
from healer.sensors.dns import DnsSensor

pytestmark = pytest.mark.real
ZONE = """
no-resolv
no-hosts
no-daemon
bind-interfaces
listen-address=127.0.0.1
auth-ttl=30
local-ttl=30
local=/example.test/
host-record=www.example.test,192.0.2.80
host-record=www.example.test,2001:db8::80
mx-host=example.test,mail.example.test,10
{texts}
"""


@pytest.fixture(scope="module")
def server(real):
    """A dnsmasq of the test's own: its process and its port."""
    real("dnsmasq")
    folder = Path(tempfile.mkdtemp(prefix="dns", dir="/tmp"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "conf").write_text(
        ZONE.format(texts="\n".join(f"txt-record=big.example.test,{n:0200}" for n in range(12)))
    )
    binary = shutil.which("dnsmasq", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    # --pid-file without a name: none. Nothing is read but what is written here.
    argv = [binary, f"--conf-file={folder}/conf", f"--port={port}", "--pid-file", "--user=root"]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 10
        while True:
            with socket.socket() as knock:
                if knock.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)
        yield process, port
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


async def look(server, record, **spec):
    whole = {"record": record, "server": f"127.0.0.1:{server[1]}", "timeout": 1.0, **spec}
    sensor = DnsSensor(Target(kind="dns", name="x", organ="lungs", spec=whole), Dns(SystemClock()))
    await sensor.open(lambda _: None)
    readings = await sensor.look(SystemClock().now())
    return {reading.metric.removeprefix("dns."): getattr(reading, "value", None) for reading in readings}


async def test_names_are_answered_with_every_figure(server):
    seen = await look(server, "www.example.test", expect=["192.0.2.80"])
    assert (seen["ok"], seen["message"], seen["rcode"], seen["answer"]) == (1, "", "NOERROR", "192.0.2.80")
    assert (seen["answers"], seen["ttl"]) == (1, 30)
    assert 0 < seen["latency"] < 1
    assert (await look(server, "www.example.test", type="AAAA"))["answer"] == "2001:db8::80"
    assert (await look(server, "example.test", type="MX"))["answer"] == "10 mail.example.test"


async def test_an_answer_that_is_another_is_not_ok(server):
    seen = await look(server, "www.example.test", expect=["192.0.2.81"])
    assert (seen["ok"], "without 192.0.2.81" in seen["message"]) == (0, True)


async def test_no_such_name_and_no_such_record_are_facts(server):
    seen = await look(server, "nobody.example.test")
    assert (seen["ok"], seen["rcode"]) == (0, "NXDOMAIN")
    seen = await look(server, "example.test", type="SRV")
    assert (seen["ok"], seen["rcode"], seen["answers"]) == (0, "NOERROR", 0)


async def test_what_does_not_fit_into_a_datagram_is_answered_all_the_same(server):
    seen = await look(server, "big.example.test", type="TXT")
    assert (seen["ok"], seen["answers"]) == (1, 12)


async def test_a_name_it_does_not_serve_us_says_nothing_of_the_name(server):
    with pytest.raises(SensorError, match="REFUSED"):
        await look(server, "www.elsewhere.test")


async def test_a_hung_server_is_a_fact_within_the_timeout(server):
    process, _ = server
    process.send_signal(signal.SIGSTOP)
    try:
        seen = await look(server, "www.example.test", timeout=0.3)
        assert (seen["ok"], "no answer within" in seen["message"]) == (0, True)
    finally:
        process.send_signal(signal.SIGCONT)
    assert (await look(server, "www.example.test"))["ok"] == 1
