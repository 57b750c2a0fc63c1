"""Writing to journald by its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL), or to standard error without it."""

import logging
import os
import socket
from collections.abc import Mapping

SOCKET = "/run/systemd/journal/socket"
_MOST = 65536
_log = logging.getLogger("healer.notify")


def write(message: str, priority: int, fields: Mapping[str, str], path: str = SOCKET) -> bool:
    """Write one entry; True when journald took it, False when it went to the ordinary log instead. Never raises."""
    named = {f"HEALER_{name.upper()}": value for name, value in fields.items() if value}
    entry = {"MESSAGE": message, "PRIORITY": str(priority), "SYSLOG_IDENTIFIER": "healer", **named}
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.settimeout(0)  # a full or hung journal must not hold the loop
            sender.sendto(b"".join(encoded(name, value) for name, value in entry.items()), path)
    except OSError:
        _log.log(_LEVELS.get(priority, logging.WARNING), "notify", extra={"told": message, **fields})
        return False
    return True


_LEVELS = {6: logging.INFO, 4: logging.WARNING, 2: logging.CRITICAL}


def encoded(name: str, value: str) -> bytes:
    """One field. The length goes ahead of the octets, so no newline in a value can pass for another field."""
    octets = os.fsencode(value) if value.isascii() else value.encode("utf-8", "replace")
    octets = octets[:_MOST]
    return name.encode("ascii") + b"\n" + len(octets).to_bytes(8, "little") + octets + b"\n"
