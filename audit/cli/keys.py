"""``keys`` and ``rotate``: which key to pin, and handing a log over to a new one."""

import argparse
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from audit import places
from audit.cli import options
from audit.cli.options import Commands
from audit.errors import AuditError, KeyRefused

if TYPE_CHECKING:
    from audit.signature import PublicKey

_MAX: Final = 65_536


def add(commands: Commands) -> None:
    """Add the commands."""
    sub = commands.new("keys", "print a key's fingerprint, and the line that names the log in policies", _keys)
    options.place(sub, "key", "a public key file, or a state folder")
    options.as_json(sub)
    _add_rotate(commands.new("rotate", "hand the log over to a new key", _rotate))


def _add_rotate(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    options.place(sub, "state", "the state folder; its agent must be stopped")
    add("--because", type=options.words, required=True, metavar="WORDS", help="why, as the log will say")
    what = "the old key was stolen: trust it up to this block only"
    add("--revoke-after", type=options.natural, metavar="HEIGHT", help=what)
    add("--bits", type=int, choices=(3072, 4096, 8192), default=3072, help="size of the new key (3072)")
    add("--passphrase-file", type=Path, metavar="FILE", help="opens the old key, and closes the new one")
    for end, which in (("from", "old"), ("to", "new")):
        add(f"--{end}-key", type=Path, metavar="FILE", help=f"the {which} key, where it is not in the state folder")
        add(f"--{end}-command", metavar="COMMAND", help=f"a program that signs with the {which} key")
        add(f"--{end}-public", type=Path, metavar="FILE", help="its public key")
    options.as_json(sub)


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
    from audit import holding

    folder = args.key / places.KEYS if args.key.is_dir() else None
    path = folder / places.SEAL_PUB if folder else args.key
    key = _public(path)
    # After a rotation: the key to pin for the whole log is the one that it began with.
    first = _public(folder / places.FIRST_PUB).fingerprint if folder and (folder / places.FIRST_PUB).exists() else ""
    line = f"log {holding.vkey(args.key)}" if folder and (folder / places.NOTE_PUB).exists() else ""
    if args.json:
        facts = {"path": str(path), "fingerprint": key.fingerprint, "bits": key.modulus.bit_length(), "first": first}
        print(json.dumps(facts | {"policy": line}))
        return 0
    print(f"{key.fingerprint}  RSA-{key.modulus.bit_length()}  {path}")
    if first:
        print(f"{first}  the key that the log began with  {path.with_name('first.pub')}")
    if line:
        print(line)  # and nothing else: it is pasted whole into policies and witnesses' configurations
    return 0


def _public(path: Path) -> "PublicKey":
    from audit.files import read_small
    from audit.signature import PublicKey

    try:
        return PublicKey.from_pem(read_small(path, _MAX))
    except FileNotFoundError as exc:
        raise KeyRefused(f"there is no key at {path}") from exc
