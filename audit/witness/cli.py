"""The witness's commands: make a key, serve."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from audit.errors import AuditError, KeyRefused, Poisoned
from audit.files import read_small

# The auditor's other commands build this parser too: what only a witness needs is imported where it is needed.
if TYPE_CHECKING:
    from audit.note import Verifier

_MAX_CONFIG: Final = 4_000_000
_TRY_AGAIN: Final = 1
"""Exit status of a witness that a new start may cure; 2, as everywhere, is what only its operator can."""
_FILES: Final = 8192
_WORDS: Final = ("log", "key", "state", "listen")


@dataclass(slots=True)
class Config:
    """What a witness is told: whom it witnesses, with which keys, and where."""

    logs: "list[Verifier]" = field(default_factory=list)
    keys: list[Path] = field(default_factory=list)
    state: Path | None = None
    listen: str = ""

    def take(self, word: str, value: str) -> None:
        """Take one setting; raises ``AuditError`` for what cannot be meant."""
        from audit.note import Kind, Verifier

        if word == "log":
            # A log line of a tlog-policy file may be pasted whole: the URL after the key is not needed here.
            verifier = Verifier.parse(value.split(maxsplit=1)[0])
            if verifier.kind is Kind.COSIGNATURE:
                raise KeyRefused(f"{verifier.name} is a witness's key, not a log's")
            self.logs.append(verifier)
        elif word == "key":
            self.keys.append(Path(value))
        elif word == "state":
            self.state = Path(value)
        else:
            self.listen = value


def add_commands(sub: argparse.ArgumentParser) -> None:
    """Add ``witness serve`` and ``witness key`` to the auditor's commands."""
    commands = sub.add_subparsers(required=True, metavar="COMMAND", prog=sub.prog)
    serve = commands.add_parser("serve", help="cosign logs over HTTP", description="Cosign logs over HTTP.")
    serve.add_argument("--config", type=Path, metavar="FILE", help="lines: log VKEY, key FILE, state DIR, listen WHERE")
    serve.add_argument("--log", action="append", default=[], metavar="VKEY", help="a log's public key; may repeat")
    serve.add_argument("--key", action="append", default=[], metavar="FILE", help="a cosigning key; may repeat")
    serve.add_argument("--state", metavar="DIR", help="where it remembers what it has cosigned")
    serve.add_argument("--listen", metavar="WHERE", help="127.0.0.1:PORT or unix:PATH")
    serve.set_defaults(command=_in_full(_serve))
    key = commands.add_parser("key", help="make a cosigning key", description="Make a cosigning key, print its vkey.")
    key.add_argument("file", type=Path, metavar="FILE", help="where the private key goes, or is")
    key.add_argument("name", nargs="?", help="what it signs under, such as witness.example/w1; not needed to print")
    key.add_argument("--post-quantum", action="store_true", help="ML-DSA-44 instead of Ed25519")
    key.set_defaults(command=_in_full(_key))


def _in_full(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Say what is missing where this folder alone was copied: verifying needs nothing, signing does."""

    def run(args: argparse.Namespace) -> int:
        try:
            return command(args)
        except ModuleNotFoundError as exc:
            raise AuditError(f"{exc.name} is not installed", hint="a witness needs it: pip install healer") from exc

    return run


def _key(args: argparse.Namespace) -> int:
    """Make a key, or print the public half of one that is there."""
    from audit.witness import keyfile

    if args.name is None:
        signer = keyfile.load(args.file)
    else:
        signer = keyfile.make(args.file, args.name, post_quantum=args.post_quantum)
    sys.stdout.write(signer.verifier.vkey() + "\n")
    return 0


def _serve(args: argparse.Namespace) -> int:
    config = _config(args)
    if not config.logs or not config.keys or config.state is None or not config.listen:
        raise AuditError("a witness needs a log, a key, a state folder and a place to listen", hint="see --help")
    import asyncio

    from audit.clock import SystemClock
    from audit.witness import keyfile
    from audit.witness.judge import Witness
    from audit.witness.serve import Server
    from audit.witness.state import State

    cosigners = [keyfile.load(path) for path in config.keys]

    def ready(where: str) -> None:
        names = ", ".join(signer.verifier.name for signer in cosigners)
        sys.stdout.write(f"listening on {where} as {names}; logs: {len(witness.logs)}\n")
        sys.stdout.flush()

    try:
        state = State.open(config.state)
    except Poisoned as exc:
        sys.stderr.write(f"healer-audit: {exc}\n")
        return _TRY_AGAIN
    before = os.umask(0o077)
    _allow_many_connections()
    try:
        witness = Witness(logs=config.logs, cosigners=cosigners, state=state, clock=SystemClock())
        asyncio.run(Server(witness).run(config.listen, ready))
    except (OSError, Poisoned) as exc:
        because = exc if isinstance(exc, Poisoned) else f"cannot listen on {config.listen}: {exc.strerror or exc}"
        sys.stderr.write(f"healer-audit: {because}\n")
        return _TRY_AGAIN
    finally:
        os.umask(before)
        state.close()
    return 0


def _allow_many_connections() -> None:
    """Make room for all that may be accepted before the first is turned away; 1024 files are the usual limit."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _config(args: argparse.Namespace) -> Config:
    """Read the file first; what is given on the command line adds to it, or replaces what can be only one."""
    config = Config()
    for word, value in _settings(args.config) if args.config else ():
        config.take(word, value)
    for word in _WORDS:
        given = getattr(args, word)
        for value in given if isinstance(given, list) else [given] if given else []:
            config.take(word, value)
    return config


def _settings(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = read_small(path, _MAX_CONFIG).decode("utf-8")
    except FileNotFoundError as exc:
        raise AuditError(f"there is no configuration at {path}") from exc
    except UnicodeDecodeError as exc:
        raise AuditError(f"{path} is not UTF-8") from exc
    for number, line in enumerate(text.splitlines(), 1):
        word, _, value = line.strip().partition(" ")
        if not word or word.startswith("#"):
            continue
        if word not in _WORDS or not value.strip():
            raise AuditError(f"{path}:{number}: {line[:60]!r} is none of: {', '.join(_WORDS)} with a value")
        yield word, value.strip()
