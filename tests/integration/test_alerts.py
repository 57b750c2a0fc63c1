"""A whole agent tells people: real SMTP with TLS and client certificates, a gateway over real HTTP, sealed proof."""

import contextlib
import datetime as dt
import email
import email.policy
import json
import socket
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from audit import canonical
from audit.errors import Poisoned
from audit.reader import Log
from healer.app.agent import Agent
from healer.clock import SystemClock
from healer.drivers.smtp import Letter, Server, SmtpError, send

FAST = {"wait": "0s"}


# Certificates ------------------------------------------------------------------------------------------------------


def _made(name, issuer=None, *, authority=False, days=2):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by, signing = (subject, key) if issuer is None else (issuer[0].subject, issuer[1])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=3))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    )
    return built.sign(signing, hashes.SHA256()), key


def _written(folder, name, made):
    certificate, key = made
    plain = serialization.NoEncryption()
    path = folder / f"{name}.pem"
    path.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    )
    return str(path)


@pytest.fixture(scope="module")
def papers(tmp_path_factory):
    """A small authority, a server it knows, one whose days are over, and a client."""
    folder = tmp_path_factory.mktemp("papers")
    root = _made("test root", authority=True)
    made = {
        "ca": _written(folder, "ca", root),
        "server": _written(folder, "server", _made("localhost", root)),
        "expired": _written(folder, "expired", _made("localhost", root, days=-1)),
        "client": _written(folder, "client", _made("healer", root)),
        "stranger": _written(folder, "stranger", _made("localhost")),
    }
    (folder / "password").write_text("hunter22-s3cret\n", encoding="utf-8")
    (folder / "password").chmod(0o600)
    made["password"] = str(folder / "password")
    return made


# Real systems ------------------------------------------------------------------------------------------------------


class Mailbox:
    """What arrived; addresses that begin with ``nobody`` are refused."""

    def __init__(self):
        self.letters = []
        self.lock = threading.Lock()

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):  # noqa: N802 - aiosmtpd's
        del server, session, rcpt_options
        if address.startswith("nobody"):
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Ok"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802 - aiosmtpd's
        del server
        with self.lock:
            parsed = email.message_from_bytes(envelope.content, policy=email.policy.SMTP)
            self.letters.append((parsed, session.ssl, session.auth_data, list(envelope.rcpt_tos)))
        return f"250 2.0.0 Ok: queued as Q{len(self.letters)}"


def _context(papers, name, *, asks=False):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(papers[name])
    if asks:
        context.load_verify_locations(papers["ca"])
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@contextlib.contextmanager
def smtp_sink(**how):
    mailbox = Mailbox()

    def authenticator(server, session, envelope, mechanism, given):
        del server, session, envelope, mechanism
        ok = isinstance(given, LoginPassword) and given.password == b"hunter22-s3cret"
        return AuthResult(success=ok, handled=ok, auth_data=given.login.decode() if ok else None)

    controller = Controller(mailbox, hostname="127.0.0.1", port=_port(), authenticator=authenticator, **how)
    controller.start()
    try:
        yield mailbox, controller.port
    finally:
        controller.stop()


def _port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class _Gateway(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.heard.append((self.path, dict(self.headers), body))
        status, reply = self.server.answer
        self.send_response(status)
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_):
        """Quietly."""


@pytest.fixture
def gateway():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Gateway)
    server.heard, server.answer = [], (200, b'{"messages": [{"status": "0", "id": "GW-17"}]}')
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def agent(tmp_path, **config):
    made = {
        "node": "web-1",
        "rules": {"files": [], "default_mode": "observe"},
        "sensors": {"host": {"every": "5s"}},
        **config,
    }
    return Agent({**made}, state_dir=tmp_path / "s")


def target(tmp_path, name="flag"):
    """A file that should be there: its absence is a target that is down."""
    return {"kind": "file", "name": name, "organ": "heart", "path": str(tmp_path / name), "every": "200ms"}


def until(true, patience=20.0):
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return found


def alert(live, key="target:file:flag"):
    """What is told of it; the machine that runs the tests may have troubles of its own."""
    return next(one for one in live.status()["alerts"] if one["key"] == key)


def entries(tmp_path, *kinds):
    with Log.open(tmp_path / "s") as log:
        found = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
    return [entry for entry in found if entry["kind"] in kinds]


def told(tmp_path):
    """Outcomes of messages, as they are sealed."""
    sent = {one["id"]: one for one in entries(tmp_path, "intent") if one["action"] == "notify"}
    return [one for one in entries(tmp_path, "outcome") if one["id"] in sent]


# The way of a message ----------------------------------------------------------------------------------------------


def test_a_trouble_is_a_sealed_mail_in_one_thread_and_its_end_another(tmp_path, papers):
    with smtp_sink(tls_context=_context(papers, "server", asks=True), require_starttls=True) as (mailbox, port):
        mail = {
            "kind": "email", "host": "localhost", "port": port, "tls": "starttls", "ca": papers["ca"],
            "certificate": papers["client"], "user": "healer", "password": {"file": papers["password"]},
            "sender": "Healer <healer@example.org>", "recipients": ["ops@example.org", "nobody@example.org"],
            "alerts": FAST | {"about": ["failure"]},
        }  # fmt: skip
        (tmp_path / "flag").touch()
        with agent(tmp_path, targets=[target(tmp_path)], notify={"mail": mail}) as live:
            until(lambda: live.status()["targets"][0]["health"] == "healthy")
            (tmp_path / "flag").unlink()
            first = until(lambda: mailbox.letters)[0]
            status = until(lambda: [one for one in live.status()["channels"] if one["sent"]])
            assert [one["name"] for one in status] == ["mail"]
            assert until(lambda: alert(live)["told"]) == ["mail"]
            (tmp_path / "flag").touch()
            second = until(lambda: len(mailbox.letters) > 1 and mailbox.letters[1])
    (letter, tls, who, recipients), (answer, *_) = first, second
    assert letter["Subject"].startswith("[web-1] warning: file:flag is down")
    assert letter["Auto-Submitted"] == "auto-generated"
    assert tls is not None
    assert who == "healer"
    assert recipients == ["ops@example.org"]
    assert answer["Subject"].startswith("[web-1] info: over after ")
    assert answer["In-Reply-To"] == letter["Message-ID"]
    proof = [one["because"] for one in told(tmp_path) if one["result"] == "done"]
    assert proof[0] == (
        "told mail: 250 2.0.0 Ok: queued as Q1 for 1 of 2; refused: nobody@example.org: 550 5.1.1 no such user"
    )
    sealed = (tmp_path / "s" / "audit.db").read_bytes()
    assert b"hunter22-s3cret" not in sealed


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("server", "ca", "says"),
    [
        ("expired", True, "certificate has expired"),
        ("stranger", True, "self-signed certificate"),
        ("server", False, "unable to get local issuer certificate"),
        ("server", True, ""),
    ],
)
async def test_mail_goes_to_nobody_who_cannot_prove_who_they_are(papers, tls, server, ca, says):
    context = _context(papers, server)
    how = {"ssl_context": context} if tls == "tls" else {"tls_context": context}
    if tls == "tls" and says:
        # Its start asks itself over TLS without trusting anybody: only that it listens matters here.
        how["ssl_context"].check_hostname = False
    with smtp_sink(**how) as (mailbox, port):
        at = Server(host="localhost", port=port, tls=tls, ca=papers["ca"] if ca else "")
        letter = Letter(
            sender="a@example.org", recipients=("b@example.org",), subject="x", text="y", id="1",
            at=SystemClock().wall(), node="n",
        )  # fmt: skip
        if not says:
            assert (await send(at, letter, 5.0)).reply == "250 2.0.0 Ok: queued as Q1"
            return
        with pytest.raises(SmtpError, match=says):
            await send(at, letter, 5.0)
        assert mailbox.letters == []


async def test_a_wrong_password_is_ours_to_mend(papers):
    with smtp_sink(tls_context=_context(papers, "server")) as (mailbox, port):
        at = Server(
            host="localhost", port=port, tls="starttls", ca=papers["ca"], user="healer", password="wrong"
        )  # fmt: skip
        letter = Letter(
            sender="a@example.org", recipients=("b@example.org",), subject="x", text="y", id="1", at=0.0, node="n"
        )
        with pytest.raises(SmtpError, match="535") as caught:
            await send(at, letter, 5.0)
        assert not caught.value.transient
        assert mailbox.letters == []


def test_a_dead_channel_hands_over_is_skipped_and_recorded_so(tmp_path, gateway):
    dead = {
        "kind": "webhook", "url": f"http://127.0.0.1:{_port()}/", "error_limit": 1, "retry_after": "1h",
        "alerts": FAST | {"about": ["failure"]},
    }  # fmt: skip
    sms = {
        "kind": "sms", "url": f"http://127.0.0.1:{gateway.server_port}/send",
        "body": {"message.to": "{number}", "message.text": "{text}", "from": "{sender}"}, "sender": "Healer",
        "recipients": ["600 123 456"], "country": "48", "accepted": {"messages.0.status": "0"}, "id": "messages.0.id",
    }  # fmt: skip
    (tmp_path / "flag").touch()
    (tmp_path / "other").touch()
    targets = [target(tmp_path), target(tmp_path, "other")]
    with agent(tmp_path, targets=targets, notify={"hook": dead, "sms": sms}) as live:
        until(lambda: {one["health"] for one in live.status()["targets"]} == {"healthy"})
        (tmp_path / "flag").unlink()
        until(lambda: gateway.heard)
        (tmp_path / "other").unlink()
        until(lambda: len(gateway.heard) > 1)
        hook = next(one for one in live.status()["channels"] if one["name"] == "hook")
        until(lambda: len(told(tmp_path)) >= 4)
    assert hook["skipping"]
    assert hook["skipped"] >= 1
    body = json.loads(gateway.heard[0][2])
    assert body["message"]["to"] == "+48600123456"
    assert body["message"]["text"].startswith("web-1 warning: file:flag is down")
    assert body["from"] == "Healer"
    results = [one["result"] for one in told(tmp_path)]
    assert results[:2] == ["failed-transient", "done"]
    assert "skipped" in results
    assert "told sms: +48600123456 (200, id GW-17)" in [one["because"] for one in told(tmp_path)]


def test_a_restart_tells_nothing_twice_and_an_ack_ends_the_asking(tmp_path, gateway):
    hook = {
        "kind": "webhook", "url": f"http://127.0.0.1:{gateway.server_port}/first",
        "alerts": FAST | {"about": "failure"},
    }  # fmt: skip
    boss = hook | {
        "url": f"http://127.0.0.1:{gateway.server_port}/boss", "alerts": FAST | {"about": "failure", "after": "5s"},
    }  # fmt: skip
    (tmp_path / "flag").touch()
    how = {"targets": [target(tmp_path)], "notify": {"hook": hook, "boss": boss}}
    with agent(tmp_path, **how) as live:
        until(lambda: live.status()["targets"][0]["health"] == "healthy")
        (tmp_path / "flag").unlink()
        until(lambda: gateway.heard)
        live.ask("ack", "file:flag")
        until(lambda: alert(live)["acked"])
    with agent(tmp_path, **how) as live:
        until(lambda: live.status()["targets"][0]["health"] == "failed")
        time.sleep(4.5)  # two looks: what would be sent would be by now
        assert alert(live)["acked"] == "python"
    assert [path for path, _, _ in gateway.heard] == ["/first"]


def test_that_nothing_can_be_sealed_is_told_past_the_log(tmp_path, gateway):
    hook = {
        "kind": "webhook", "url": f"http://127.0.0.1:{gateway.server_port}/", "alerts": FAST | {"about": ["log"]},
    }  # fmt: skip
    with agent(tmp_path, notify={"hook": hook}) as live:
        running = live._agent
        running.writer._committer.poison = Poisoned("fsync failed: Input/output error")
        until(lambda: gateway.heard)
    event = json.loads(gateway.heard[0][2])
    assert "the log takes no entries: fsync failed" in event["data"]["message"]
    assert event["data"]["severity"] == "critical"
    assert told(tmp_path) == []  # past it
