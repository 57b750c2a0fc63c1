"""What systemd wants to hear: READY, STATUS, RELOADING, STOPPING and the watchdog's heartbeat.

Source: sd_notify(3). The watchdog is fed from the loop's own progress, never from a thread beside it: an agent that
hangs must be killed.
"""

import logging
import os
import socket
import time
from collections.abc import Mapping

_log = logging.getLogger("healer.sdnotify")


class Systemd:
    """The notification socket; silent where there is none."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        self.watchdog = self._interval(environ)
        """Seconds between heartbeats (half of what systemd allows); 0 where it watches nothing."""
        self._last = float("-inf")

    @property
    def there(self) -> bool:
        """Whether systemd started us and listens."""
        return bool(self._address)

    @staticmethod
    def _interval(environ: Mapping[str, str]) -> float:
        pid = environ.get("WATCHDOG_PID", "")
        usec = environ.get("WATCHDOG_USEC", "")
        if not usec.isdigit() or (pid and pid != str(os.getpid())):
            return 0.0
        return int(usec) / 2e6

    def say(self, *lines: str) -> None:
        """Send assignments such as ``READY=1``; a deaf socket is logged, never an error."""
        if not self._address:
            return
        name = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(0)
                sock.sendto("\n".join(lines).encode(), name)
        except OSError as exc:
            _log.warning("sdnotify.failed", extra={"because": str(exc)})

    def reloading(self) -> None:
        """Say that a reload begins; systemd wants the moment on its own clock."""
        self.say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def progressed(self, now: float) -> None:
        """Feed the watchdog, at most once per interval."""
        if self.watchdog and now - self._last >= self.watchdog / 2:
            self._last = now
            self.say("WATCHDOG=1")
