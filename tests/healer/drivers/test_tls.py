"""TLS servers that misbehave, and certificates of every kind: judged apart, always shown, bounded in time and size."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from healer.clock import SystemClock
from healer.drivers import tls as module
from healer.drivers.tls import Place, Tls, TlsError, describe, matches

NOW = dt.datetime.now(dt.UTC)


def named(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


class Authority:
    """Signs certificates; its own is what a chain must lead to."""

    def __init__(self, folder, name="our own authority"):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        made = self._about(name, self.key.public_key(), 3650).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self.path.write_bytes(made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def _about(self, name, public, days, before=10):
        return (
            x509.CertificateBuilder()
            .subject_name(named(name)).issuer_name(named(self.name)).public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - dt.timedelta(days=before)).not_valid_after(NOW + dt.timedelta(days=days))
        )  # fmt: skip

    def certificate(self, *names, days=30, key=None):
        """A file with a key and a certificate for these names (addresses too)."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        shown = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
        made = self._about("server", key.public_key(), days).add_extension(
            x509.SubjectAlternativeName(shown), critical=False
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path = self.folder / f"{x509.random_serial_number()}.pem"
        path.write_bytes(private + made.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@contextlib.asynccontextmanager
async def served(handler, path=None):
    """A server on loopback: its port, and every connection cut at the end."""
    writers = []

    async def serve(reader, writer):
        writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await handler(reader, writer)
        writer.close()

    context = None
    if path is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield listening.sockets[0].getsockname()[1]
    listening.close()
    for writer in writers:
        writer.transport.abort()
    await asyncio.sleep(0.01)


async def silence(reader, _):
    await reader.read()


async def ask(port, timeout=3.0, **more):
    return await Tls().ask(Place(host="127.0.0.1", port=port, **more), timeout=timeout)


async def failure(port, **more):
    with pytest.raises(TlsError) as caught:
        await ask(port, **more)
    return caught.value


async def test_a_trusted_chain_is_trusted_and_its_certificate_shown(authority):
    async with served(silence, authority.certificate("127.0.0.1", "web.example")) as port:
        shown = await ask(port, ca=str(authority.path))
    assert (shown.distrust, shown.version) == ("", "TLSv1.3")
    found = describe(shown.leaf)
    assert found.names == ("web.example", "127.0.0.1")
    assert (found.key, found.bits, found.self_signed) == ("ec", 256, False)
    assert "our own authority" in found.issuer
    assert 29 < (found.not_after - NOW).days + 1 <= 31
    assert len(found.fingerprint) == 64


@pytest.mark.parametrize(("days", "says"), [(-1, "expired"), (30, "unable to get local issuer")])
async def test_a_chain_that_is_not_trusted_is_told_why_and_the_certificate_still_shown(authority, tmp_path, days, says):
    trusted = authority if days < 0 else Authority(tmp_path, "somebody else")
    async with served(silence, authority.certificate("127.0.0.1", days=days)) as port:
        shown = await ask(port, ca=str(trusted.path))
    assert says in shown.distrust
    assert describe(shown.leaf).names == ("127.0.0.1",)


async def test_a_self_signed_certificate_says_so(tmp_path):
    alone = Authority(tmp_path, "alone")
    private = alone.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "both.pem"
    path.write_bytes(private + alone.path.read_bytes())
    async with served(silence, path) as port:
        shown = await ask(port)
    assert "self" in shown.distrust
    assert describe(shown.leaf).self_signed


@pytest.mark.parametrize(
    ("key", "word", "bits"),
    [(rsa.generate_private_key(65537, 2048), "rsa", 2048), (ed25519.Ed25519PrivateKey.generate(), "ed25519", None)],
)
async def test_keys_are_told_by_algorithm_and_size(authority, key, word, bits):
    async with served(silence, authority.certificate("127.0.0.1", key=key)) as port:
        found = describe((await ask(port, ca=str(authority.path))).leaf)
    assert (found.key, found.bits) == (word, bits)


async def test_the_name_asked_for_is_sent_so_that_the_right_certificate_comes(authority):
    asked = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate("web.example"))
    context.sni_callback = lambda _, name, __: asked.append(name)

    async def serve(reader, writer):
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    shown = await ask(port, server_name="web.example", ca=str(authority.path))
    listening.close()
    assert (asked, shown.distrust) == (["web.example"], "")
    await asyncio.sleep(0.01)


async def test_refused_is_a_fact_and_a_name_nobody_knows_is_not():
    assert (await failure(1)).fact
    with pytest.raises(TlsError) as caught:
        await Tls().ask(Place(host="no-such-host.invalid", port=1), timeout=3)
    assert not caught.value.fact


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_hung_handshake_is_a_fact_within_the_timeout_and_costs_no_descriptor():
    async with served(silence) as port:
        await failure(port, timeout=0.1)
        before = descriptors()
        started = SystemClock().now()
        for _ in range(3):
            error = await failure(port, timeout=0.1)
            assert (error.fact, "no handshake" in error.message) == (True, True)
        assert SystemClock().now() - started < 2
        # The server's own ends of them are still open.
        assert descriptors() <= before + 3


async def test_a_byte_a_moment_does_not_outlast_the_timeout():
    async def drip(_, writer):
        writer.write(b"\x16\x03\x03\x40\x00")
        while True:
            writer.write(b"\x02")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with served(drip) as port:
        assert (await failure(port, timeout=0.2)).fact


async def test_a_handshake_without_an_end_is_cut():
    async def flood(_, writer):
        record = b"\x16\x03\x03\x40\x00" + b"\x02" + b"\x0f\xff\xff" + b"x" * (16384 - 4)
        while True:
            writer.write(record)
            await writer.drain()

    async with served(flood) as port:
        assert (await failure(port)).fact


async def test_a_handshake_longer_than_its_bound_is_given_up(authority, monkeypatch):
    monkeypatch.setattr(module, "_MOST_HELLO", 100)
    async with served(silence, authority.certificate("127.0.0.1")) as port:
        assert "no end" in (await failure(port)).message


@pytest.mark.parametrize(
    "octets", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 40, b"\x15\x03\x03\x00\x02\x02\x28"]
)
async def test_what_is_no_tls_is_a_fact(octets):
    async def say(_, writer):
        writer.write(octets)
        await writer.drain()

    async with served(say) as port:
        assert (await failure(port)).fact


async def test_a_reset_in_the_handshake_is_a_fact():
    async def cut(reader, writer):
        await reader.read(10)
        writer.transport.abort()

    async with served(cut) as port:
        assert (await failure(port)).fact


async def test_trusted_certificates_that_cannot_be_read_are_our_own_fault(tmp_path):
    (tmp_path / "broken.pem").write_text("no certificate")
    for ca in ("none.pem", "broken.pem"):
        assert not (await failure(1, ca=str(tmp_path / ca))).fact


async def test_trusted_certificates_that_changed_are_read_anew(authority, tmp_path):
    other, tls = Authority(tmp_path, "somebody else"), Tls()
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(other.path.read_bytes())
    async with served(silence, authority.certificate("127.0.0.1")) as port:
        place = Place(host="127.0.0.1", port=port, ca=str(trusted))
        assert (await tls.ask(place, timeout=3)).distrust
        trusted.write_bytes(authority.path.read_bytes() + b"\n")
        assert not (await tls.ask(place, timeout=3)).distrust


def smtp(sock):
    with sock.makefile("rwb", buffering=0) as lines:
        lines.write(b"220-mail.example\r\n220 ready\r\n")
        assert lines.readline() == b"EHLO healer\r\n"
        lines.write(b"250-mail.example\r\n250-STARTTLS\r\n250 HELP\r\n")
        assert lines.readline() == b"STARTTLS\r\n"
        lines.write(b"220 go ahead\r\n")


def postgres(sock):
    assert sock.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16/"
    sock.sendall(b"S")


@pytest.mark.parametrize(("how", "talk"), [("smtp", smtp), ("postgres", postgres)])
async def test_tls_is_asked_for_where_a_server_does_not_begin_with_it(authority, how, talk):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate("127.0.0.1"))

    def serve(listening):
        with listening.accept()[0] as plain:
            plain.settimeout(5)
            talk(plain)
            with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as secure:
                secure.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=serve, args=(listening,))
        server.start()
        shown = await ask(listening.getsockname()[1], ca=str(authority.path), starttls=how)
        server.join(5)
    assert shown.distrust == ""


@pytest.mark.parametrize(
    ("how", "octets"),
    [("postgres", b"N"), ("postgres", b""), ("smtp", b"554 go away\r\n"), ("smtp", b""), ("smtp", b"x" * 20000),
     ("smtp", b"220 ready\r\n502 what?\r\n"), ("smtp", b"\xff\xfe\r\n")],
)  # fmt: skip
async def test_a_server_that_does_not_offer_tls_is_a_fact(how, octets):
    async def say(_, writer):
        writer.write(octets)
        await writer.drain()

    async with served(say) as port:
        assert (await failure(port, starttls=how)).fact


@pytest.mark.parametrize("octets", [b"", b"\x30\x03\x02\x01\x01", b"no certificate"])
def test_what_is_no_certificate_is_told_as_such(octets):
    with pytest.raises(TlsError, match="cannot be read"):
        describe(octets)


@pytest.mark.parametrize(
    ("names", "wanted", "right"),
    [
        (("web.example",), "web.example", True),
        (("web.example",), "WEB.Example.", True),
        (("*.example.org",), "web.example.org", True),
        (("*.example.org",), "a.web.example.org", False),
        (("*.example.org",), "example.org", False),
        (("*",), "example", False),
        (("*.org",), "example.org", False),
        (("127.0.0.1",), "127.0.0.1", True),
        (("*.0.0.1",), "127.0.0.1", False),
        (("::1",), "0:0:0:0:0:0:0:1", True),
        (("xn--bcher-kva.example",), "bücher.example", True),
        ((), "web.example", False),
        (("web.example",), "ä" * 80, False),
    ],
)
def test_a_name_is_matched_whole_with_a_star_for_its_first_label_only(names, wanted, right):
    assert matches(names, wanted) is right


async def test_a_name_that_cannot_be_asked_for_is_our_own_fault(authority):
    async with served(silence, authority.certificate("127.0.0.1")) as port:
        assert not (await failure(port, server_name="ä" * 80, ca=str(authority.path))).fact


def test_no_library_is_loaded_before_a_certificate_is_judged():
    code = "import sys, healer.drivers.tls; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
