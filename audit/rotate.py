"""The operator's command that hands a log over to a new key, while its agent is stopped."""

import argparse
import contextlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from audit import keys, places
from audit.errors import KeyRefused
from audit.files import check_owner
from audit.keys import SealingKey, Signer
from audit.opening import node_of, postgres_of
from audit.signer import CommandSigner
from audit.writer import Writer

if TYPE_CHECKING:
    from audit.group import Receipt


class _Kept:
    """A key in a file that stays where it is: nothing of it is copied into the state folder."""

    def __init__(self, path: Path, passphrase: bytes | None) -> None:
        key = keys.load_private(path, passphrase)
        self.public, self.sign = key.public, key.sign


def run(args: argparse.Namespace) -> int:
    """Rotate as the options say; raises ``AuditError``, ``Busy`` among them while the agent runs."""
    state: Path = args.state
    passphrase = keys.load_passphrase(args.passphrase_file) if args.passphrase_file else None
    check_owner(state, "healer-audit rotate …")
    with contextlib.ExitStack() as stack:
        node = node_of(state)
        old = stack.enter_context(_signer(args.from_key, args.from_command, args.from_public, passphrase))
        new = stack.enter_context(_signer(args.to_key, args.to_command, args.to_public, passphrase))
        if old is not None and new is None:
            raise KeyRefused(
                "the new key would lie in the state folder, but the old one does not",
                hint="say where the new one is: --to-key FILE, or --to-command COMMAND --to-public FILE",
            )
        place = postgres_of(state)
        writer = stack.enter_context(Writer.open(state, node=node, signer=old, passphrase=passphrase, postgres=place))
        before = writer.public.fingerprint
        receipt = writer.rotate(
            new or SealingKey.generate(args.bits),
            because=args.because,
            trusted_to=args.revoke_after,
            passphrase=passphrase,
        )
        _tell(args, before, writer.public.fingerprint, receipt)
    return 0


def _tell(args: argparse.Namespace, old: str, new: str, receipt: "Receipt") -> None:
    if args.json:
        facts = {"old": old, "new": new, "height": receipt.height, "revoked_after": args.revoke_after}
        print(json.dumps(facts))
        return
    print(f"block {receipt.height} hands the log over")
    print(f"  from {old}")
    print(f"  to   {new}  {args.state / places.KEYS / places.SEAL_PUB}")
    print("The key you pinned stays good: a verifier follows the log from it to the new one.")


@contextlib.contextmanager
def _signer(
    path: Path | None, command: str | None, public: Path | None, passphrase: bytes | None
) -> Iterator[Signer | None]:
    """Open the key that the options name; None where they name none."""
    if command is None:
        yield None if path is None else _Kept(path, passphrase)
        return
    if public is None:
        raise KeyRefused("a command that signs needs its public key", hint="give it: --from-public or --to-public FILE")
    with CommandSigner(shlex.split(command), keys.load_public(public)) as signer:
        yield signer
