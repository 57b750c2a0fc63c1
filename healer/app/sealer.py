"""Who seals the agent's log: a program of the operator's, a key that systemd lends, or the one in the state folder."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from audit import keys
from audit.signer import CommandSigner
from healer.config.values import Audit
from healer.drivers import argv
from healer.errors import ConfigError, HealerError

_LENT = "CREDENTIALS_DIRECTORY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """What opening the log needs to know about its key; the names are those of ``Writer.open``."""

    signer: CommandSigner | None = None
    passphrase: bytes | None = None
    credentials: Path | None = None


@contextmanager
def sealer(audit: Audit, environ: Mapping[str, str]) -> Iterator[Sealer]:
    """Start the program that signs, where there is one, and end it afterwards.

    Raises ConfigError for a program or a passphrase that cannot be used, and AuditError for one that does not sign.
    """
    lent = environ.get(_LENT)
    if audit.signer is None:
        passphrase = audit.passphrase.reveal(environ).encode() if audit.passphrase else None
        yield Sealer(passphrase=passphrase, credentials=Path(lent) if lent else None)
        return
    command = [_program(audit.signer.command[0]), *audit.signer.command[1:]]
    public = keys.load_public(Path(audit.signer.public))
    with CommandSigner(command, public, environment={_LENT: lent} if lent else {}) as signer:
        yield Sealer(signer=signer)


def _program(name: str) -> str:
    """Find the program, and refuse one that anybody else could have put there: it holds the key."""
    try:
        path = argv.resolve(name)
        argv.check_owners(path)
    except (HealerError, OSError) as exc:
        raise ConfigError(f"audit.signer: {exc}", hint="it must be a program that root or the agent owns") from exc
    return path
