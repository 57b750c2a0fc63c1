"""Name servers that answer, refuse, hang, lie and stammer: who is to blame is told each time, in bounded time."""

import asyncio
import contextlib
import struct
import subprocess
import sys

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from healer.clock import SystemClock
from healer.drivers import dns as module
from healer.drivers.dns import Dns, DnsError


class NameServer(asyncio.DatagramProtocol):
    """Answers as its script says, over datagrams and streams on one port."""

    def __init__(self):
        self.zone = {("www.example.", "A"): ["192.0.2.80", "192.0.2.81"]}
        self.rcode = dns.rcode.NOERROR
        self.behave = None
        self.by_stream = None
        self.asked = []

    def answer(self, octets, *, cut=False):
        query = dns.message.from_wire(octets)
        reply = dns.message.make_response(query)
        name, kind = str(query.question[0].name), dns.rdatatype.to_text(query.question[0].rdtype)
        reply.set_rcode(self.rcode)
        if cut:
            reply.flags |= dns.flags.TC
        elif answers := self.zone.get((name, kind)):
            reply.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *answers))
        return reply.to_wire(max_size=65535)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, octets, sender):
        self.asked.append(octets)
        said = self.answer(octets) if self.behave is None else self.behave(octets, len(self.asked))
        for one in said if isinstance(said, list) else [said]:
            if one is not None:
                self.transport.sendto(one, sender)

    async def stream(self, reader, writer):
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            octets = await reader.readexactly(length)
            said = self.answer(octets) if self.by_stream is None else self.by_stream(octets)
            writer.write(said if self.by_stream else struct.pack("!H", len(said)) + said)
            await writer.drain()
        writer.close()


@pytest.fixture
async def server():
    made = NameServer()
    listening = await asyncio.start_server(made.stream, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    made.at = f"127.0.0.1:{made.port}"
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: made, local_addr=("127.0.0.1", made.port)
    )
    yield made
    transport.close()
    listening.close()
    await asyncio.sleep(0)


async def ask(server, record="www.example", kind="A", timeout=1.0):
    return await Dns(SystemClock()).ask(record, kind, server=server.at, timeout=timeout)


async def failure(server, **more):
    with pytest.raises(DnsError) as caught:
        await ask(server, **more)
    return caught.value


async def test_answers_are_sorted_and_told_with_their_time(server):
    server.zone["www.example.", "A"].reverse()
    answer = await ask(server)
    assert (answer.rcode, answer.answers, answer.ttl) == ("NOERROR", ("192.0.2.80", "192.0.2.81"), 60)
    assert answer.server == server.at
    assert 0 < answer.took < 1


async def test_names_come_without_their_last_dot_and_in_lower_case(server):
    server.zone["www.example.", "MX"] = ["10 Mail.Example."]
    assert (await ask(server, kind="MX")).answers == ("10 mail.example",)


async def test_an_alias_is_followed_to_what_was_asked_for(server):
    def aliased(octets, _):
        reply = dns.message.make_response(dns.message.from_wire(octets))
        reply.answer.append(dns.rrset.from_text("www.example.", 300, "IN", "CNAME", "front.example."))
        reply.answer.append(dns.rrset.from_text("front.example.", 5, "IN", "A", "192.0.2.9"))
        return reply.to_wire()

    server.behave = aliased
    answer = await ask(server)
    assert (answer.answers, answer.ttl) == (("192.0.2.9",), 5)


@pytest.mark.parametrize("code", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
async def test_what_the_server_says_is_an_answer(server, code):
    server.rcode, server.zone = code, {}
    answer = await ask(server)
    assert (answer.rcode, answer.answers, answer.ttl) == (dns.rcode.to_text(code), (), None)


async def test_what_does_not_fit_into_a_datagram_comes_in_a_stream(server):
    server.zone["big.example.", "TXT"] = [f'"{number:04} {"x" * 100}"' for number in range(100)]
    server.behave = lambda octets, _: server.answer(octets, cut=True)
    assert len((await ask(server, "big.example", "TXT")).answers) == 100


async def test_so_many_answers_are_kept_and_no_more(server, monkeypatch):
    monkeypatch.setattr(module, "MOST_ANSWERS", 3)
    server.zone["www.example.", "A"] = [f"192.0.2.{number}" for number in range(20)]
    assert len((await ask(server)).answers) == 3


async def test_a_datagram_that_is_lost_is_sent_again(server):
    server.behave = lambda octets, count: None if count == 1 else server.answer(octets)
    assert (await ask(server, timeout=0.5)).rcode == "NOERROR"
    assert len(server.asked) == 2


async def test_silence_is_a_fact_about_a_server_that_was_named(server):
    server.behave = lambda *_: None
    error = await failure(server, timeout=0.2)
    assert (error.fact, "no answer within" in error.message) == (True, True)


async def test_a_port_nobody_listens_on_is_a_fact(server):
    with pytest.raises(DnsError) as caught:
        await Dns(SystemClock()).ask("www.example", "A", server="127.0.0.1:1", timeout=1)
    assert (caught.value.fact, "refused" in caught.value.message) == (True, True)


async def test_an_answer_to_another_question_is_passed_over(server):
    def forged(octets, _):
        other = bytearray(server.answer(octets).replace(b"\xc0\x00\x02\x50", b"\xc6\x33\x64\x07"))
        other[0] ^= 0xFF  # another id: somebody guesses
        return [bytes(other), server.answer(octets)]

    server.behave = forged
    assert (await ask(server)).answers == ("192.0.2.80", "192.0.2.81")


@pytest.mark.parametrize("octets", [b"", b"\x00", b"x" * 60, b"\xff" * 512])
async def test_garbage_is_a_fact(server, octets):
    server.behave = lambda *_: octets
    assert (await failure(server, timeout=0.3)).fact


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x00\x00", b"\xff\xffshort", b"\x00\x04abcd"])
async def test_a_stream_that_breaks_off_is_a_fact(server, octets):
    server.behave = lambda asked, _: server.answer(asked, cut=True)
    server.by_stream = lambda _: octets
    assert (await failure(server, timeout=0.5)).fact


async def test_this_hosts_own_servers_are_asked_in_turn_and_blamed_for_nothing(server, tmp_path, monkeypatch):
    (tmp_path / "resolv.conf").write_text("# none\nsearch example\nnameserver 127.0.0.9\nnameserver x\noptions x\n")
    monkeypatch.setattr(module, "_CONF", tmp_path / "resolv.conf")
    monkeypatch.setattr(module, "PORT", server.port)
    client = Dns(SystemClock())
    with pytest.raises(DnsError) as caught:
        await client.ask("www.example", "A", timeout=0.2)
    assert not caught.value.fact
    with (tmp_path / "resolv.conf").open("a") as conf:
        conf.write("nameserver 127.0.0.1\n")
    assert (await client.ask("www.example", "A", timeout=1)).server == server.at


@pytest.mark.parametrize("text", ["", "nameserver not-an-address\n", "nameserver\n"])
async def test_a_host_without_a_name_server_is_nobodys_fault_but_ours(tmp_path, monkeypatch, text):
    (tmp_path / "resolv.conf").write_text(text)
    monkeypatch.setattr(module, "_CONF", tmp_path / "resolv.conf")
    with pytest.raises(DnsError) as caught:
        await Dns(SystemClock()).ask("www.example", "A", timeout=0.2)
    assert not caught.value.fact


@pytest.mark.parametrize("record", ["a..b", "x" * 64, "a." * 200])
async def test_a_name_that_cannot_be_asked_for_is_our_own_fault(server, record):
    error = await failure(server, record=record)
    assert not error.fact
    assert not server.asked


def test_the_module_loads_without_its_library_and_never_loads_an_http_client():
    code = (
        "import sys, healer.drivers.dns as d; before = 'dns' in sys.modules; d._load()\n"
        "sys.exit(before or 'dns.message' not in sys.modules or not {'httpx', 'dns.resolver'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
