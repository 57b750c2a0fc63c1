"""Hostile servers: whatever they do costs bounded time and memory, and says whether it tells something about them."""

import asyncio
import contextlib
import datetime as dt
import gzip
import ipaddress
import resource
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from healer.clock import SystemClock
from healer.drivers import http as module
from healer.drivers import reach
from healer.drivers.http import Http, HttpError

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


class Server:
    """Answers every request as its script says, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self.behave = None
        self.port = 0
        self.writers = []

    async def serve(self, reader, writer):
        self.writers.append(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            asked = await reader.readuntil(b"\r\n\r\n")
            self.asked.append(asked)
            done = self.behave(writer, asked) if callable(self.behave) else writer.write(self.behave)
            if done is not None:
                await done
            await writer.drain()
        writer.close()


@pytest.fixture
async def server():
    made = Server()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{made.port}/"
    made.behave = OK
    yield made
    listening.close()
    for writer in made.writers:
        writer.transport.abort()
    await asyncio.sleep(0)


@pytest.fixture
async def http():
    client = Http(SystemClock())
    await client.open()
    yield client
    await client.close()


async def failure(http, url, **options):
    with pytest.raises(HttpError) as caught:
        await http.ask(url, **{"timeout": 2.0, **options})
    return caught.value


async def test_an_answer_is_told_with_its_time(http, server):
    server.behave = b"HTTP/1.1 404 Not Found\r\nX-Thing: a\r\ncontent-length: 4\r\n\r\nnone"
    reply = await http.ask(server.url + "path?q=1")
    assert (reply.status, reply.body, reply.complete) == (404, b"none", True)
    assert reply.headers["x-thing"] == "a"
    assert 0 < reply.took < 2
    asked = server.asked[0].lower()
    assert asked.startswith(b"get /path?q=1 http/1.1\r\n")
    assert b"accept-encoding: identity" in asked
    assert b"user-agent: healer" in asked
    assert f"host: 127.0.0.1:{server.port}".encode() in asked


async def test_a_name_is_looked_up_and_kept_as_the_host(http, server):
    await http.ask(f"http://localhost:{server.port}/")
    assert f"host: localhost:{server.port}".encode() in server.asked[0].lower()


async def test_a_post_carries_its_body_and_its_headers(http, server):
    seen = []

    async def take(writer, asked):
        seen.append(asked)
        writer.write(OK)

    server.behave = take
    reply = await http.ask(server.url, method="POST", body=b'{"a":1}', headers={"Content-Type": "application/json"})
    assert reply.status == 200
    assert b"content-length: 7" in seen[0].lower()
    assert b"content-type: application/json" in seen[0].lower()


async def test_cookies_are_neither_kept_nor_sent(http, server):
    server.behave = b"HTTP/1.1 200 OK\r\nset-cookie: id=7\r\ncontent-length: 0\r\n\r\n"
    await http.ask(server.url)
    await http.ask(server.url)
    assert b"cookie" not in server.asked[1].lower()


async def test_every_request_knocks_anew(http, server):
    await http.ask(server.url)
    await http.ask(server.url)
    assert len(server.writers) == 2


async def test_refused_is_a_fact(http):
    error = await failure(http, "http://127.0.0.1:1/")
    assert (error.kind, error.fact, error.sent) == ("refused", True, False)
    assert "Connection refused" in error.message


async def test_a_server_that_takes_the_request_and_is_silent_is_a_fact_that_may_have_happened(http, server):
    server.behave = lambda *_: asyncio.sleep(30)
    error = await failure(http, server.url, timeout=0.2)
    assert (error.kind, error.fact, error.sent) == ("timeout", True, True)


async def test_a_byte_a_moment_does_not_outlast_the_timeout(http, server):
    async def drip(writer, _):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.behave = drip
    start = SystemClock().now()
    error = await failure(http, server.url, timeout=0.3)
    assert error.kind == "timeout"
    assert SystemClock().now() - start < 1.5


async def test_an_endless_body_is_cut_and_said_to_be(http, server):
    async def flood(writer, _):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    server.behave = flood
    reply = await http.ask(server.url, most=100_000)
    assert len(reply.body) == 100_000
    assert not reply.complete


async def test_endless_chunks_and_endless_headers_are_bounded(http, server):
    async def headers(writer, _):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-filler: " + b"y" * 8000 + b"\r\n")
            await writer.drain()

    server.behave = headers
    error = await failure(http, server.url)
    assert (error.kind, error.fact) == ("protocol", True)


async def test_a_gzip_bomb_is_never_unpacked(http, server):
    bomb = gzip.compress(b"\0" * 50_000_000)
    server.behave = (
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: " + str(len(bomb)).encode() + b"\r\n\r\n" + bomb
    )
    reply = await http.ask(server.url)
    assert reply.body == bomb


async def test_a_circle_of_redirects_is_left(http, server):
    server.behave = b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"
    error = await failure(http, server.url)
    assert (error.kind, error.fact) == ("redirects", True)
    assert len(server.asked) == 1


async def test_a_staircase_of_redirects_ends(http, server):
    def climb(writer, asked):
        step = int(asked.split(b" ")[1].strip(b"/") or b"0") + 1
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: /{step}\r\ncontent-length: 0\r\n\r\n".encode())

    server.behave = climb
    assert (await failure(http, server.url)).kind == "redirects"
    assert len(server.asked) == module.MOST_REDIRECTS + 1


async def test_a_redirect_is_followed_but_not_with_a_secret_to_another_origin(http, server):
    def send_away(writer, asked):
        if b"/there" in asked:
            writer.write(OK)
        else:
            where = f"http://localhost:{server.port}/there"
            writer.write(f"HTTP/1.1 302 Found\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n".encode())

    server.behave = send_away
    assert (await http.ask(server.url, headers={"Authorization": "Bearer x"})).status == 200
    assert b"Bearer x" in server.asked[0]
    assert b"Bearer x" not in server.asked[1]


async def test_a_redirect_to_another_scheme_is_refused(http, server):
    server.behave = b"HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n"
    assert (await failure(http, server.url)).kind == "request"


async def test_a_post_is_not_redirected(http, server):
    server.behave = b"HTTP/1.1 307 Moved\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"
    assert (await http.ask(server.url, method="POST", body=b"x")).status == 307
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello there\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhi",
        b"\x16\x03\x01\x00",
        b"HTTP/1.1 999",
    ],
)
async def test_what_is_no_http_is_a_fact_about_the_server(http, server, answer):
    server.behave = answer
    error = await failure(http, server.url)
    assert (error.kind, error.fact, error.sent) == ("protocol", True, True)


def peak():
    """Most memory this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def test_a_storm_of_100_continue_ends_soon_and_does_not_hold_the_loop(http, server):
    async def storm(writer, _):
        while True:
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 500)
            await writer.drain()

    server.behave = storm
    before, late = peak(), []
    beat = asyncio.ensure_future(beats(late))
    error = await failure(http, server.url, timeout=5.0)
    beat.cancel()
    assert (error.kind, error.fact) == ("protocol", True)
    assert "no answer has begun" in error.message
    assert peak() - before < 32 << 20
    assert max(late) < 1.0, "the agent's own loop went on, also where the machine is busy"


async def test_a_storm_inside_tls_ends_as_soon(http, tmp_path):
    async with tls_server(certificate(tmp_path), b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50_000) as url:
        assert "no answer has begun" in (await failure(http, url, verify=False, timeout=5.0)).message


async def test_an_answer_with_many_headers_before_it_and_a_body_behind_is_still_read(http, server):
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 100
    server.behave = hints + b"HTTP/1.1 200 OK\r\ncontent-length: 500000\r\n\r\n" + b"x" * 500_000
    assert len((await http.ask(server.url)).body) == 500_000


async def beats(late):
    """How late a loop is that should wake every 10 ms."""
    clock = SystemClock()
    while True:
        start = clock.now()
        await asyncio.sleep(0.01)
        late.append(clock.now() - start - 0.01)


async def test_a_slow_loris_of_headers_does_not_outlast_the_timeout(http, server):
    async def drip(writer, _):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    server.behave = drip
    start = SystemClock().now()
    assert (await failure(http, server.url, timeout=0.3)).kind == "timeout"
    assert SystemClock().now() - start < 1.5


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhe",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nx: y",
    ],
)
@pytest.mark.parametrize("end", ["close", "reset"])
async def test_a_reply_that_breaks_off_is_no_reply(http, server, answer, end):
    async def half(writer, _):
        writer.write(answer)
        await writer.drain()
        if end == "reset":
            writer.transport.abort()

    server.behave = half
    error = await failure(http, server.url)
    assert (error.kind, error.fact, error.sent) == ("protocol", True, True)


async def test_a_half_close_after_the_whole_reply_is_fine_and_before_it_is_not(http, server):
    async def then_shut(writer, _):
        writer.write(OK)
        writer.write_eof()
        await asyncio.sleep(0.2)

    server.behave = then_shut
    assert (await http.ask(server.url)).status == 200

    async def shut(writer, _):
        writer.write_eof()
        await asyncio.sleep(0.2)

    server.behave = shut
    assert (await failure(http, server.url)).kind == "protocol"


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 2\r\ncontent-length: 3\r\n",
        b"content-length: -1\r\n",
        b"content-length: " + b"9" * 30 + b"\r\n",
        b"transfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFFFF\r\n",
        b"transfer-encoding: chunked\r\n\r\n-1\r\n",
        b"transfer-encoding: gzip, chunked\r\n",
        b"no colon here\r\n",
        b"x: a\x00b\r\n",
    ],
)
async def test_lengths_and_headers_that_lie_are_facts_and_never_believed(http, server, head):
    server.behave = b"HTTP/1.1 200 OK\r\n" + head + b"\r\nhi"
    error = await failure(http, server.url, timeout=0.5)
    assert (error.fact, error.kind in ("protocol", "timeout")) == (True, True)


async def test_endless_tiny_chunks_are_cut_at_the_bound(http, server):
    async def chunks(writer, _):
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n" * 1000)
            await writer.drain()

    server.behave = chunks
    reply = await http.ask(server.url, most=20_000, timeout=5.0)
    assert (len(reply.body), reply.complete) == (20_000, False)


async def test_a_hundred_hostile_answers_leave_no_descriptor_behind(http, server):
    for behave in (OK[:20], b"", lambda writer, _: writer.transport.abort(), OK + b"x" * 100):
        server.behave = behave
        for _ in range(3):
            with contextlib.suppress(HttpError):
                await http.ask(server.url, timeout=1.0)
    await asyncio.sleep(0.05)
    before = len(list(Path("/proc/self/fd").iterdir()))  # noqa: ASYNC240 - it is no disk
    for behave in (OK[:20], b"", lambda writer, _: writer.transport.abort(), OK + b"x" * 100):
        server.behave = behave
        for _ in range(10):
            with contextlib.suppress(HttpError):
                await http.ask(server.url, timeout=1.0)
    await asyncio.sleep(0.05)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2  # noqa: ASYNC240 - as above


async def test_early_hints_are_read_past(http, server):
    server.behave = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK
    assert (await http.ask(server.url)).status == 200


async def test_a_reset_is_a_fact(http, server):
    server.behave = lambda writer, _: writer.transport.abort()
    error = await failure(http, server.url)
    assert (error.kind, error.fact) == ("protocol", True)


async def test_a_name_nobody_knows_tells_nothing_about_the_server(http):
    error = await failure(http, "http://no-such-host.invalid/")
    assert (error.kind, error.fact) == ("dns", False)


async def test_no_network_of_ours_tells_nothing_about_the_server(http, monkeypatch):
    async def nowhere(*_, **__):
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", nowhere)
    error = await failure(http, "http://127.0.0.1:9/")
    assert (error.kind, error.fact) == ("local", False)


async def test_the_second_address_is_tried_when_the_first_refuses(http, server, monkeypatch):
    async def two(*_):
        return [(2, ("127.0.0.99", 0)), (2, ("127.0.0.1", 0))]

    monkeypatch.setattr(reach.Resolver, "addresses", two)
    assert (await http.ask(f"http://two.example:{server.port}/")).status == 200


async def test_a_name_without_an_address_tells_nothing(http, monkeypatch):
    async def none(*_):
        return []

    monkeypatch.setattr(reach.Resolver, "addresses", none)
    assert (await failure(http, "http://none.example/")).kind == "dns"


@pytest.mark.parametrize(
    "url",
    ["", "x", "ftp://x/", "http://", "http://a:99999/", "http://a:0/", "http://127.0.0.1:1\n/", "http://[::1/", "//x"],
)
async def test_what_is_no_address_is_our_own_fault(http, url):
    error = await failure(http, url)
    assert (error.kind, error.fact) == ("request", False)


async def test_a_header_that_would_break_the_request_is_our_own_fault(http, server):
    error = await failure(http, server.url, headers={"X": "a\r\nY: b"})
    assert (error.kind, error.fact) == ("request", False)
    assert not server.asked


async def test_what_is_secret_in_an_address_is_not_told(http):
    error = await failure(http, "http://user:secret@127.0.0.1:1/path?token=secret")
    assert "secret" not in str(error)


async def test_a_unix_socket_is_asked(http, tmp_path):
    made = Server()
    made.behave = OK
    listening = await asyncio.start_unix_server(made.serve, tmp_path / "s")
    reply = await http.ask("http://agent/api", uds=str(tmp_path / "s"))
    listening.close()
    assert reply.body == b"hi"
    assert b"host: agent" in made.asked[0].lower()
    error = await failure(http, "http://agent/", uds=str(tmp_path / "none"))
    assert (error.kind, error.fact) == ("refused", True)


def certificate(folder, *, name="127.0.0.1", days=1):
    """A self-signed certificate and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(name))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextlib.asynccontextmanager
async def tls_server(path, answer=OK):
    made = Server()
    made.behave = answer
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=context)
    yield f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    listening.close()
    for writer in made.writers:
        writer.transport.abort()
    await asyncio.sleep(0.01)


async def test_a_certificate_nobody_vouches_for_is_a_fact_unless_any_will_do(http, tmp_path):
    async with tls_server(certificate(tmp_path)) as url:
        error = await failure(http, url)
        assert (error.kind, error.fact, error.sent) == ("tls", True, False)
        assert "self" in error.message
        assert (await http.ask(url, verify=False)).status == 200


@pytest.mark.parametrize(
    ("name", "days", "says"), [("127.0.0.1", 1, ""), ("127.0.0.1", -1, "expired"), ("10.0.0.1", 1, "mismatch")]
)
async def test_a_certificate_is_judged_by_its_name_and_its_days(http, tmp_path, monkeypatch, name, days, says):
    path = certificate(tmp_path, name=name, days=days)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    async with tls_server(path) as url:
        if says:
            error = await failure(http, url)
            assert error.kind == "tls"
            assert says in error.message
        else:
            assert (await http.ask(url)).status == 200


async def test_plain_http_on_a_tls_port_and_the_other_way_round_are_facts(http, server, tmp_path):
    error = await failure(http, server.url.replace("http:", "https:"), timeout=0.3)
    assert (error.kind, error.fact) == ("timeout", True)  # our hello is no request, so it waits for one
    async with tls_server(certificate(tmp_path)) as url:
        error = await failure(http, url.replace("https:", "http:"))
        assert (error.kind, error.fact) == ("protocol", True)


async def test_a_server_that_hangs_in_its_tls_handshake_costs_no_descriptor(http, server):
    https = server.url.replace("http:", "https:")
    await failure(http, https, timeout=0.1)
    before = len(list(Path("/proc/self/fd").iterdir()))  # noqa: ASYNC240 - it is no disk
    for _ in range(5):
        assert (await failure(http, https, timeout=0.1)).kind == "timeout"
    for writer in server.writers:
        writer.transport.abort()
    await asyncio.sleep(0.05)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before  # noqa: ASYNC240 - as above


def test_the_module_loads_without_its_library():
    code = "import sys, healer.drivers.http; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
