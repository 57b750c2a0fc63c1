"""The auditor's commands: verify, show, tail, export, stats, keys. Standard library only."""

import argparse
import importlib
import json
import os
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from audit import archive, canonical, holding, upkeep
from audit.ask import Ask
from audit.attack.command import add as add_attack_command
from audit.errors import AuditError, KeyRefused, Malformed
from audit.files import read_small
from audit.memory import Memory
from audit.opening import open_log
from audit.reader import Sealed
from audit.report import LEVELS, Report, when
from audit.signature import PublicKey
from audit.verifier import verify
from audit.witness.cli import add_commands as add_witness_commands

_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_USAGE: Final = 2
_ROTATE: Final = "hand the log over to a new key"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns 0 proven, 1 tampered, 2 not proven or invalid usage."""
    args = _parser().parse_args(argv)
    command: Callable[[argparse.Namespace], int] = args.command
    try:
        return command(args)
    except AuditError as exc:
        print(f"healer-audit: {exc}", file=sys.stderr)
        return _USAGE
    except BrokenPipeError:
        # The reader of our output went away; without this the interpreter complains once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _USAGE
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="healer-audit", description="Prove a sealed log, and read what it says.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, command, what in (
        ("verify", _verify, "prove the log; exit 0 proven, 1 tampered, 2 not proven"),
        ("show", _show, "print entries, from the bytes that are verified"),
        ("tail", _tail, "print the last entries"),
        ("export", _export, "print every entry as it was sealed, one JSON object a line"),
        ("stats", _stats, "count blocks, entries and kinds"),
    ):
        sub = commands.add_parser(name, help=what, description=what)
        _add_proof_options(sub)
        if name != "verify":
            _add_filters(sub)
        if name in {"show", "tail"}:
            sub.add_argument(
                "--reveal", action="store_true", help="with what concealed texts stand for, where it is kept"
            )
        if name == "export":
            sub.add_argument("--database", type=Path, metavar="FILE", help="write the blocks to a new log file instead")
        if name == "tail":
            sub.add_argument("-n", "--lines", type=int, default=20, help="how many (20)")
        sub.set_defaults(command=command)
    sub = commands.add_parser("keys", help="print a key's fingerprint", description="Print a key's fingerprint.")
    sub.add_argument("path", type=Path, metavar="KEY", help="a public key file, or a state folder")
    sub.add_argument("--json", action="store_true")
    sub.set_defaults(command=_keys)
    _add_rotate(commands.add_parser("rotate", help=_ROTATE, description=f"{_ROTATE.capitalize()}."))
    upkeep.add_commands(commands)
    add_attack_command(commands)
    holding.add_commands(commands)
    what = "remember other logs' heads, and sign for them"
    add_witness_commands(commands.add_parser("witness", help=what, description=what))
    return parser


def _add_proof_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("log", type=Path, metavar="LOG", help="a log file or a state folder")
    add("--key", type=Path, metavar="FILE", help="the public key you pinned")
    for name, what in (
        ("anchor", "a head or checkpoint kept elsewhere"),
        ("checkpoint", "a cosigned checkpoint"),
        ("token", "a time-stamp token"),
        ("archive", "an archive of pruned blocks"),
    ):
        add(f"--{name}", type=Path, metavar="FILE", action="append", default=[], help=f"{what}; may repeat")
    add("--policy", type=Path, metavar="FILE", help="which witnesses count, and how many (c2sp.org/tlog-policy)")
    add("--tsa", type=Path, metavar="FILE", help="certificates of the time-stamp authorities that count, PEM")
    add("--tail", type=_seconds, default=60.0, metavar="TIME", help="how much witnesses may not have seen yet (60)")
    add("--min-level", choices=LEVELS[1:], default="L1", help="the level that must be proven (L1)")
    add("--flat", action="store_true", help="skip the Merkle roots: faster, and said so")
    add("--deep", action="store_true", help="read every entry: form, kinds, intents and outcomes")
    add("--json", action="store_true", help="print one JSON object")
    add("--max-age", type=_seconds, metavar="TIME", help="the head may be no older: 90, 5m, 2h, 1d")
    add("--expect-origin", metavar="NAME", help="the log must be this one")
    add("--since", type=_height, default=0, metavar="HEIGHT", help="start at this block")
    add("--since-head", type=Path, metavar="FILE", help="start after the head in this anchor file")
    add("--incremental", action="store_true", help="start after the head remembered from last time")
    add("--memory", type=Path, metavar="DIR", help="where proven heads are remembered")
    add("--no-memory", action="store_true", help="neither use nor keep a remembered head")


def _add_rotate(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("state", type=Path, metavar="STATE", help="the state folder; its agent must be stopped")
    add("--because", required=True, metavar="WORDS", help="why, as the log will say")
    add("--revoke-after", type=_height, metavar="HEIGHT", help="the old key was stolen: trust it up to this block only")
    add("--bits", type=int, choices=(3072, 4096, 8192), default=3072, help="size of the new key (3072)")
    add("--passphrase-file", type=Path, metavar="FILE", help="opens the old key, and closes the new one")
    for end, which in (("from", "old"), ("to", "new")):
        add(f"--{end}-key", type=Path, metavar="FILE", help=f"the {which} key, where it is not in the state folder")
        add(f"--{end}-command", metavar="COMMAND", help=f"a program that signs with the {which} key")
        add(f"--{end}-public", type=Path, metavar="FILE", help="its public key")
    add("--json", action="store_true", help="print one JSON object")
    sub.set_defaults(command=_rotate)


def _add_filters(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--kind", action="append", help="only this kind; may repeat")
    sub.add_argument("--seq", type=_height, help="only the entry with this number")
    for name in ("rule", "target", "corr", "type"):
        sub.add_argument(f"--{name}", metavar="GLOB", help=f"only where {name} matches")


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time: write 90, 5m, 2h or 1d")
    return float(int(match[1]) * _UNITS[match[2]])


def _height(text: str) -> int:
    if not re.fullmatch(r"\d{1,15}", text):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a natural number")
    return int(text)


def _ask(args: argparse.Namespace) -> Ask:
    memory = None
    if not args.no_memory:
        memory = Memory(args.memory) if args.memory else Memory.default()
    return Ask(
        log=args.log,
        key=args.key,
        anchors=tuple(args.anchor),
        memory=memory,
        checkpoints=tuple(args.checkpoint),
        policy=args.policy,
        tokens=tuple(args.token),
        tsa=args.tsa,
        archives=tuple(args.archive),
        tail_s=args.tail,
        min_level=args.min_level,
        flat=args.flat,
        deep=args.deep,
        since=args.since,
        since_head=args.since_head,
        incremental=args.incremental,
        max_age_s=args.max_age,
        expect_origin=args.expect_origin,
    )


def _verify(args: argparse.Namespace) -> int:
    report = verify(_ask(args))
    print(json.dumps(report.to_json()) if args.json else report.text())
    return report.exit_code


def _show(args: argparse.Namespace) -> int:
    def sink(sealed: Sealed) -> None:
        fields = _fields(sealed)
        if _wanted(args, sealed, fields):
            print(_line(args, sealed, fields))

    return _closing(verify(_ask(args), sink=sink))


def _tail(args: argparse.Namespace) -> int:
    last: deque[str] = deque(maxlen=max(args.lines, 0))

    def sink(sealed: Sealed) -> None:
        fields = _fields(sealed)
        if _wanted(args, sealed, fields):
            last.append(_line(args, sealed, fields))

    report = verify(_ask(args), sink=sink)
    for line in last:
        print(line)
    return _closing(report)


def _export(args: argparse.Namespace) -> int:
    if args.database is not None:
        return _export_database(args)

    def sink(sealed: Sealed) -> None:
        if _wanted(args, sealed, _fields(sealed)):
            sys.stdout.buffer.write(sealed.octets + b"\n")

    report = verify(_ask(args), sink=sink)
    sys.stdout.buffer.flush()
    return _closing(report)


def _export_database(args: argparse.Namespace) -> int:
    """Copy the blocks, octet for octet, wherever they are kept; the verdict is the original's."""
    if os.path.lexists(args.database):
        raise AuditError(f"{args.database} exists already", hint="evidence is never written over")
    with open_log(args.log) as log:
        archive.put(log.rows(), args.database)
    return _closing(verify(_ask(args)))


def _stats(args: argparse.Namespace) -> int:
    kinds: Counter[str] = Counter()

    def sink(sealed: Sealed) -> None:
        fields = _fields(sealed)
        if _wanted(args, sealed, fields):
            kinds[str(fields.get("kind", "?"))] += 1

    report = verify(_ask(args), sink=sink)
    if args.json:
        print(json.dumps({**report.to_json(), "kinds": dict(kinds.most_common())}))
        return report.exit_code
    for kind, count in kinds.most_common():
        print(f"{count:>12} {kind}")
    return _closing(report)


def _rotate(args: argparse.Namespace) -> int:
    # By name: what verifies shares no code with what stores, and a bare copy of this folder cannot rotate anything.
    try:
        rotate = importlib.import_module("audit.rotate")
    except ImportError as exc:
        raise AuditError(
            f"rotating needs the agent's own environment: {exc}", hint="run it where the agent is"
        ) from exc
    return int(rotate.run(args))


def _keys(args: argparse.Namespace) -> int:
    folder = args.path / "keys" if args.path.is_dir() else None
    path = folder / "seal.pub" if folder else args.path
    key = _public(path)
    # After a rotation: the key to pin for the whole log is the one that it began with.
    first = _public(folder / "first.pub").fingerprint if folder and (folder / "first.pub").exists() else ""
    line = f"log {holding.vkey(args.path)}" if folder and (folder / holding.PUBLIC).exists() else ""
    if args.json:
        facts = {"path": str(path), "fingerprint": key.fingerprint, "bits": key.modulus.bit_length(), "first": first}
        print(json.dumps(facts | {"policy": line}))
        return 0
    print(f"{key.fingerprint}  RSA-{key.modulus.bit_length()}  {path}")
    if first:
        print(f"{first}  the key that the log began with  {path.with_name('first.pub')}")
    if line:
        print(f"{line}  for policies")
    return 0


def _public(path: Path) -> PublicKey:
    try:
        return PublicKey.from_pem(read_small(path, 65_536))
    except FileNotFoundError as exc:
        raise KeyRefused(f"there is no key at {path}") from exc


def _fields(sealed: Sealed) -> dict[str, object]:
    """Return the entry's fields, none where its octets are not an entry: the verdict will say so under --deep."""
    try:
        return canonical.decode(sealed.octets)
    except Malformed:
        return {}


def _wanted(args: argparse.Namespace, sealed: Sealed, fields: dict[str, object]) -> bool:
    if args.seq is not None and sealed.seq != args.seq:
        return False
    if args.kind and fields.get("kind") not in args.kind:
        return False
    globs = ((name, getattr(args, name)) for name in ("rule", "target", "corr", "type"))
    return all(glob is None or fnmatchcase(str(fields.get(name, "")), glob) for name, glob in globs)


def _line(args: argparse.Namespace, sealed: Sealed, fields: dict[str, object]) -> str:
    if args.reveal:
        fields = upkeep.reveal(args.log, fields)
    if args.json:
        return json.dumps({"seq": sealed.seq, "height": sealed.height, "leaf": sealed.leaf, "entry": fields})
    common = {"v", "kind", "seq", "ts", "mono", "boot", "node"}
    # Escaped: what an attacker got into a field must not drive the reader's terminal.
    rest = " ".join(f"{name}={json.dumps(value)}" for name, value in fields.items() if name not in common)
    return f"{sealed.seq:>8} {when(fields.get('ts'))} {ascii(fields.get('kind', '?'))[1:-1]:<10} {rest}"


def _closing(report: Report) -> int:
    """Print the verdict beside the data, so that nobody takes lines for proof."""
    print(report.text().split("\n", 1)[0], file=sys.stderr)
    return report.exit_code
