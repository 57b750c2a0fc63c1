"""Secrets in what somebody else wrote: found by how they are called, and left out of what is written."""

import re
from typing import TYPE_CHECKING

from healer.yamldoc.mark import Mark

if TYPE_CHECKING:
    from healer.importing.harvest import Harvest

_CALLED = re.compile(
    r"(?<![a-z])pass(?:word|wd|phrase)?s?(?![a-z])|passw|secret|token|api-?key|private-?key|access-?key|credential"
    r"|(?<![a-z])auth(?![a-z])|authorization|bearer",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^\s/@:'\"]*):(?P<secret>[^\s/'\"]+)@")
_IN_QUERY = re.compile(
    r"(?P<key>[?&](?:[\w.-]*(?:pass|secret|token|key|auth|sig)[\w.-]*)=)(?P<secret>[^&\s'\"#]+)", re.IGNORECASE
)
_OPTION = re.compile(
    r"(?P<key>-{1,2}[\w-]*(?:password|passwd|passphrase|secret|token|api-?key)[\w-]*[= ]|\bBearer "
    r"|\b[A-Z_]*(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY)[A-Z_]*=)(?P<secret>[^\s'\"]+)"
)


def is_secret(key: str) -> bool:
    """Whether what is called so should be one."""
    return bool(_CALLED.search(key.replace("_", "-")))


def without(harvest: "Harvest", text: str, mark: Mark, hint: str) -> tuple[str, bool]:
    """A text without the secrets in it, and whether there were any; each is listed, by the name it got."""
    found = False

    def take(match: re.Match[str]) -> str:
        nonlocal found
        found = True
        groups = match.groupdict()
        name = harvest.credential(hint, match["secret"])
        harvest.left(mark, f"a secret in {hint}", f"secrets are named, never written: {{credential: {name}}}")
        return str(groups.get("scheme") or groups.get("key") or "") + ("" if groups.get("scheme") else "***")

    for pattern in (_IN_URL, _IN_QUERY, _OPTION):
        text = pattern.sub(take, text)
    return text, found


def redacted(text: str) -> str:
    """A text for people without what stands where secrets stand: for what is only quoted, and never taken over."""
    for pattern in (_IN_URL, _IN_QUERY, _OPTION):
        text = pattern.sub(lambda match: match.group().replace(match["secret"], "***"), text)
    return text
