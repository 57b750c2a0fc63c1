"""A hundred ways more to tell people, through apprise (an extra); the only importer of it."""

import asyncio
import logging
from types import ModuleType
from typing import TYPE_CHECKING

from healer import blocking
from healer.drivers.interface import EXTRAS
from healer.errors import HealerError

if TYPE_CHECKING:
    from collections.abc import Sequence


class AppriseError(HealerError):
    """Nobody was told. ``sent``: somebody may have been."""

    def __init__(self, message: str, *, hint: str = "", transient: bool, sent: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient, self.sent = transient, sent


async def send(urls: "Sequence[str]", title: str, text: str, severity: str, timeout: float) -> str:
    """Tell each address; returns what each service said. Raises AppriseError where one was not told.

    The addresses hold secrets: none is ever shown, only the service's name and its place in the list.
    """
    try:
        async with asyncio.timeout(timeout):
            said = await blocking.call(lambda: _send(urls, title, text, severity))
    except TimeoutError as exc:
        raise AppriseError(f"apprise: no end within {timeout:g} s", transient=True, sent=True) from exc
    failed = [name for name, told in said if not told]
    if failed:
        told = [name for name, ok in said if ok]
        but = f"; told: {', '.join(told)}" if told else ""
        raise AppriseError(f"not told: {', '.join(failed)}{but}", transient=True)
    return f"accepted by {', '.join(name for name, _ in said)}"


def _load() -> ModuleType:
    try:
        import apprise
    except ImportError as exc:
        raise AppriseError("apprise is not installed", hint=EXTRAS, transient=False) from exc
    # It writes addresses into its log, and those hold secrets.
    logging.getLogger("apprise").disabled = True
    return apprise


def _send(urls: "Sequence[str]", title: str, text: str, severity: str) -> list[tuple[str, bool]]:
    apprise = _load()
    kind = {"info": "info", "warning": "warning", "critical": "failure"}[severity]
    said = []
    for number, url in enumerate(urls, 1):
        made = apprise.Apprise.instantiate(url)
        if made is None:
            raise AppriseError(
                f"address {number} is none that apprise knows", hint="apprise --dry-run", transient=False
            )
        name = f"{number} ({made.service_name})"
        # One by one: together they tell only whether all of them were told.
        said.append((name, bool(made.notify(body=text, title=title, notify_type=kind))))
    return said
