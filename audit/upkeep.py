"""The operator's commands that keep a log in shape: prune, erase, repair; none of them changes sealed octets."""

import argparse
import contextlib
import importlib
import json
import re
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from audit import canonical, commitments, keys, places
from audit.commitments import Vault
from audit.errors import AuditError, Unreadable
from audit.files import check_owner
from audit.opening import node_of, open_log, postgres_of
from audit.reader import FILE_NAME, Sealed

_LEFTOVER: Final = re.compile(r"\..+\.new")


def reveal(log: Path, fields: dict[str, object]) -> dict[str, object]:
    """Return an entry with its concealed texts, each checked against its commitment; raises ``Unreadable``."""
    if next(commitments.found_in(fields), None) is None:
        return fields
    folder = log if log.is_dir() else log.parent
    with Vault.open(folder / commitments.FILE_NAME) as vault:
        return commitments.reveal(fields, vault)


def _writing() -> Any:  # noqa: ANN401 - a module
    # By name: what verifies shares no code with what stores, and a bare copy of this folder writes nothing.
    try:
        return importlib.import_module("audit.writer")
    except ImportError as exc:
        raise AuditError(f"this needs the agent's own environment: {exc}", hint="run it where the agent is") from exc


def prune(args: argparse.Namespace) -> int:
    """Archive and drop old bodies, as the options say; raises ``AuditError``."""
    check_owner(args.state, "healer-audit prune …")
    passphrase = keys.load_passphrase(args.passphrase_file) if args.passphrase_file else None
    node, postgres = node_of(args.state), postgres_of(args.state)
    with _writing().Writer.open(args.state, node=node, passphrase=passphrase, postgres=postgres) as writer:
        done = writer.prune(args.keep * 1_000_000, args.archive, because=args.because)
    if done is None:
        told: dict[str, object] = {"pruned": None}
        words = "nothing is old enough to go"
    else:
        order = done.order
        told = {"pruned": {"from": order.first, "to": order.last, "archive": str(done.path), "sha256": order.sha256}}
        words = f"blocks {order.first} to {order.last} ({order.entries} entries) are in {done.path} now"
    print(json.dumps(told) if args.json else words)
    return 0


def erase(args: argparse.Namespace) -> int:
    """Erase what concealed texts stand for, as the options say; raises ``AuditError``."""
    check_owner(args.state, "healer-audit erase …")
    path = args.state / commitments.FILE_NAME
    if not path.exists():
        raise Unreadable(f"there is no {path}", hint="nothing was concealed here: see audit.conceal")
    with Vault.open(path, write=True) as vault:
        if args.field == "*":
            # By number, so that it also works where the entry itself was pruned.
            erased = vault.erase(vault.of(args.seq))
        else:
            sealed = canonical.decode(_entry(args.state, args.seq).octets)
            erased = vault.erase(c for path, c in commitments.found_in(sealed) if fnmatchcase(path, args.field))
    if args.json:
        print(json.dumps({"seq": args.seq, "erased": erased}))
    else:
        print(f"{erased} texts of entry {args.seq} are erased" if erased else "nothing is kept that could be erased")
        print("Copies elsewhere (backups, snapshots of the disk) are yours to erase.", file=sys.stderr)
    return 0


def _entry(state: Path, seq: int) -> Sealed:
    """Find an entry by its number; raises ``Unreadable`` where there is none, or its body was pruned."""
    with open_log(state) as log:
        low, high = 0, log.top() or 0
        while low < high:
            middle = (low + high + 1) // 2
            row = log.row(middle)
            low, high = (middle, high) if row is not None and row.first <= seq else (low, middle - 1)
        for sealed in log.entries_of(low):
            if sealed.seq == seq:
                return sealed
    raise Unreadable(f"entry {seq} is not in the log", hint="was its block pruned? without --field it can be erased")


def repair(args: argparse.Namespace) -> int:
    """Put right what is not sealed. Octets that are sealed are evidence: what is wrong with them ``verify`` says."""
    state: Path = args.state
    check_owner(state, "healer-audit repair …")
    storage = importlib.import_module("audit.storage")
    done = []
    with contextlib.ExitStack() as stack:
        stack.callback(storage.Lock(state / places.LOCK).release)
        for path in _leftovers(state):
            path.unlink()
            done.append(f"removed {path.name}, which a crash left half-written")
        if postgres_of(state) is None:
            store = storage.Store(state / FILE_NAME, create=False)
            stack.callback(store.close)
            done += [f"the seat-belt {name} is on again" for name in store.fasten()]
    left = "sealed blocks were not looked at, let alone changed: run healer-audit verify, and restore what is damaged"
    print(json.dumps({"done": done, "left": left}) if args.json else "\n".join([*(done or ["nothing to do"]), left]))
    return 0


def _leftovers(state: Path) -> Iterator[Path]:
    for folder in (state, state / places.KEYS):
        if folder.is_dir():
            yield from (path for path in folder.iterdir() if _LEFTOVER.fullmatch(path.name) and path.is_file())
