"""Asking an authority: what is sent, and that nothing but a good token comes back."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from audit import authority, der
from audit.errors import Malformed, Undated, Unreachable
from audit.timestamp import MAX_TOKEN, check

IMPRINT = sha256(b"a checkpoint").digest()
REPLY = {"Content-Type": "application/timestamp-reply"}


def nonce_of(body: bytes) -> int:
    reader = der.only(body).reader()
    assert reader.take(der.INTEGER).number() == 1
    stamped = reader.take(der.SEQUENCE).reader()
    assert stamped.take().reader().take(der.OID).oid() == "2.16.840.1.101.3.4.2.1"
    assert stamped.take(der.OCTET_STRING).content == IMPRINT
    nonce = reader.take(der.INTEGER).number()
    assert reader.take(der.BOOLEAN).boolean()
    reader.end()
    return nonce


@contextmanager
def served(answer: Callable[[bytes], tuple[int, dict[str, str], bytes]]) -> Iterator[str]:
    """Answer on loopback until left."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            status, headers, body = answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/stamp?a=b"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def dripping(first: bytes, every_s: float) -> Iterator[str]:
    """Say ``first``, then an octet now and then, for ever."""
    left = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _ = server.accept()
            with line:
                try:
                    line.sendall(first)
                    while not left.wait(every_s):
                        line.sendall(b"a")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            left.set()
            thread.join()


def test_a_good_answer_comes_back_as_it_is(stamper):
    asked = []

    def answer(body: bytes) -> tuple[int, dict[str, str], bytes]:
        asked.append(nonce_of(body))
        return 200, REPLY, stamper.token(IMPRINT, asked[-1])

    with served(answer) as url:
        tokens = [authority.ask(url, IMPRINT, roots=stamper.roots) for _ in range(3)]
    assert [check(token, IMPRINT, stamper.roots).nonce for token in tokens] == asked
    assert len(set(asked)) == 3
    assert {nonce.bit_length() for nonce in asked} == {64}


def test_a_token_that_answers_another_request_is_refused(stamper):
    kept = stamper.token(IMPRINT, 12345)
    with served(lambda body: (200, REPLY, kept)) as url, pytest.raises(Undated, match="nonce"):
        authority.ask(url, IMPRINT, roots=stamper.roots)


def test_a_token_of_an_authority_that_is_not_pinned_is_refused(stamper, stamp_with):
    with (
        served(lambda body: (200, REPLY, stamper.token(IMPRINT, nonce_of(body)))) as url,
        pytest.raises(Undated, match="no pinned certificate"),
    ):
        authority.ask(url, IMPRINT, roots=stamp_with().roots)


def test_a_rejection_is_told_with_its_reason(stamper):
    status = der.encode(0x30, der.integer(2), der.encode(3, b"\x05\x20"))
    with (
        served(lambda body: (200, REPLY, der.encode(0x30, status))) as url,
        pytest.raises(Undated, match="rejected, the request is not permitted"),
    ):
        authority.ask(url, IMPRINT, roots=stamper.roots)


@pytest.mark.parametrize(
    ("answer", "error", "because"),
    [
        ((500, REPLY, b""), Unreachable, "answered 500"),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), Unreachable, "answered 302"),
        ((200, {}, b"x"), Unreachable, "answered with ''"),
        ((200, {"Content-Type": "text/html"}, b"<p>"), Unreachable, "answered with 'text/html'"),
        ((200, {**REPLY, "Content-Length": "500"}, b"\x30"), Unreachable, "in the middle"),
        ((200, REPLY, b""), Malformed, "ends where"),
        ((200, REPLY, b"junk"), Malformed, "tag"),
        ((200, REPLY, bytes(MAX_TOKEN + 9)), Malformed, "more than 65536 bytes"),
        ((200, {**REPLY, "Content-Length": "99999999999"}, bytes(MAX_TOKEN + 9)), Malformed, "more than 65536 bytes"),
        ((200, {"X": "a" * 70_000}, b""), Unreachable, "did not answer"),
    ],
)
def test_other_answers_are_told_apart(stamper, answer, error, because):
    with served(lambda body: answer) as url, pytest.raises(error, match=because):
        authority.ask(url, IMPRINT, roots=stamper.roots)


def test_nobody_there_is_unreachable(stamper):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for scheme in ("http", "https"):
        with pytest.raises(Unreachable, match=r"did not answer: .*refused"):
            authority.ask(f"{scheme}://127.0.0.1:{port}/", IMPRINT, roots=stamper.roots)


def test_a_secret_in_an_address_is_not_repeated(stamper):
    with pytest.raises(Malformed, match="not an address") as caught:
        authority.ask("http://user:secret@host/", IMPRINT, roots=stamper.roots)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_an_authority_that_drips_is_given_up(stamper, first):
    """Time is the subject: each octet would give a socket's own timeout a new life."""
    began = time.monotonic()
    with dripping(first, 0.02) as url, pytest.raises(Unreachable):
        authority.ask(url, IMPRINT, roots=stamper.roots, timeout=0.3)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "ftp://host/",
        "http://",
        "http:///path",
        "//host/",
        "http://host:0/",
        "http://host:99999/",
        "http://user:secret@host/",
        "http://host/a b",
        "http://host/\r\nX: y",
        "http://höst/",
        "http://[::1",
    ],
)
def test_what_is_no_address_of_the_web_is_refused(stamper, url):
    with pytest.raises(Malformed, match="not an address"):
        authority.ask(url, IMPRINT, roots=stamper.roots)


def test_only_sha256_is_asked_for():
    with pytest.raises(Malformed, match="48 octets"):
        authority.request(bytes(48), 1)


def test_a_request_is_written_as_openssl_writes_it():
    expected = f"3041020101303130 0d06096086480165030402010500 0420{IMPRINT.hex()} 0206 010203040506 0101ff"
    assert authority.request(IMPRINT, 0x010203040506).hex() == expected.replace(" ", "")
