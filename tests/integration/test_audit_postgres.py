"""The log in a real PostgreSQL, which the test starts, breaks and ends itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

import audit
from audit.cli import main
from audit.errors import AuditError, Busy, Damaged, Poisoned, Unreadable
from audit.opening import open_log
from audit.postgres import TABLE, PostgresLog
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer
from healer.app import Agent
from healer.record import recall

pytestmark = pytest.mark.real

CHILD = """
import sys
from pathlib import Path
from audit.writer import Writer
writer = Writer.open(Path(sys.argv[1]), node="n", reserve_bytes=0, postgres=Path(sys.argv[2]))
number = 0
while True:
    receipt = writer.append({"kind": "event", "type": "a.b", "data": {"n": number}})
    print(receipt.seq, flush=True)
    number += 1
"""


class Server:
    """A PostgreSQL of our own on a Unix socket; role ``healer`` may INSERT and SELECT, and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
        self.programs = found[-1]
        self.process: subprocess.Popen[bytes] | None = None
        shutil.chown(folder, "postgres")
        self._run("initdb", "-D", str(folder / "data"), "-A", "trust", "-N", "-U", "postgres", "--no-instructions")

    def _run(self, program, *args, **options):
        return subprocess.run(
            [self.programs / program, *args],
            check=True,
            capture_output=True,
            user="postgres",
            cwd=self.folder,
            **options,
        )

    def start(self, *options: str) -> None:
        settings = [part for option in options for part in ("-c", option)]
        self.process = subprocess.Popen(
            [
                self.programs / "postgres",
                "-D",
                self.folder / "data",
                "-k",
                self.folder,
                "-c",
                "listen_addresses=",
                *settings,
            ],
            user="postgres",
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        end = time.monotonic() + 20
        while subprocess.run(
            [self.programs / "pg_isready", "-q", "-h", self.folder], check=False, timeout=10
        ).returncode:
            assert time.monotonic() < end
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def psql(self, *statements: str) -> str:
        commands = [part for statement in statements for part in ("-c", statement)]
        return self._run(
            "psql", "-X", "-A", "-t", "-q", "-h", str(self.folder), "-U", "postgres", *commands
        ).stdout.decode()


@pytest.fixture(scope="module")
def server(real):
    real("pg_ctlcluster", root=True)
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    try:
        made = Server(folder)
        made.start()
        made.psql("CREATE ROLE healer LOGIN")
        yield made
        made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def database(server, tmp_path):
    """A database of the test's own, its table made by somebody else than the agent; the file that names it."""
    name = f"log{time.monotonic_ns()}"
    server.psql(f"CREATE DATABASE {name}")
    subprocess.run(
        [server.programs / "psql", "-X", "-q", "-h", server.folder, "-U", "postgres", "-d", name,
         "-c", TABLE, "-c", "GRANT INSERT, SELECT ON blocks TO healer"],
        check=True, capture_output=True, user="postgres", cwd=server.folder,
    )  # fmt: skip
    path = tmp_path / "log.dsn"
    path.write_text(f"host={server.folder} dbname={name} user=healer\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def superuser(server, database):
    """Run SQL in that database as somebody who may."""
    name = database.read_text().split("dbname=")[1].split()[0]

    def run(*statements: str) -> str:
        commands = [part for statement in statements for part in ("-c", statement)]
        return server._run(
            "psql", "-X", "-A", "-t", "-q", "-h", str(server.folder), "-U", "postgres", "-d", name, *commands
        ).stdout.decode()

    return run


def event(number):
    return {"kind": "event", "type": "a.b", "data": {"n": number, "text": "Grüße \x00 ✓"}}


def seal(folder, database, count=5):
    with Writer.open(folder, node="n", reserve_bytes=0, postgres=database) as writer:
        for number in range(count):
            writer.append(event(number))
        return writer.head


def proven(folder, *anchors):
    report = verify(Ask(log=folder, key=folder / "keys" / "seal.pub", anchors=anchors, deep=True))
    assert report.exit_code == 0, report.text()
    return report


def test_the_same_octets_are_kept_read_and_exported(database, tmp_path, capsys):
    head = seal(tmp_path / "s", database)
    assert not (tmp_path / "s" / "audit.db").exists()
    assert proven(tmp_path / "s").entries == 5
    for source in (database, tmp_path / "s"):
        out = tmp_path / f"{source.name}.db"
        assert main(["export", str(source), "--database", str(out), "--no-memory"]) in {0, 2}
        with open_log(database) as kept, Log.open(out) as copy:
            assert isinstance(kept, PostgresLog)
            assert list(copy.rows()) == list(kept.rows())
            assert list(copy.stubs(2)) == list(kept.stubs(2))
            assert list(copy.rows(1, 3)) == list(kept.rows(1, 3))
            assert (copy.top(), copy.row(9)) == (kept.top(), kept.row(9)) == (head.height, None)
        report = verify(
            Ask(log=out, key=tmp_path / "s" / "keys" / "seal.pub", anchors=(tmp_path / "s" / "anchor",), deep=True)
        )
        assert report.exit_code == 0, report.text()
    capsys.readouterr()
    assert main(["show", str(tmp_path / "s"), "--no-memory", "--seq", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["entry"]["data"]["n"] == 3


def test_it_is_handed_over_to_a_new_key_like_any_other(database, tmp_path):
    seal(tmp_path / "s", database)
    pinned = tmp_path / "pinned.pub"
    pinned.write_bytes((tmp_path / "s" / "keys" / "seal.pub").read_bytes())
    assert main(["rotate", str(tmp_path / "s"), "--because", "yearly"]) == 0
    seal(tmp_path / "s", database)
    report = verify(Ask(log=tmp_path / "s", key=pinned, deep=True))
    assert (report.exit_code, report.entries) == (0, 11), report.text()


def test_the_role_that_writes_can_change_nothing(database, tmp_path):
    import psycopg

    seal(tmp_path / "s", database)
    with psycopg.connect(database.read_text()) as connection:
        for statement in ("UPDATE blocks SET body = ''", "DELETE FROM blocks", "TRUNCATE blocks", "DROP TABLE blocks"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)
            connection.rollback()


def test_what_is_changed_there_shows(database, tmp_path, superuser):
    seal(tmp_path / "s", database)
    superuser("UPDATE blocks SET body = set_byte(body, 9, 1) WHERE height = 2")
    report = verify(Ask(log=tmp_path / "s"))
    assert report.exit_code == 1
    superuser("DELETE FROM blocks WHERE height = 4")
    with pytest.raises(Damaged):
        Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database)


def test_a_body_larger_than_any_block_does_not_come(database, tmp_path, superuser):
    seal(tmp_path / "s", database)
    huge = "body = decode(repeat('00', 9000000), 'hex'), hdr = decode(repeat('00', 90000), 'hex')"
    superuser(f"UPDATE blocks SET {huge} WHERE height = 2")
    with open_log(database) as log:
        row = log.row(2)
        assert (len(row.body), len(row.hdr)) == (1, 8193)
    assert verify(Ask(log=tmp_path / "s")).exit_code == 1


def test_a_second_writer_is_refused_wherever_it_runs(database, tmp_path):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database) as writer:
        writer.append(event(0))
        shutil.copytree(tmp_path / "s", tmp_path / "copy")
        with pytest.raises(Busy):
            Writer.open(tmp_path / "copy", node="n", reserve_bytes=0, postgres=database)
        writer.append(event(1))
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database) as writer:
        assert writer.append(event(2)).seq == 2


def test_a_log_that_is_gone_is_not_begun_again(database, tmp_path, superuser):
    seal(tmp_path / "s", database)
    superuser("TRUNCATE blocks")
    with pytest.raises(Damaged, match="emptied"):
        Writer.open(tmp_path / "s", node="n", postgres=database)
    superuser("DROP TABLE blocks")
    with pytest.raises(Damaged, match="missing"):
        Writer.open(tmp_path / "s", node="n", postgres=database)
    report = verify(Ask(log=tmp_path / "s"))
    assert report.exit_code == 2


def test_a_role_that_may_make_the_table_makes_it_and_one_that_may_not_is_told_how(database, tmp_path, superuser):
    superuser("DROP TABLE blocks", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(Unreadable, match="CREATE TABLE blocks"):
        Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database)
    superuser("GRANT CREATE ON SCHEMA public TO healer")
    seal(tmp_path / "s", database)
    assert proven(tmp_path / "s").entries == 5


def test_a_view_is_no_log(database, superuser):
    superuser("ALTER TABLE blocks RENAME TO b", "CREATE VIEW blocks AS SELECT * FROM b")
    with pytest.raises(Unreadable, match="no table of blocks"):
        open_log(database)


def test_a_folder_with_a_log_of_its_own_takes_no_other(database, tmp_path):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0) as writer:
        writer.append(event(0))
    with pytest.raises(Damaged, match=r"audit\.db"):
        Writer.open(tmp_path / "s", node="n", postgres=database)


def test_pruning_is_refused_before_anything_is_sealed(database, tmp_path):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database) as writer:
        writer.append(event(0))
        with pytest.raises(AuditError, match="not pruned"):
            writer.prune(86_400_000_000, tmp_path, because="x")
        assert writer.head.height == 0


def test_the_memory_is_folded_from_there(database, tmp_path):
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database) as writer:
        writer.append({"kind": "state", "subject": "safe_mode", "from": "off", "to": "on", "because": "x"})
    assert recall(tmp_path / "s", None)[0].safe_mode == "x"


def test_an_agent_keeps_its_log_there_and_proves_it(database, tmp_path):
    rules = {"files": []}
    config = {"node": "here", "rules": rules, "audit": {"store": {"postgres": {"dsn_file": str(database)}}}}
    for _ in range(2):
        with Agent(config, state_dir=tmp_path / "s", environ={"PATH": "/usr/bin:/bin"}) as agent:
            assert agent.verify()["verified"]
    assert not (tmp_path / "s" / "audit.db").exists()
    assert proven(tmp_path / "s").entries > 4
    with open_log(database) as log:
        kinds = {json.loads(sealed.octets)["kind"] for sealed in log.entries()}
    assert {"lifecycle", "rules"} <= kinds


def test_a_writer_that_is_killed_has_lost_nothing_it_acknowledged(database, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(audit.__file__).parents[1])}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "s"), str(database)], stdout=subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    seen = [int(child.stdout.readline()) for _ in range(20)]
    child.kill()
    seen += [int(line) for line in child.stdout.read().split()]
    child.wait(10)
    child.stdout.close()
    end = time.monotonic() + 10
    while True:  # until the server has noticed, the lock is the dead one's
        try:
            writer = Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database)
            break
        except Busy:
            assert time.monotonic() < end
            time.sleep(0.05)
    with writer:
        assert writer.append(event(0)).seq > max(seen)
    assert proven(tmp_path / "s").entries >= len(seen) + 1


def test_a_server_that_dies_in_a_commit_poisons_the_writer_and_a_new_one_goes_on(server, database, tmp_path):
    writer = Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database)
    acknowledged, told = [], threading.Event()

    def work():
        try:
            while True:
                acknowledged.append(writer.append(event(len(acknowledged))).seq)
        except Poisoned as exc:
            acknowledged.append(exc)
            told.set()

    thread = threading.Thread(target=work)
    thread.start()
    while len(acknowledged) < 20:
        time.sleep(0.01)
    server.stop(signal.SIGQUIT)  # at once, without a word, as a crash
    assert told.wait(20)
    thread.join(10)
    with pytest.raises(Poisoned):
        writer.append(event(0))
    writer.close()
    server.start()
    seqs = acknowledged[:-1]
    with Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database) as again:
        assert again.rollback == ""
        assert again.append(event(0)).seq > seqs[-1]
    with open_log(database) as log:
        held = [sealed.seq for sealed in log.entries()]
    assert held[: len(seqs)] == seqs
    assert proven(tmp_path / "s").entries >= len(seqs) + 1


def test_a_server_that_does_not_flush_is_refused(server, database, tmp_path):
    server.stop()
    server.start("fsync=off")
    try:
        with pytest.raises(Damaged, match="fsync=off"):
            Writer.open(tmp_path / "s", node="n", reserve_bytes=0, postgres=database)
    finally:
        server.stop()
        server.start()


def test_a_server_out_of_reach_is_a_sentence_without_secrets(tmp_path):
    path = tmp_path / "log.dsn"
    path.write_text("host=/nowhere dbname=x user=y password=hunter2")
    path.chmod(0o600)
    with pytest.raises(Unreadable) as told:
        open_log(path)
    assert "hunter2" not in str(told.value)
    with pytest.raises(Unreadable):
        Writer.open(tmp_path / "s", node="n", postgres=path)
    assert not (tmp_path / "s" / "keys").exists()
