"""The verifier in one file: honest logs are proven, lies are seen, and it says what the ordinary verifier says."""

import ast
import base64
import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle, proof
from audit.attack.stamping import Authority
from audit.cli import main as ordinary
from audit.clock import SystemClock
from audit.keys import SealingKey
from audit.reader import Log
from audit.writer import Writer

CHECKOUT = Path(__file__).resolve().parents[2]
FILE = CHECKOUT / "verifiers" / "audit_verify.py"
MUTATIONS = 4000 if os.environ.get("HEALER_TORTURE_STEP") == "1" else 150


def load():
    spec = importlib.util.spec_from_file_location("audit_verify_alone", FILE)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


alone = load()


def verify(words: list[str]):
    return alone.Audit(words).run()


def root_of(hashes: list[bytes]) -> bytes:
    tree = alone.Tree()
    for leaf in hashes:
        tree.add(leaf)
    return tree.root()


class Place:
    """A closed log, with the key and the anchor an auditor keeps elsewhere."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, folder / "state"
        self.db, self.key, self.anchor = self.state / "audit.db", folder / "pinned.pub", folder / "anchor"

    def verify(self, *more: str, anchor: bool = True):
        kept = ["--anchor", str(self.anchor)] if anchor else []
        return verify([str(self.state), "--key", str(self.key), *kept, *more])

    def codes(self, *more: str, anchor: bool = True) -> tuple[int, set[str]]:
        code, said = self.verify(*more, anchor=anchor)
        return code, {found["code"] for found in said["findings"]}

    def sql(self, *statements: str) -> None:
        connection = sqlite3.connect(self.db, isolation_level=None)
        for statement in (
            "DROP TRIGGER IF EXISTS blocks_no_update",
            "DROP TRIGGER IF EXISTS blocks_no_delete",
            *statements,
        ):
            connection.execute(statement)
        connection.close()

    def headers(self) -> list[bytes]:
        connection = sqlite3.connect(self.db)
        found = [row[0] for row in connection.execute("SELECT hdr FROM blocks ORDER BY height")]
        connection.close()
        return found


def event(number: int) -> dict[str, object]:
    return {"kind": "event", "type": "test.happened", "data": {"number": number, "text": "Grüße ✓"}}


@pytest.fixture(scope="session")
def sealing_key():
    return SealingKey.generate()


@pytest.fixture(scope="session")
def original(tmp_path_factory, sealing_key) -> Place:
    place = Place(tmp_path_factory.mktemp("alone"))
    place.key.write_bytes(sealing_key.public.pem)
    with Writer.open(
        place.state, node="web-1", signer=sealing_key, anchors=[place.anchor], inline=True, reserve_bytes=0
    ) as writer:
        for size in (1, 3, 2, 7, 1, 4):
            writer.submit([event(number) for number in range(size)]).result()
    return place


@pytest.fixture
def place(original, tmp_path) -> Place:
    shutil.copytree(original.folder, tmp_path / "copy")
    return Place(tmp_path / "copy")


@pytest.fixture(scope="module")
def vectors() -> Path:
    named = os.environ.get("HEALER_VECTORS")
    for folder in [Path(named)] if named else [parent / "shared" / "vectors" for parent in FILE.parents]:
        if folder.is_dir():
            return folder
    if os.environ.get("HEALER_REQUIRE_REAL") == "1" or os.environ.get("CI") == "true":
        pytest.fail("the published test vectors are missing: set HEALER_VECTORS")
    pytest.skip("the published test vectors are not beside this checkout (HEALER_VECTORS names their folder)")


# ------------------------------------------------------------------------------------------------ what it is


def test_it_is_short_enough_to_be_read_in_one_sitting():
    assert FILE.read_bytes().count(b"\n") <= 1000


def test_it_is_formatted_but_for_second_empty_lines():
    config = ["--config", str(CHECKOUT / "pyproject.toml"), "--config", "format.exclude=[]"]
    argv = [sys.executable, "-m", "ruff", "format", *config, "--stdin-filename", "alone.py", "-"]
    text = FILE.read_text(encoding="utf-8")
    done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=60, check=True)
    assert re.sub(r"\n{3,}", "\n\n", done.stdout) == text


def test_whatever_breaks_is_not_called_tampered(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    argv = [sys.executable, "-u", FILE, tmp_path / "nothing"]
    done = subprocess.run(argv, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (2, "NOT PROVEN: BrokenPipeError: [Errno 32] Broken pipe\n")


def test_nothing_it_prints_moves_a_terminal(tmp_path):
    place = tmp_path / "\x1b[2J\u202e\nPROVEN: L4"
    done = subprocess.run([sys.executable, FILE, place], capture_output=True, timeout=60, check=False)
    assert all(line.isprintable() for line in done.stdout.decode().splitlines())
    assert b"\\x1b[2J\\u202e\\nPROVEN" in done.stdout
    assert (done.returncode, done.stdout.split(b":")[0]) == (2, b"NOT PROVEN")


def test_it_imports_the_standard_library_and_nothing_else():
    names = set()
    for node in ast.walk(ast.parse(FILE.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add(node.module.split(".")[0])
    assert names <= sys.stdlib_module_names
    assert not names & {"audit", "healer"}


def test_the_single_file_runs_isolated_and_exits_with_its_verdict(place, tmp_path):
    archive = tmp_path / "audit-verify.pyz"
    subprocess.run([sys.executable, str(FILE.with_name("pack.py")), str(archive)], check=True)
    with zipfile.ZipFile(archive) as packed:
        names = set(packed.namelist())
        source = packed.read("audit_verify.py")
        lines = source.count(b"\n") + packed.read("__main__.py").count(b"\n")
        code = packed.read("audit_verify.pyc")
    assert names == {"__main__.py", "audit_verify.py", "audit_verify.pyc"}
    assert source == FILE.read_bytes()
    assert lines <= 1000
    # PEP 552: the second word says that the hash is checked, the third is the hash of the source beside it.
    assert code[4:8] == b"\x03\0\0\0"
    assert code[8:16] == importlib.util.source_hash(source)

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-I", "-S", str(archive), *words]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)

    words = [str(place.state), "--key", str(place.key), "--anchor", str(place.anchor)]
    done = run(*words, "--json")
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "proven"), done.stderr
    assert run(*words).stdout.startswith("PROVEN: L2")
    place.sql("DELETE FROM blocks WHERE height = 2")
    assert run(*words).returncode == 1
    assert run("--nonsense").returncode == 2
    assert run("--version").stdout.startswith("audit-verify ")


# ------------------------------------------------------------------------------------------------ honest logs


def test_an_honest_log_is_proven(place):
    code, said = place.verify("--min-level", "L2")
    assert (code, said["level"], said["entries"], said["anchored_to"], said["independent"]) == (0, "L2", 18, 5, True)
    assert said["head"]["hash"] == sha256(place.headers()[-1]).hexdigest()


def test_what_was_not_shown_is_not_claimed(place):
    assert place.codes("--min-level", "L3") == (2, {"level"})
    assert place.codes("--max-age", "0")[1] == {"age"}
    assert place.codes("--expect-origin", "another/1")[0] == 1
    (place.state / "anchor").unlink()
    assert place.codes(anchor=False) == (2, {"anchor"})
    code, said = verify([str(place.state), "--anchor", str(place.anchor)])
    assert (code, said["independent"]) == (2, False), "no key lies in this state folder"


def test_the_anchor_file_of_a_good_run_is_the_memory_of_the_next(place, tmp_path):
    kept = tmp_path / "kept"
    words = [str(place.state), "--key", str(place.key), "--anchor"]
    assert verify([*words, str(place.anchor)])[0] == 0
    shutil.copy(place.state / "anchor", kept)
    place.sql("DELETE FROM blocks WHERE height > 3")
    (place.state / "anchor").unlink()
    code, said = verify([*words, str(kept)])
    assert code == 1
    assert "remembers block 5" in said["summary"]


def test_blocks_that_wait_in_a_wal_are_read_and_nothing_is_written_beside_a_closed_log(place, sealing_key, tmp_path):
    before = sorted(path.name for path in place.state.iterdir())
    assert place.verify()[0] == 0
    assert sorted(path.name for path in place.state.iterdir()) == before
    with Writer.open(place.state, node="web-1", signer=sealing_key, inline=True, reserve_bytes=0) as writer:
        writer.submit([event(1)]).result()
        shutil.copytree(place.state, tmp_path / "crashed" / "state")
        assert place.verify()[1]["entries"] == 19
    crashed = Place(tmp_path / "crashed")
    crashed.key, crashed.anchor = place.key, place.anchor
    assert (crashed.state / "audit.db-wal").stat().st_size
    assert crashed.verify()[1]["entries"] == 19


# -------------------------------------------------------------------------------------------------- lies

LIES = {
    "a cut end": ("DELETE FROM blocks WHERE height > 3", "cut"),
    "an emptied log": ("DELETE FROM blocks", "cut"),
    "a missing middle": ("DELETE FROM blocks WHERE height = 2", "chain"),
    "a missing start": ("DELETE FROM blocks WHERE height = 0", "chain"),
    "a moved block": ("UPDATE blocks SET height = 9 WHERE height = 3", "columns"),
    "another count": ("UPDATE blocks SET n = 9 WHERE height = 3", "columns"),
    "a body of another block": ("UPDATE blocks SET body = (SELECT body FROM blocks WHERE height = 0)", "body"),
    "no body": ("UPDATE blocks SET body = x'' WHERE height = 3", "body"),
    "no signature": ("UPDATE blocks SET sig = x'' WHERE height = 3", "signature"),
    "a signature of zeros": ("UPDATE blocks SET sig = zeroblob(384), rsig = x'' WHERE height = 3", "signature"),
    "no ratchet": ("UPDATE blocks SET rsig = x'' WHERE height = 3", "ratchet"),
    "a ratchet of another block": ("UPDATE blocks SET rsig = (SELECT rsig FROM blocks WHERE height = 1)", "ratchet"),
    "another header": (
        "UPDATE blocks SET hdr = CAST(replace(CAST(hdr AS TEXT), 'web-1', 'web-2') AS BLOB)",
        "signature",
    ),
    "a huge signature": ("UPDATE blocks SET sig = zeroblob(100000000) WHERE height = 3", "columns"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_tampering(place, lie):
    statement, expected = LIES[lie]
    place.sql(statement)
    code, codes = place.codes()
    assert code == 1
    assert expected in codes


def test_a_signature_that_is_due_is_not_proven_while_the_ratchet_vouches(place):
    place.sql("UPDATE blocks SET sig = zeroblob(384) WHERE height = 3")
    assert place.codes() == (2, {"due", "level"})


def test_an_unknown_version_is_not_proven(place):
    place.sql("""UPDATE blocks SET hdr = CAST(replace(CAST(hdr AS TEXT), '"v":1', '"v":2') AS BLOB) WHERE height = 3""")
    code, codes = place.codes()
    assert code == 2
    assert "version" in codes


def test_another_key_is_not_the_key(place, tmp_path):
    place.key.write_bytes(SealingKey.generate().public.pem)
    assert place.codes()[0] == 1


NO_KEY = {
    "empty": b"",
    "two keys": lambda pem: pem + pem,
    "a private key": lambda pem: pem.replace(b"PUBLIC", b"PRIVATE"),
    "text around it": lambda pem: b"my key:\n" + pem,
    "half of it": lambda pem: pem[: len(pem) // 2],
}


@pytest.mark.parametrize("what", NO_KEY)
def test_what_is_no_key_is_refused_in_a_sentence(place, what):
    change = NO_KEY[what]
    place.key.write_bytes(change(place.key.read_bytes()) if callable(change) else change)
    code, codes = place.codes()
    assert code == 2
    assert "key" in codes


def zeros(file: Path) -> None:
    file.write_bytes(bytes(100_000))


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:6000])


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def wal_fifo(file: Path) -> None:
    os.mkfifo(f"{file}-wal")


@pytest.mark.parametrize("spoil", [zeros, half, fifo, folder, wal_fifo, Path.unlink])
def test_a_hostile_file_gets_a_sentence(place, spoil):
    spoil(place.db)
    code, codes = place.codes()
    assert code in {1, 2}
    assert "unreadable" in codes


@pytest.mark.parametrize(
    "statements",
    [
        ["DROP TABLE blocks"],
        ["ALTER TABLE blocks RENAME TO hidden", "CREATE VIEW blocks AS SELECT * FROM hidden"],
        ["ALTER TABLE blocks RENAME TO hidden", "CREATE TABLE blocks (height, first, n, hdr, sig, rsig, body, more)"],
        ["ALTER TABLE blocks ADD COLUMN more INTEGER GENERATED ALWAYS AS (height) VIRTUAL"],
        [
            "ALTER TABLE blocks RENAME TO hidden",
            "CREATE TABLE blocks (height INTEGER PRIMARY KEY, first, n, hdr, sig, rsig, body AS (hdr) VIRTUAL)",
        ],
    ],
)
def test_what_is_no_plain_table_is_no_log(place, statements):
    place.sql(*statements)
    assert place.codes()[1] >= {"unreadable"}
    assert place.verify()[0] == 2


def test_a_hostile_anchor_gets_a_sentence(place):
    for octets in (b"", b"{", b'{"v":1}\n', b"\xff\n", b"[" * 4000, b"x" * 100_000, b'{"v":NaN}\n', b'{"v":1e999}\n'):
        place.anchor.write_bytes(octets)
        assert place.codes() == (2, {"anchor"}), octets[:20]


# -------------------------------------------------------------------------------------- agreement, bit by bit


def ordinary_says(words: list[str]) -> int:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        return ordinary(["verify", "--no-memory", *words])


def mutate(place: Place, chance: Random) -> str:
    """Change one thing in the file, as a bit error or a clumsy forger would."""
    height, connection = chance.randrange(6), sqlite3.connect(place.db, isolation_level=None)
    for trigger in ("blocks_no_update", "blocks_no_delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    kind = chance.choice(["bit"] * 6 + ["drop", "swap", "column"])
    if kind == "bit":
        column = chance.choice(["hdr", "sig", "rsig", "body"])
        (octets,) = connection.execute(f"SELECT {column} FROM blocks WHERE height = ?", (height,)).fetchone()
        value = bytearray(octets or b"\x01")
        at = chance.randrange(8 * len(value))
        value[at // 8] ^= (1 << at % 8) if octets else 0
        connection.execute(f"UPDATE blocks SET {column} = ? WHERE height = ?", (bytes(value), height))
        kind = f"bit {at} of {column} of block {height}"
    elif kind == "drop":
        connection.execute("DELETE FROM blocks WHERE height = ?", (height,))
    elif kind == "swap":
        column = chance.choice(["hdr", "sig", "rsig", "body"])
        other = f"(SELECT {column} FROM blocks WHERE height = {(height + 1) % 6})"
        connection.execute(f"UPDATE blocks SET {column} = {other} WHERE height = ?", (height,))
    else:
        column = chance.choice(["first", "n"])
        connection.execute(
            f"UPDATE blocks SET {column} = {column} + ? WHERE height = ?", (chance.choice([-1, 1, 64]), height)
        )
    connection.close()
    return kind


def test_it_agrees_with_the_ordinary_verifier_and_sees_every_mutation(original, tmp_path):
    for seed in range(MUTATIONS):
        place = Place(tmp_path / str(seed))
        shutil.copytree(original.folder, place.folder)
        what = mutate(place, Random(seed))
        words = [str(place.state), "--key", str(place.key), "--anchor", str(place.anchor), "--json"]
        code = verify(words)[0]
        assert code == ordinary_says(words), f"seed {seed}: {what}"
        assert code != 0, f"seed {seed}: {what} went unnoticed"
        shutil.rmtree(place.folder)


# ---------------------------------------------------------------------------- what others vouch for, and bundles


class Signer:
    """A key that signs notes (type 1) or cosigns them (type 4)."""

    def __init__(self, name: str, kind: int) -> None:
        self.name, self.kind, self.secret = name, kind, Ed25519PrivateKey.generate()
        public = bytes([kind]) + self.secret.public_key().public_bytes_raw()
        self.id = sha256(name.encode() + b"\n" + public).digest()[:4]
        self.line = f"{name}+{self.id.hex()}+{base64.b64encode(public).decode()}"

    def sign(self, text: bytes, at: int = 0) -> bytes:
        if self.kind == 4:
            signature = at.to_bytes(8, "big") + self.secret.sign(b"cosignature/v1\ntime %d\n" % at + text)
        else:
            signature = self.secret.sign(text)
        return f"— {self.name} ".encode() + base64.b64encode(self.id + signature) + b"\n"


class World:
    """A log with its note key, three witnesses, and a policy that asks for two of them."""

    def __init__(self, place: Place) -> None:
        self.place, headers = place, place.headers()
        self.origin = json.loads(headers[0])["origin"]
        self.log, self.witnesses = Signer(self.origin, 1), [Signer(f"w{number}", 4) for number in range(3)]
        lines = [f"log {self.log.line}", *(f"witness {w.name} {w.line}" for w in self.witnesses)]
        self.policy = place.folder / "policy"
        self.policy.write_text("\n".join([*lines, "group all-of-them 2 w0 w1 w2", "quorum all-of-them", ""]))
        self.now = json.loads(headers[-1])["sealed"] // 1_000_000

    def note(self, size: int, witnesses: int, root: bytes = b"") -> bytes:
        hashes = [sha256(b"\x00" + header).digest() for header in self.place.headers()[:size]]
        root = base64.b64encode(root or root_of(hashes)).decode()
        text = f"{self.origin}\n{size}\n{root}\n".encode()
        return text + b"\n" + self.log.sign(text) + b"".join(w.sign(text, self.now) for w in self.witnesses[:witnesses])

    def keep(self, note: bytes) -> None:
        (self.place.state / "witnessed").mkdir(exist_ok=True)
        (self.place.state / "witnessed" / "000000000006.note").write_bytes(note)


@pytest.fixture
def world(place) -> World:
    return World(place)


def test_a_quorum_of_witnesses_proves_l3_and_one_of_them_does_not(world):
    world.keep(world.note(6, 1))
    code, said = world.place.verify("--policy", str(world.policy))
    assert (code, said["level"], said["witnessed"]) == (0, "L2", None)
    world.keep(world.note(6, 2))
    code, said = world.place.verify("--policy", str(world.policy), "--min-level", "L3")
    assert (code, said["level"], said["witnessed"]) == (0, "L3", {"height": 5, "since": world.now})
    assert world.place.verify("--min-level", "L3")[0] == 2, "nobody said which witnesses count"
    world.now -= 2 * 86_400
    world.keep(world.note(6, 3))
    assert world.place.verify("--policy", str(world.policy))[1]["level"] == "L2", "what they said is too old"


def test_a_checkpoint_with_another_root_is_a_fork_and_a_larger_one_a_cut(world):
    world.keep(world.note(6, 2, root=b"r" * 32))
    code, codes = world.place.codes("--policy", str(world.policy))
    assert (code, "fork" in codes) == (1, True)
    world.keep(world.note(6, 2))
    world.place.sql("DELETE FROM blocks WHERE height = 5")
    (world.place.state / "anchor").unlink()
    code, codes = world.place.codes("--policy", str(world.policy), anchor=False)
    assert (code, codes) == (1, {"anchor", "cut", "level"})


OPENSSL = """
[tsa]
default_tsa = here
[here]
serial = serial
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
[root]
basicConstraints = critical, CA:TRUE
[stamper]
extendedKeyUsage = critical, timeStamping
"""
KINDS = {"rsa": ["rsa:2048"], "p256": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}


def stamped(folder: Path, kind: str, text: bytes) -> tuple[Path, Path]:
    """A token by an authority made with the ``openssl`` command, and the root to pin."""

    def openssl(*words: str) -> None:
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=60)

    folder.mkdir()
    (folder / "conf").write_text(OPENSSL)
    (folder / "serial").write_text("01\n")
    (folder / "text").write_bytes(text)
    new = ("-config", "/dev/null", "-newkey", *KINDS[kind], "-noenc", "-subj")
    openssl("req", *new, "/CN=root", "-keyout", "root.key", "-out", "root.csr")
    openssl(
        "x509",
        "-req",
        "-in",
        "root.csr",
        "-signkey",
        "root.key",
        "-extfile",
        "conf",
        "-extensions",
        "root",
        "-out",
        "root.pem",
    )
    openssl("req", *new, "/CN=stamper", "-keyout", "key", "-out", "csr")
    by = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial")
    openssl("x509", "-req", "-in", "csr", *by, "-extfile", "conf", "-extensions", "stamper", "-out", "pem")
    openssl("ts", "-query", "-data", "text", "-sha256", "-cert", "-out", "query")
    openssl(
        "ts", "-reply", "-config", "conf", "-queryfile", "query", "-signer", "pem", "-inkey", "key", "-out", "token"
    )
    return folder / "token", folder / "root.pem"


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_over_a_witnessed_checkpoint_proves_l4(world, tmp_path, kind):
    if shutil.which("openssl") is None:
        if os.environ.get("HEALER_REQUIRE_REAL") == "1":
            pytest.fail("the openssl command is missing")
        pytest.skip("the openssl command is not installed: no authority can be made")
    note = world.note(6, 2)
    world.keep(note)
    token, root = stamped(tmp_path / "tsa", kind, note.rpartition(b"\n\n")[0] + b"\n")
    words = ["--policy", str(world.policy), "--token", str(token), "--tsa"]
    code, said = world.place.verify(*words, str(root), "--min-level", "L4")
    assert (code, said["level"], said["dated"]["height"]) == (0, "L4", 5), said["findings"]
    assert abs(said["dated"]["to"] - world.now) < 600
    _, another = stamped(tmp_path / "other", kind, b"x")
    code, codes = world.place.codes(*words, str(another))
    assert (code, "token" in codes) == (2, True), "an authority nobody pinned"
    assert world.place.verify("--token", str(token), "--tsa", str(root))[1]["dated"] is not None
    assert world.place.verify("--token", str(token), "--tsa", str(root))[1]["level"] == "L2", "dated, but not witnessed"


IMPRINT = sha256(b"what was stamped").digest()
PURPOSES = {
    "another purpose": x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CODE_SIGNING]),
    "two purposes": x509.ExtendedKeyUsage(
        [x509.ExtendedKeyUsageOID.TIME_STAMPING, x509.ExtendedKeyUsageOID.CODE_SIGNING]
    ),
}


def read_by(authority: Authority, token: bytes):
    return alone.read_token(token, [authority.root.public_bytes(Encoding.DER)])


def reissued(authority: Authority, extension: x509.ExtensionType, *, critical: bool = True) -> None:
    """Give the authority's signer a certificate with this extension and no other."""
    old = authority.leaf
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number)
    builder = builder.not_valid_before(old.not_valid_before_utc).not_valid_after(old.not_valid_after_utc)
    authority.leaf = builder.add_extension(extension, critical=critical).sign(authority.root_key, SHA256())


def test_a_token_says_what_it_stamps_and_when():
    authority = Authority(SystemClock())
    now = SystemClock().wall_us() // 1_000_000
    assert read_by(authority, authority.token(IMPRINT, at=now)) == (IMPRINT, now)


@pytest.mark.parametrize("years", [-2, 2])
def test_a_token_from_when_its_certificate_was_not_valid_is_refused(years):
    authority = Authority(SystemClock())
    at = SystemClock().wall_us() // 1_000_000 + years * 365 * 86_400
    with pytest.raises(ValueError, match="not valid then"):
        read_by(authority, authority.token(IMPRINT, at=at))


@pytest.mark.parametrize("purpose", PURPOSES)
def test_a_token_by_who_may_do_other_things_is_refused(purpose):
    authority = Authority(SystemClock())
    reissued(authority, PURPOSES[purpose])
    with pytest.raises(ValueError, match="other things"):
        read_by(authority, authority.token(IMPRINT))


def test_a_purpose_that_readers_may_ignore_is_none():
    authority = Authority(SystemClock())
    reissued(authority, x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.TIME_STAMPING]), critical=False)
    with pytest.raises(ValueError, match="other things"):
        read_by(authority, authority.token(IMPRINT))


def test_a_token_over_something_else_than_was_signed_is_refused():
    authority = Authority(SystemClock())
    token = authority.token(IMPRINT)
    with pytest.raises(ValueError, match="was not signed"):
        read_by(authority, token.replace(IMPRINT, sha256(b"another").digest()))
    authority.key = Authority(SystemClock()).key
    with pytest.raises(ValueError, match="its signature is wrong"):
        read_by(authority, authority.token(IMPRINT))


def test_a_root_of_the_same_name_with_another_key_vouches_for_nobody():
    authority = Authority(SystemClock())
    with pytest.raises(ValueError, match="no pinned certificate"):
        read_by(Authority(SystemClock()), authority.token(IMPRINT))


def test_who_is_no_authority_vouches_for_nobody():
    authority = Authority(SystemClock())
    old = authority.root
    builder = x509.CertificateBuilder(old.issuer, old.subject, old.public_key(), old.serial_number)
    builder = builder.not_valid_before(old.not_valid_before_utc).not_valid_after(old.not_valid_after_utc)
    extension = x509.BasicConstraints(ca=False, path_length=None)
    authority.root = builder.add_extension(extension, critical=True).sign(authority.root_key, SHA256())
    with pytest.raises(ValueError, match="no pinned certificate"):
        read_by(authority, authority.token(IMPRINT))


def test_a_token_over_another_checkpoint_dates_nothing(world, tmp_path):
    note, authority = world.note(6, 2), Authority(SystemClock())
    world.keep(note)
    (tmp_path / "root").write_bytes(authority.pem)
    words = ["--policy", str(world.policy), "--tsa", str(tmp_path / "root"), "--token", str(tmp_path / "token")]
    for imprint, level in ((sha256(note.rpartition(b"\n\n")[0] + b"\n").digest(), "L4"), (IMPRINT, "L3")):
        (tmp_path / "token").write_bytes(authority.token(imprint))
        code, said = world.place.verify(*words)
        assert (code, said["level"], said["dated"] is not None) == (0, level, level == "L4"), said["findings"]


def test_only_a_short_tail_may_lack_witnesses(world):
    world.keep(world.note(3, 2))
    assert world.place.verify("--policy", str(world.policy))[1]["level"] == "L3"
    assert world.place.verify("--policy", str(world.policy), "--tail", "0")[1]["level"] == "L2"


def test_a_policy_that_is_none_is_refused(world):
    good = world.policy.read_text()
    for bad in ("", "quorum none\nquorum none\n", good + "witness w0 x\n", good.replace("2 w0", "4 w0"), good + "\x01"):
        world.policy.write_text(bad)
        code, codes = world.place.codes("--policy", str(world.policy))
        assert (code, "policy" in codes) == (2, True), bad


def within(octets: bytes, change) -> bytes:
    """Change what the first document's extra line holds."""
    line = re.search(rb"extra (.*)\n", octets)[1]
    extra = json.loads(base64.b64decode(line))
    change(extra)
    return octets.replace(line, base64.b64encode(json.dumps(extra).encode()), 1)


def flipped(text: str) -> str:
    octets = bytearray(base64.b64decode(text))
    octets[len(octets) // 2] ^= 1
    return base64.b64encode(octets).decode()


BUNDLE_LIES = {
    "another header": lambda b: within(b, lambda extra: extra.update(hdr=flipped(extra["hdr"]))),
    "another signature": lambda b: within(b, lambda extra: extra.update(sig=flipped(extra["sig"]))),
    "no entries": lambda b: within(b, lambda extra: extra.update(entries=[])),
    "a member too many": lambda b: within(b, lambda extra: extra.update(more=1)),
    "another entry": lambda b: within(
        b, lambda extra: extra["entries"][0].update(octets=flipped(extra["entries"][0]["octets"]))
    ),
    "another place": lambda b: within(b, lambda extra: extra["entries"][0].update(at=1)),
    "a place that is true": lambda b: within(b, lambda extra: extra["entries"][0].update(at=True)),
    "another block": lambda b: b.replace(b"index 0", b"index 1", 1),
    "another size": lambda b: b.replace(b"\n6\n", b"\n7\n", 1),
    "half of it": lambda b: b[: len(b) // 3],
}


def test_entries_are_proven_by_a_bundle_and_lies_in_it_are_seen(world, tmp_path):
    bundle, place = tmp_path / "bundle", world.place
    with Log.open(place.state) as log:
        bundle.write_bytes(proof.make(log, [0, 5], world.note(6, 2)))
    words = [str(bundle), "--key", str(place.key)]
    code, said = verify([*words, "--policy", str(world.policy), "--min-level", "L3"])
    assert (code, said["level"], said["entries"]) == (0, "L3", 2)
    assert verify(words)[0] == 2, "nobody vouches for its checkpoint"
    octets = bundle.read_bytes()
    for change in BUNDLE_LIES.values():
        bundle.write_bytes(change(octets))
        assert verify([*words, "--policy", str(world.policy)])[0] == 1, change(octets)
    bundle.write_bytes(within(octets, lambda extra: extra.update(v=2)))
    assert verify([*words, "--policy", str(world.policy)])[0] == 2


def test_a_bundle_says_why_it_is_refused(world, tmp_path):
    bundle, note = tmp_path / "bundle", world.note(6, 2)
    with Log.open(world.place.state) as log:
        octets = proof.make(log, [0, 5], note)
    lies = {
        "tree": octets.replace(note, world.note(6, 2, root=b"r" * 32)),
        "root": BUNDLE_LIES["another entry"](octets),
        "signature": BUNDLE_LIES["another signature"](octets),
        "version": octets.replace(b"tlog-proof@v1", b"tlog-proof@v2"),
    }
    for code, lie in lies.items():
        bundle.write_bytes(lie)
        words = [str(bundle), "--key", str(world.place.key), "--policy", str(world.policy)]
        assert code in {found["code"] for found in verify(words)[1]["findings"]}, code


def test_a_bundle_is_as_old_as_its_witnesses_if_you_ask(world, tmp_path):
    bundle = tmp_path / "bundle"
    world.now -= 1000
    with Log.open(world.place.state) as log:
        bundle.write_bytes(proof.make(log, [0], world.note(6, 2)))
    words = [str(bundle), "--key", str(world.place.key), "--policy", str(world.policy), "--min-level", "L3"]
    assert verify(words)[0] == 0
    assert verify([*words, "--max-age", "1d"])[0] == 0
    code, said = verify([*words, "--max-age", "90"])
    assert (code, [found["code"] for found in said["findings"]]) == (2, ["age"])


# -------------------------------------------------------------------------------------------------- vectors


def groups(file: Path):
    for group in json.loads(file.read_text(encoding="utf-8"))["testGroups"]:
        for test in group["tests"]:
            yield group, bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]), test["result"] == "valid", test["tcId"]


def test_wycheproof_rsa_pss(vectors):
    for group, message, signature, valid, number in groups(
        vectors / "wycheproof" / "rsa_pss_3072_sha256_mgf1_32_test.json"
    ):
        key = alone.read_key(group["publicKeyPem"].strip().encode() + b"\n")
        assert alone.pss_verifies(key, signature, message) == valid, number


def test_wycheproof_ed25519(vectors):
    for group, message, signature, valid, number in groups(vectors / "wycheproof" / "ed25519_test.json"):
        public = bytes.fromhex(group["publicKey"]["pk"])
        assert alone.ed25519_verifies(public, signature, message) == valid, number


def test_inclusion_proofs(vectors):
    files = sorted((vectors / "transparency-dev-merkle" / "testdata" / "inclusion").rglob("*.json"))
    assert len(files) > 90
    for file in files:
        case = json.loads(file.read_text(encoding="utf-8"))
        path = [base64.b64decode(part) for part in case["proof"] or []]
        leaf, root = (base64.b64decode(case[name] or "") for name in ("leafHash", "root"))
        good = False
        with contextlib.suppress(ValueError):
            good = alone.climb(leaf, case["leafIdx"], case["treeSize"], path) == root
        assert good != case["wantErr"], file


def test_documents_of_tlog_proof(vectors):
    cases = json.loads((vectors / "tlog-proof" / "tlog_proof.json").read_text(encoding="utf-8"))
    for case in cases["good"]:
        alone.read_proof(case["text"].encode())
    for case in cases["bad"]:
        with pytest.raises(ValueError, match=r".*"):
            alone.read_proof(case["text"].encode())


def test_a_token_by_p256_is_verified_and_by_nobody_known_refused(vectors):
    folder = vectors / "rfc3161" / "test" / "fixtures"
    mock = folder / "sigstore.mock"
    token, pinned = (
        (mock / "response-expired.tsr").read_bytes(),
        alone.read_pem((mock / "ts_chain.pem").read_bytes(), "CERTIFICATE"),
    )
    assert alone.read_token(token, pinned)[1] == 1675209600
    others = alone.read_pem((folder / "test_tsa" / "ts_chain.pem").read_bytes(), "CERTIFICATE")
    with pytest.raises((ValueError, LookupError)):
        alone.read_token(token, others)
    for at in range(len(token) // 2, len(token), 97):
        changed = token[:at] + bytes([token[at] ^ 1]) + token[at + 1 :]
        with contextlib.suppress(ValueError, LookupError):
            assert alone.read_token(changed, pinned) == alone.read_token(token, pinned)
    with pytest.raises(ValueError, match="SHA-256"):
        alone.read_token((folder / "test_tsa" / "response.tsr").read_bytes(), others)


# ------------------------------------------------------------------------------------------- canonical JSON, trees

NOT_CANONICAL = [
    b"",
    b"[]",
    b"1",
    b"{",
    b'{"a":1.0}',
    b'{"a":1e2}',
    b'{"a":-0}',
    b'{"a":01}',
    b'{"a":9007199254740992}',
    b'{"a":NaN}',
    b'{"a":1,"a":1}',
    b'{"b":1,"a":1}',
    b'{"a": 1}',
    b'{"A":1}',
    b'{"a":"\\u0041"}',
    b'{"a":"\\ud800"}',
    b'{"a":"\\/"}',
    b'\xef\xbb\xbf{"a":1}',
    b'{"a":"\xff"}',
    b'{"a":1}\n',
    b'{"a":' + b"[" * 16 + b"]" * 16 + b"}",
    b'{"a":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    b'{"a":"' + b"x" * 65_535 + b'"}',
    b'{"a":' + b"9" * 60_000 + b"}",
]


@pytest.mark.parametrize("octets", NOT_CANONICAL, ids=lambda octets: repr(octets[:20]))
def test_what_is_not_canonical_is_refused(octets):
    with pytest.raises(ValueError, match=r".*"):
        alone.canonical(octets)


def test_what_is_canonical_is_read():
    octets = '{"a":[1,-1,true,null,{}],"b":"ü\\n\\u0001\\"\x7f","c":9007199254740991}'.encode()
    assert alone.canonical(octets)["a"] == [1, -1, True, None, {}]


@given(st.lists(st.binary(max_size=9), min_size=1, max_size=70))
def test_a_tree_has_the_root_that_the_writer_would_give_it(leaves):
    hashes = merkle.leaf_hashes(leaves)
    assert root_of(hashes) == merkle.root(hashes)


@given(st.binary(max_size=200))
def test_no_octets_crash_a_reader(octets):
    for reader in (alone.der, alone.read_note, alone.read_proof, alone.RsaKey, alone.Policy, alone.canonical):
        with contextlib.suppress(ValueError, LookupError):
            reader(octets)
    with contextlib.suppress(ValueError, LookupError):
        alone.read_token(octets, [])
