"""The auditor of the demonstration: the stand-alone verifier in a process of its own, and two forgeries to catch."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import audit
from healer.errors import HealerError

_PATIENCE = 120.0
_TAMPERED = 1
_INTENT = '"kind":"intent"'
_BECAUSE = b'"because":"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What the verifier said of the log and of two forged copies."""

    entries: int
    summary: str
    verified: bool
    tampered: str
    tampered_copy_detected: bool
    cut: str
    cut_copy_detected: bool


def audited(state: Path, folder: Path) -> Audited:
    """Verify the log of an agent that has stopped, with key and anchor copied into ``folder`` as an auditor would keep.

    Then forge two copies there and verify those. Raises HealerError where the verifier cannot be run.
    """
    for name in (Path("keys") / "seal.pub", Path("anchor")):
        shutil.copyfile(state / name, folder / name.name)
    log = state / "audit.db"
    code, report = verify(log, folder)
    tampered = verify(_forged(log, folder / "tampered.db", flip_a_byte), folder)
    cut = verify(_forged(log, folder / "cut.db", cut_the_end), folder)
    return Audited(
        entries=int(report.get("entries", 0)),
        summary=str(report["summary"]),
        verified=code == 0,
        tampered=str(tampered[1]["summary"]),
        tampered_copy_detected=tampered[0] == _TAMPERED,
        cut=str(cut[1]["summary"]),
        cut_copy_detected=cut[0] == _TAMPERED,
    )


def verify(log: Path, kept: Path) -> tuple[int, dict[str, Any]]:
    """Run the verifier with the key and the anchor kept in a folder; returns its exit code and report."""
    argv = [sys.executable, "-I", "-S", str(Path(audit.__file__).parent), "verify", str(log), "--deep", "--json"]
    argv += ["--no-memory", "--key", str(kept / "seal.pub"), "--anchor", str(kept / "anchor")]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_PATIENCE, check=False)
        return done.returncode, json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError) as exc:
        raise HealerError(f"the verifier could not be run: {exc}") from exc


def flip_a_byte(connection: sqlite3.Connection) -> None:
    """Change one letter of the last intent, in the reason it gives, and leave no other trace."""
    height, body = connection.execute(
        "SELECT height, body FROM blocks WHERE instr(body, CAST(? AS BLOB)) ORDER BY height DESC LIMIT 1", (_INTENT,)
    ).fetchone()
    # Keys are sorted, so that an intent's reason stands before its kind.
    at = body.rindex(_BECAUSE, 0, body.index(_INTENT.encode())) + len(_BECAUSE)
    forged = body[:at] + bytes([body[at] ^ 0x20]) + body[at + 1 :]
    connection.execute("UPDATE blocks SET body = ? WHERE height = ?", (forged, height))


def cut_the_end(connection: sqlite3.Connection) -> None:
    """Take the last three blocks away, as if they had never been."""
    connection.execute("DELETE FROM blocks WHERE height > (SELECT max(height) FROM blocks) - 3")


def _forged(log: Path, copy: Path, forge: Callable[[sqlite3.Connection], None]) -> Path:
    for suffix in ("", "-wal"):
        if (original := log.with_name(log.name + suffix)).exists():
            shutil.copyfile(original, copy.with_name(copy.name + suffix))
    with closing(sqlite3.connect(copy)) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'").fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        forge(connection)
        connection.commit()
    return copy
