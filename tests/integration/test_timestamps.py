"""Time-stamps by a real authority: the ``openssl ts`` command behind a small server on loopback."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from audit import authority, timestamp, x509
from audit.errors import AuditError, KeyRefused, Malformed, Undated
from audit.x509 import Certificate

pytestmark = pytest.mark.real

NOTE = b"sealed/web-1/genesis\n12\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n\n\xe2\x80\x94 web-1 AAAAAAAA\n"
IMPRINT = timestamp.imprint_of(NOTE)
DAY_US = 24 * 3_600_000_000
KEYS = {"rsa": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ec": ["EC", "-pkeyopt", "ec_paramgen_curve:P-384"]}
PINS = {"rsa": "sha1"}  # the older form of naming the signer, which knows no other hash
CONFIGURATION = """
[ca]
default_ca = ca_default
[ca_default]
new_certs_dir = .
database = index.txt
serial = ca.serial
policy = anything
default_md = sha256
unique_subject = no
[anything]
commonName = supplied
[root]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[stamper]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[mail]
extendedKeyUsage = critical, emailProtection
[tsa]
default_tsa = tsa_default
[tsa_default]
serial = tsa.serial
crypto_device = builtin
default_policy = 1.2.3.4.1
digests = sha256
signer_digest = sha256
accuracy = secs:1, millisecs:500, microsecs:100
clock_precision_digits = 3
ordering = yes
tsa_name = yes
ess_cert_id_chain = no
ess_cert_id_alg = HASH
"""


@dataclass(frozen=True, kw_only=True)
class Tsa:
    """A folder with a root, a certificate of the authority and what ``openssl ts`` needs."""

    folder: Path

    def openssl(self, *arguments: str) -> None:
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def make(self, kind: str) -> "Tsa":
        """Make a root and a stamper with keys of this kind."""
        (self.folder / "openssl.cnf").write_text(CONFIGURATION.replace("HASH", PINS.get(kind, "sha256")))
        (self.folder / "index.txt").touch()
        (self.folder / "ca.serial").write_text("1000\n")
        (self.folder / "tsa.serial").write_text("01\n")
        for name in ("root", "stamper"):
            self.openssl("genpkey", "-algorithm", *KEYS[kind], "-out", f"{name}.key")
            self.openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name} {kind}", "-out", f"{name}.csr")
        self.issue("root", "20200101000000Z", "20990101000000Z", "-selfsign", "-keyfile", "root.key")
        self.issue("stamper", "20200101000000Z", "20990101000000Z")
        return self

    def issue(self, name: str, first: str, last: str, *by: str, to: str = "", extensions: str = "") -> None:
        by = by or ("-cert", "root.pem", "-keyfile", "root.key")
        times = ("-startdate", first, "-enddate", last, "-notext", "-batch")
        more = ("-in", f"{name}.csr", "-out", f"{to or name}.pem", "-extensions", extensions or name)
        self.openssl("ca", "-config", "openssl.cnf", *by, *times, *more)

    def pin(self, name: str = "root") -> list[Certificate]:
        return x509.from_pem((self.folder / f"{name}.pem").read_bytes())

    def reply(self, query: bytes, *more: str, signer: str = "stamper") -> bytes:
        (self.folder / "query").write_bytes(query)
        who = ("-signer", f"{signer}.pem", "-inkey", "stamper.key")
        self.openssl("ts", "-reply", "-config", "openssl.cnf", "-queryfile", "query", "-out", "reply", *who, *more)
        return (self.folder / "reply").read_bytes()


@pytest.fixture(scope="module", params=KEYS)
def tsa(request, real, tmp_path_factory) -> Tsa:
    real("openssl")
    return Tsa(folder=tmp_path_factory.mktemp(request.param)).make(request.param)


@pytest.fixture(scope="module")
def token(tsa) -> bytes:
    return tsa.reply(authority.request(IMPRINT, 0x1234))


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[bytes], bytes]], str]]:
    """Put an authority behind loopback HTTP."""
    running = []

    def start(answer: Callable[[bytes], bytes]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                reply = answer(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(reply)))
                self.end_headers()
                self.wfile.write(reply)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}/"

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_checkpoint_is_stamped_over_http_and_checked_against_the_pinned_root(tsa, serve):
    token = authority.ask(serve(tsa.reply), IMPRINT, roots=tsa.pin())
    stamp = timestamp.check(token, IMPRINT, tsa.pin())
    made = (tsa.folder / "reply").stat().st_mtime
    assert abs(stamp.time_us / 1e6 - made) < 60
    assert stamp.time_us % 1000 == 0
    assert (stamp.accuracy_us, stamp.policy, stamp.ordered) == (1_500_100, "1.2.3.4.1", True)
    assert stamp.authority.startswith("CN=stamper ")


def test_openssl_agrees_about_the_token_and_about_the_request(tsa, token):
    """Another implementation says yes and no to the same, told the same root."""
    folder = tsa.folder
    (folder / "token.tsr").write_bytes(token)
    (folder / "12.note").write_bytes(NOTE)
    # As docs/timestamps.md tells an auditor to do it.
    text = subprocess.run(["sed", "/^$/Q", "12.note"], cwd=folder, capture_output=True, check=True).stdout
    (folder / "text").write_bytes(text)
    assert sha256(text).digest() == IMPRINT
    tsa.openssl("ts", "-verify", "-in", "token.tsr", "-data", "text", "-CAfile", "root.pem")
    for digest, good in ((IMPRINT, True), (sha256(b"other").digest(), False)):
        done = subprocess.run(
            ["openssl", "ts", "-verify", "-in", "token.tsr", "-digest", digest.hex(), "-CAfile", "root.pem"],
            cwd=folder,
            capture_output=True,
            check=False,
        )
        assert (done.returncode == 0) is good


def test_a_token_without_certificates_needs_the_signer_pinned(tsa):
    query = authority.request(IMPRINT, 1)[:-3]
    bare = tsa.reply(query[:1] + bytes([query[1] - 3]) + query[2:])
    with pytest.raises(Undated, match="neither in the token nor pinned"):
        timestamp.check(bare, IMPRINT, tsa.pin())
    assert timestamp.check(bare, IMPRINT, tsa.pin("stamper"))
    assert timestamp.check(bare, IMPRINT, [*tsa.pin(), *tsa.pin("stamper")])


def test_another_root_message_or_nonce_is_refused(tsa, token, serve, tmp_path):
    other = Tsa(folder=tmp_path).make("ec")
    for roots in (other.pin(), []):
        with pytest.raises(Undated, match="no pinned certificate stands behind CN=stamper"):
            timestamp.check(token, IMPRINT, roots)
    with pytest.raises(Undated, match="another message"):
        timestamp.check(token, sha256(b"other").digest(), tsa.pin())
    with pytest.raises(Undated, match="nonce"):
        authority.ask(serve(lambda query: token), IMPRINT, roots=tsa.pin())
    with pytest.raises(Undated, match="another message"):
        authority.ask(serve(lambda query: tsa.reply(authority.request(bytes(32), 1))), IMPRINT, roots=tsa.pin())


def test_an_authority_whose_certificate_has_expired_is_refused(tsa, token):
    tsa.issue("stamper", "20200101000000Z", "20210101000000Z", to="expired")
    late = tsa.reply(authority.request(IMPRINT, 1), signer="expired")
    with pytest.raises(Undated, match=r"CN=stamper .* was not valid at that time"):
        timestamp.check(late, IMPRINT, tsa.pin())
    when = timestamp.check(token, IMPRINT, tsa.pin()).time_us
    with pytest.raises(Undated, match="was not valid at that time"):
        timestamp.check(token, IMPRINT, tsa.pin(), at=when + 100 * 365 * DAY_US)


def test_a_certificate_for_another_purpose_is_not_the_signer_even_with_the_same_key(tsa, token):
    """The real tool refuses to sign with it, so the bag is where it could come in."""
    tsa.issue("stamper", "20200101000000Z", "20990101000000Z", to="mail", extensions="mail")
    with pytest.raises(AssertionError, match=r"(?i)purpose|signer"):
        tsa.reply(authority.request(IMPRINT, 1), signer="mail")
    with pytest.raises(Undated, match="no pinned certificate"):
        timestamp.check(token, IMPRINT, tsa.pin("mail"))
    with pytest.raises(Undated, match="not for time-stamping alone"):
        x509.check_stamper(tsa.pin("mail")[0])


def test_a_rejection_is_told_in_words(tsa, serve):
    """The authority takes SHA-256 only; it is asked for another hash."""

    def confuse(query: bytes) -> bytes:
        return tsa.reply(query.replace(bytes.fromhex("608648016503040201"), bytes.fromhex("608648016503040203")))

    with pytest.raises(Undated, match=r"rejected, .*(algorithm is not supported|request is malformed)"):
        authority.ask(serve(confuse), IMPRINT, roots=tsa.pin())


def test_half_a_token_and_garbage_behind_it_are_refused(tsa, token):
    for bad in (token[: len(token) // 2], token[:-1], token + b"\x00", b"", b"\x30\x80" + token[4:] + b"\x00\x00"):
        with pytest.raises(Malformed):
            timestamp.check(bad, IMPRINT, tsa.pin())


def test_no_flipped_bit_gives_a_real_token_another_meaning(tsa, token):
    step = int(os.environ.get("HEALER_TORTURE_STEP", "83"))
    honest, roots = timestamp.check(token, IMPRINT, tsa.pin()), tsa.pin()
    for place in range(0, 8 * len(token), step):
        changed = bytearray(token)
        changed[place // 8] ^= 1 << place % 8
        with contextlib.suppress(AuditError):
            assert timestamp.check(bytes(changed), IMPRINT, roots) == honest, place


def test_a_weak_authority_is_refused(real, tmp_path, monkeypatch):
    real("openssl")
    monkeypatch.setitem(KEYS, "weak", ["RSA", "-pkeyopt", "rsa_keygen_bits:1024"])
    weak = Tsa(folder=tmp_path).make("weak")
    with pytest.raises(KeyRefused, match="RSA key of 1024 bits"):
        timestamp.check(weak.reply(authority.request(IMPRINT, 1)), IMPRINT, weak.pin())
