"""Who vouches for the log, read for the agent: the auditor's own policy, and the authority's certificates."""

from pathlib import Path
from typing import TYPE_CHECKING

from healer.config.values import Timestamps
from healer.errors import ConfigError

if TYPE_CHECKING:  # it brings the signatures along, which an agent without witnesses does not need
    from audit.policy import Policy, Witness
    from audit.x509 import Certificate

_MOST = 1024 * 1024


def read(path: Path) -> "Policy":
    """Read the policy of ``audit.policy``; raises ConfigError for a file that cannot be used, with the reason."""
    from audit import policy
    from audit.errors import AuditError
    from audit.files import read_small

    try:
        return policy.parse(read_small(path, policy.MAX_FILE))
    except FileNotFoundError as exc:
        raise ConfigError(f"audit.policy: {path} is missing", hint="docs/witness.md shows one") from exc
    except OSError as exc:
        raise ConfigError(f"audit.policy: {path} cannot be read: {exc.strerror}") from exc
    except AuditError as exc:
        raise ConfigError(f"audit.policy: {path}: {exc.message}", hint=exc.hint) from exc


def trouble(path: str) -> str:
    """Say why nobody can be asked by this policy; empty where somebody can, or none is named."""
    try:
        return complaint(read(Path(path))) if path else ""
    except ConfigError as exc:
        return str(exc)


def roots(path: Path) -> "list[Certificate]":
    """Read the certificates of ``audit.timestamps.roots``; raises ConfigError."""
    from audit import x509
    from audit.errors import AuditError
    from audit.files import read_small

    try:
        return list(x509.from_pem(read_small(path, _MOST)))
    except OSError as exc:
        raise ConfigError(f"audit.timestamps.roots: {path} cannot be read: {exc.strerror}") from exc
    except AuditError as exc:
        raise ConfigError(f"audit.timestamps.roots: {path}: {exc.message}", hint=exc.hint) from exc


def roots_trouble(plan: Timestamps | None) -> str:
    """Say why no answer of the authority would be believed; empty where one may be, or none is named."""
    try:
        found = roots(Path(plan.roots)) if plan else []
    except ConfigError as exc:
        return str(exc)
    return "" if found or plan is None else f"audit.timestamps.roots: {plan.roots} holds no certificate"


def complaint(policy: "Policy") -> str:
    """Say why this policy's quorum can never be reached by asking; empty where it can."""
    if policy.asks_for_nobody:
        return "the policy asks for nobody (quorum none): nothing is ever witnessed by it"
    if not any(witness.url for witness in policy.witnesses):
        return "no witness of the policy has a URL: nobody can be asked"
    if not policy.satisfied({witness.name for witness in policy.witnesses if witness.url}):
        return "the witnesses that have a URL are not enough for the policy's quorum"
    return next(filter(None, map(_out_of_reach, policy.witnesses)), "")


def _out_of_reach(witness: "Witness") -> str:
    """Say why this witness's URL can be none, where it has one."""
    from audit.errors import AuditError
    from audit.witness.http import Place

    try:
        if witness.url:
            Place.parse(witness.url)
    except AuditError as exc:
        return f"the witness {witness.name}: {exc}"
    return ""


def names(policy: "Policy", vkey: str) -> bool:
    """Tell whether a policy names this log; raises ConfigError where it names another key for it."""
    from audit.note import Verifier

    ours = Verifier.parse(vkey)
    known = policy.verifiers_of(ours.name)
    if known and ours not in known:
        raise ConfigError(f"audit.policy: it names another key for {ours.name}", hint=f"its line is: log {vkey}")
    return bool(known)


def with_log(path: Path, vkey: str) -> bytes:
    """Read the policy of ``audit.policy``, as its octets, with this log's line added where it has none.

    Raises ConfigError as ``read`` and ``names`` do.
    """
    from audit import policy
    from audit.files import read_small

    if names(read(path), vkey):
        return read_small(path, policy.MAX_FILE)
    return read_small(path, policy.MAX_FILE) + f"log {vkey}\n".encode()
