"""The witnesses' policy as the agent needs it: the auditor's own file, which must also say where the witnesses are."""

from pathlib import Path
from typing import TYPE_CHECKING

from healer.errors import ConfigError

if TYPE_CHECKING:  # it brings the signatures along, which an agent without witnesses does not need
    from audit.policy import Policy


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


def complaint(policy: "Policy") -> str:
    """Say why this policy's quorum can never be reached by asking; empty where it can."""
    if policy.asks_for_nobody:
        return "the policy asks for nobody (quorum none): nothing is ever witnessed by it"
    if not any(witness.url for witness in policy.witnesses):
        return "no witness of the policy has a URL: nobody can be asked"
    if not policy.satisfied({witness.name for witness in policy.witnesses if witness.url}):
        return "the witnesses that have a URL are not enough for the policy's quorum"
    return ""
