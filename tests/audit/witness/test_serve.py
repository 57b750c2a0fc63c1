"""The witness over HTTP: right for those who ask rightly, and not to be worn down by the others."""

import http.client
import socket
import time
from contextlib import ExitStack, closing, suppress
from urllib.parse import urlsplit

import pytest

from audit.errors import AuditError, Poisoned
from audit.witness.protocol import MAX_BODY, SIZE_TYPE, log_id
from audit.witness.serve import Server, _remove_stale


def connect(url: str) -> socket.socket:
    if url.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(url.removeprefix("unix:"))
        return connection
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), 10)


def talk(url: str, octets: bytes) -> bytes:
    """Send octets, and return all that comes until the server closes or falls silent."""
    with closing(connect(url)) as connection:
        connection.settimeout(5)
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while more := connection.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


def post(body: bytes, *headers: bytes) -> bytes:
    lines = [b"POST /add-checkpoint HTTP/1.1", b"Host: w", b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _gone(client: socket.socket) -> bool:
    """Send one more octet, and tell whether the server has hung up."""
    try:
        client.sendall(b"P")
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def _send_for_ever(client: socket.socket, octets: bytes) -> int:
    """Send the same again and again without reading; returns how often it went."""
    for times in range(2000):
        try:
            client.sendall(octets)
        except OSError:
            return times
    return 2000


def test_one_connection_asks_many_times(witness, log, serving):
    log.grow(20)
    with serving(witness) as url, closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)) as client:
        for old in range(10):
            client.request("POST", "/add-checkpoint", log.submission(old, old + 1).octets())
            answer = client.getresponse()
            assert (answer.status, answer.read()[:4]) == (200, b"\xe2\x80\x94 ")
        client.request("POST", "/add-checkpoint", log.submission(3, 7).octets())
        answer = client.getresponse()
        assert (answer.status, answer.headers["content-type"], answer.read()) == (409, SIZE_TYPE, b"10\n")
        client.request("GET", f"/checkpoint/{log_id(log.signer.verifier.name)}")
        assert client.getresponse().read().startswith(log.head(10).text().encode())


def test_a_unix_socket_will_do(witness, log, serving, tmp_path):
    with serving(witness, f"unix:{tmp_path}/w.sock") as url:
        assert talk(url, post(log.submission(0).octets())).startswith(b"HTTP/1.1 200 ")


def test_requests_sent_in_one_piece_are_answered_in_order(witness, log, serving):
    bodies = [log.submission(old, old + 1).octets() for old in (0, 0, 1, 2)]
    octets = b"".join(map(post, [*bodies[:3], b"old 3", bodies[3]]))
    with serving(witness) as url:
        answers = talk(url, octets)
    assert [part[:3] for part in answers.split(b"HTTP/1.1 ")[1:]] == [b"200", b"409", b"200", b"400", b"200"]


def test_a_body_in_chunks_and_a_client_that_waits_to_be_told_to_go_on(witness, log, serving):
    body = log.submission(0).octets()
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
    with serving(witness) as url, closing(connect(url)) as client:
        client.sendall(head)
        assert client.recv(100).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    ("octets", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: w\r\n\r\n", b"404"),
        (b"GET /add-checkpoint HTTP/1.1\r\nHost: w\r\n\r\n", b"405"),
        (b"GET /checkpoint/../../etc/passwd HTTP/1.1\r\nHost: w\r\n\r\n", b"404"),
        (b"GET /checkpoint/%s HTTP/1.1\r\nHost: w\r\n\r\n" % (b"0" * 64), b"404"),
        (post(b""), b"400"),
        (post(b"\xff" * 1000), b"400"),
        (post(b"x" * (MAX_BODY + 1)), b"413"),
        (
            b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 99999999999999\r\n\r\n" + bytes(200_000),
            b"413",
        ),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", b"400"),
        (b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nX: " + b"x" * 20_000, b"431"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
        (b"\r\n\r\n\r\n", b"400"),
        (b"GET / HTTP/9.9\r\n\r\n", b"4"),
        (post(b"old 0\n\n")[:-3], b"400"),
    ],
)
def test_garbage_gets_a_refusal_and_the_next_client_is_served(witness, log, serving, octets, status):
    with serving(witness) as url:
        assert talk(url, octets).startswith(b"HTTP/1.1 " + status)
        assert talk(url, post(log.submission(0).octets())).startswith(b"HTTP/1.1 200 ")


def test_odd_but_lawful_requests_cost_nobody_his_answer(witness, log, serving):
    """HEAD has no body, Upgrade is not taken up, HTTP/1.0 hangs up: all of them in one flush with an honest request."""
    newest = f"/checkpoint/{log_id(log.signer.verifier.name)}".encode()
    odd = [
        b"HEAD %s HTTP/1.1\r\nHost: w\r\n\r\n" % newest,
        b"HEAD / HTTP/1.1\r\nHost: w\r\n\r\n",
        b"GET %s HTTP/1.1\r\nHost: w\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" % newest,
        b"CONNECT w:80 HTTP/1.1\r\nHost: w\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: w\r\n\r\n",
        b"GET %s HTTP/1.0\r\n\r\n" % newest,
    ]
    with serving(witness) as url:
        assert talk(url, post(log.submission(0, 1).octets())).startswith(b"HTTP/1.1 200 ")
        for old, request in enumerate(odd[:2] * 10, 1):
            log.grow(1)
            with closing(connect(url)) as one, closing(connect(url)) as honest:
                one.sendall(request)
                honest.sendall(post(log.submission(old, old + 1).octets()))
                assert honest.recv(100).startswith(b"HTTP/1.1 200 ")
        for request in odd:
            status, _, body = talk(url, request + request).partition(b"\r\n\r\n")
            assert status.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 404 "))
            assert body or request.startswith(b"HEAD")


def test_slow_clients_stop_nobody_and_are_put_out(witness, log, serving):
    with serving(witness, connections=20, request_s=0.5, idle_s=1.0) as url:
        slow = [connect(url) for _ in range(60)]
        for client in slow:
            client.settimeout(10)
            with suppress(OSError):  # it may have been shown the door for a newer one
                client.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Le")
        assert talk(url, post(log.submission(0).octets())).startswith(b"HTTP/1.1 200 ")
        begun = time.monotonic()
        for client in slow:
            with closing(client), suppress(ConnectionResetError):
                assert client.recv(1) == b""
        assert time.monotonic() - begun < 5


def test_too_many_connections_push_out_those_that_ask_nothing(witness, log, serving):
    """With all the time in the world for each, the limit alone must hold; who asks is not who is pushed out."""
    with serving(witness, connections=10, request_s=60, idle_s=60) as url, ExitStack() as stack:
        honest = stack.enter_context(closing(connect(url)))
        honest.settimeout(10)
        silent = []
        for old in range(3):
            silent += [stack.enter_context(closing(connect(url))) for _ in range(8)]
            honest.sendall(post(log.submission(old, old + 1).octets()))
            assert honest.recv(1000).startswith(b"HTTP/1.1 200 ")
        for client in silent[:14]:
            client.settimeout(10)
            with suppress(ConnectionResetError):
                assert client.recv(1) == b""


def test_who_is_turned_away_hears_why_and_cannot_go_on_for_ever(witness, serving):
    """A reset would take our words with it; what still comes is thrown away, for as long as a request may take."""
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 99999999999\r\n\r\n"
    with serving(witness, request_s=1.0) as url, closing(connect(url)) as client:
        client.settimeout(10)
        client.sendall(head)
        for _ in range(30):
            client.sendall(bytes(65536))
        answer = client.recv(65536)
        assert answer.startswith(b"HTTP/1.1 413 ")
        begun = time.monotonic()
        while not _gone(client):
            assert time.monotonic() - begun < 8


def test_a_drip_of_octets_does_not_prolong_a_request(witness, serving):
    with serving(witness, request_s=0.5) as url, closing(connect(url)) as client:
        client.settimeout(0.2)
        begun = time.monotonic()
        while not _gone(client):
            assert time.monotonic() - begun < 5


def test_a_client_that_never_reads_does_not_fill_our_memory(witness, log, serving):
    request = b"GET /checkpoint/%s HTTP/1.1\r\nHost: w\r\n\r\n" % log_id(log.signer.verifier.name).encode()
    with serving(witness) as url:
        assert talk(url, post(log.submission(0).octets())).startswith(b"HTTP/1.1 200 ")
        with closing(connect(url)) as client:
            client.settimeout(5)
            assert _send_for_ever(client, request * 100) < 2000


def test_nobody_is_answered_when_the_state_cannot_be_written(witness, log, serving, state):
    """An answer before the disk has it would be a promise that the next start may break."""
    state._database.execute("PRAGMA query_only = ON")
    with serving(witness) as url:
        assert talk(url, post(log.submission(0).octets())) == b""
    assert isinstance(witness.died, Poisoned)


@pytest.mark.parametrize(
    "listen", ["", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:x", "127.0.0.1:\u0664", "[::1]:65536"]
)
async def test_no_place_to_listen_is_said(witness, listen):
    with pytest.raises(AuditError, match="no place to listen"):
        await Server(witness).run(listen, print)


def test_a_dead_witnesss_socket_is_taken_over_and_a_living_ones_is_not(tmp_path):
    path = tmp_path / "w.sock"
    _remove_stale(path)
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(str(path))
        living.listen()
        with pytest.raises(AuditError, match="listens on"):
            _remove_stale(path)
    _remove_stale(path)
    assert not path.exists()
    path.write_text("something else")
    with pytest.raises(AuditError, match="not a socket"):
        _remove_stale(path)
