"""Where a witness is, and that asking one costs no more time and memory than was given."""

import socket
import ssl
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from audit.clock import SystemClock
from audit.errors import AuditError
from audit.witness.http import MAX_ANSWER, Place, ask
from audit.witness.protocol import OutOfReach


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://w.example", ("http", "w.example", 80, "")),
        ("https://w.example/", ("https", "w.example", 443, "")),
        ("http://[::1]:8470/a/b/", ("http", "::1", 8470, "/a/b")),
        ("unix:/run/w.sock", ("unix", "/run/w.sock", 0, "")),
    ],
)
def test_places_are_read(url, place):
    found = Place.parse(url)
    assert (found.scheme, found.host, found.port, found.prefix) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "w",
        "w:80",
        "ftp://w",
        "http://",
        "http://w:99999",
        "http://w:x",
        "http://u@w",
        "http://:secret@w",
        "http://@w",
        "http://w?x",
        "unix:w",
        "//w",
    ],
)
def test_what_is_no_place_is_refused(url):
    with pytest.raises(AuditError, match="no witness's URL"):
        Place.parse(url)


def test_what_stands_before_the_host_may_be_a_secret_and_is_not_repeated():
    with pytest.raises(AuditError) as caught:
        Place.parse("http://me:secret@w:port")
    assert "secret" not in str(caught.value)


def answering(octets: bytes, *, drip_s: float = 0.0):
    """A server that reads one request and sends these octets, whatever was asked."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        try:
            client, _ = server.accept()
        except OSError:
            return
        with closing(client):
            asked = b""
            while not asked.endswith(b"body"):  # closing with octets unread would be a reset
                asked += client.recv(65536)
            try:
                for at in range(0, len(octets), 1 if drip_s else 65536):
                    client.sendall(octets[at : at + (1 if drip_s else 65536)])
                    time.sleep(drip_s)
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    return server


def asked(octets: bytes, *, timeout_s: float = 5.0, drip_s: float = 0.0):
    with closing(answering(octets, drip_s=drip_s)) as server:
        place = Place.parse(f"http://127.0.0.1:{server.getsockname()[1]}")
        return ask(place, "/x", b"body", timeout_s=timeout_s, clock=SystemClock())


def test_an_answer_in_pieces_from_a_server_that_hangs_up_is_read_to_its_end():
    reply = asked(b"HTTP/1.0 200 OK\r\n\r\n" + b"x" * 50, drip_s=0.002)
    assert (reply.status, reply.body) == (200, b"x" * 50)


def test_a_redirect_is_an_answer_like_any_other_and_not_followed():
    reply = asked(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
    assert (reply.status, reply.body) == (302, b"")


def test_the_kind_is_told_without_its_parameters():
    reply = asked(b"HTTP/1.1 409 X\r\nContent-Type: TEXT/x.tlog.size; a=b\r\nContent-Length: 2\r\n\r\n5\n")
    assert (reply.status, reply.kind, reply.body) == (409, "text/x.tlog.size", b"5\n")


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\xff" * 100,
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000000\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000000000000000\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5af3107a4000\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_ANSWER + 1),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
    ],
)
def test_garbage_and_floods_are_out_of_reach(octets):
    with pytest.raises(OutOfReach, match=r"no answer from 127\.0\.0\.1"):
        asked(octets)


def test_an_answer_that_drips_is_given_up_in_time():
    begun = time.monotonic()
    with pytest.raises(OutOfReach):
        asked(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1000, timeout_s=0.3, drip_s=0.02)
    assert time.monotonic() - begun < 2


def test_nobody_there_is_out_of_reach(tmp_path):
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    for nowhere in (url, f"unix:{tmp_path}/nothing"):
        with pytest.raises(OutOfReach):
            ask(Place.parse(nowhere), "/x", None, timeout_s=1, clock=SystemClock())


@pytest.fixture
def certified(tmp_path):
    """A certificate for 127.0.0.1 that vouches for itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "witness")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "pem").write_bytes(secret + certificate.public_bytes(Encoding.PEM))
    return tmp_path / "pem"


def test_https_is_spoken_with_those_whom_the_hosts_certificates_vouch_for(certified, monkeypatch):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified)
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        place = Place.parse(f"https://127.0.0.1:{server.server_port}")
        with pytest.raises(OutOfReach, match="certificate verify failed"):
            ask(place, "/x", None, timeout_s=5, clock=SystemClock())
        monkeypatch.setenv("SSL_CERT_FILE", str(certified))
        assert ask(place, "/x", None, timeout_s=5, clock=SystemClock()).status == 501
        server.shutdown()
