"""Sealing with a key this process never sees: a program of the operator's signs, over two pipes.

The program (for a TPM, a smart card, another host) is started once, without a shell. For each signature it reads one
line, the base64 of the message, and answers one line, the base64 of an RSA-PSS signature (SHA-256, MGF1-SHA-256, a
salt of 32 octets). It ends when its input does. Each answer is checked with the pinned public key before it is used.
"""

import base64
import binascii
import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import IO, Final, Self

from audit.clock import Clock, SystemClock
from audit.errors import AuditError
from audit.signature import PublicKey

LIMIT_S: Final = 5.0
"""An answer takes no longer: a TPM needs about half a second for 3072 bits."""
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_TRIAL: Final = b"sealed-log/trial/v1\n"
_MAX_LINE: Final = 4096
_US: Final = 1_000_000


class SignerFailed(AuditError):
    """The program that signs did not sign; it is not asked again."""


class CommandSigner:
    """A key in somebody else's hands."""

    def __init__(
        self,
        command: Sequence[str],
        public: PublicKey,
        *,
        environment: Mapping[str, str] | None = None,
        limit_s: float = LIMIT_S,
        clock: Clock | None = None,
    ) -> None:
        """Start ``command`` and have it sign once, as a trial; raises ``SignerFailed``.

        It sees a ``PATH``, ``LANG`` and ``environment``, and nothing else of this process's environment.
        """
        self.public = public
        self._name = command[0] if command else ""
        self._limit_us = round(limit_s * _US)
        self._clock = clock or SystemClock()
        self._turn = threading.Lock()
        self._broken = ""
        self._process = self._start(command, environment or {})
        self._pidfd = os.pidfd_open(self._process.pid)
        try:
            self.sign(_TRIAL)
        except SignerFailed:
            self.close()
            raise

    def _start(self, command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        try:
            return subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={"PATH": PATH, "LANG": "C.UTF-8", **environment},
                cwd="/",
                bufsize=0,
                start_new_session=True,  # so that nothing it starts outlives it
            )
        except (OSError, ValueError, IndexError) as exc:
            raise SignerFailed(
                f"the signer {self._name!r} cannot be started: {exc}", hint="look at audit.signer.command"
            ) from exc

    def sign(self, message: bytes) -> bytes:
        """Return the program's signature, checked; raises ``SignerFailed``, and from then on always."""
        with self._turn:
            if self._broken:
                raise self._failed(self._broken)
            try:
                return self._ask(message)
            except SignerFailed as exc:
                self._broken = exc.message
                self._kill()
                raise

    def _ask(self, message: bytes) -> bytes:
        deadline = self._clock.mono_us() + self._limit_us
        self._write(base64.b64encode(message) + b"\n", deadline)
        line = self._read_line(deadline)
        try:
            signature = base64.b64decode(line, validate=True)
        except binascii.Error as exc:
            raise self._failed(f"answered something that is not base64: {line[:60]!r}") from exc
        if len(signature) != self.public.size:
            raise self._failed(f"answered {len(signature)} octets where a signature has {self.public.size}")
        if not self.public.verify(signature, message):
            raise self._failed("answered a signature that is not the pinned key's")
        return signature

    def _write(self, line: bytes, deadline: int) -> None:
        pipe = self._process.stdin
        if pipe is None or _ready(self._process.stdout, select.POLLIN, 0):
            raise self._failed(self._ended() or "spoke before it was asked")
        os.set_blocking(pipe.fileno(), False)
        while line:
            if not _ready(pipe, select.POLLOUT, self._left_ms(deadline)):
                raise self._failed(self._ended() or f"took no question within {self._limit_us / _US:g} s")
            try:
                line = line[os.write(pipe.fileno(), line) :]
            except OSError as exc:
                raise self._failed(self._ended() or f"cannot be asked: {exc.strerror}") from exc

    def _read_line(self, deadline: int) -> bytes:
        pipe, line = self._process.stdout, b""
        if pipe is None:
            raise self._failed("has no output")
        while not line.endswith(b"\n"):
            if not _ready(pipe, select.POLLIN, self._left_ms(deadline)):
                raise self._failed(f"did not answer within {self._limit_us / _US:g} s")
            got = os.read(pipe.fileno(), _MAX_LINE)
            line += got
            if not got:
                raise self._failed(self._ended() or "closed its output")
            if len(line) > _MAX_LINE or b"\n" in line[:-1]:
                raise self._failed("answered more than one line")
        return line[:-1]

    def _left_ms(self, deadline: int) -> int:
        return max(0, deadline - self._clock.mono_us()) // 1000

    def _ended(self) -> str:
        """Say how the program ended; empty while it runs. Left unreaped, so that its group's number stays its own."""
        _ready(self._pidfd, select.POLLIN, 100)  # its pipe is closed a moment before it can be waited for
        found = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return ""
        if found.si_code == os.CLD_EXITED:
            return f"ended with status {found.si_status}"
        return f"was ended by {signal.Signals(found.si_status).name}"

    def _failed(self, because: str) -> SignerFailed:
        text = because if because.startswith("the signer") else f"the signer {self._name!r} {because}"
        return SignerFailed(text, hint="mend it, then start again: without it nothing is sealed, so nothing is done")

    def _kill(self) -> None:
        """End the program and all it started, and reap it."""
        if self._process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)

    def close(self) -> None:
        """Let the program end by closing its input; one that does not end within a second is killed."""
        with self._turn:
            if self._pidfd < 0:
                return
            self._broken = self._broken or self._failed("was closed").message
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            _ready(self._pidfd, select.POLLIN, 1000)
            self._kill()
            os.close(self._pidfd)
            self._pidfd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _ready(file: IO[bytes] | int | None, event: int, patience_ms: int) -> bool:
    """Wait until a pipe can be used, or has been closed. Not with select(): a busy agent has more than 1024 files."""
    if file is None:
        return False
    poll = select.poll()
    poll.register(file, event)
    return bool(poll.poll(patience_ms))
