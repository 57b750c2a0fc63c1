"""The agent verifies its own log in a separate process, with the same verifier an auditor uses."""

import asyncio
import contextlib
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import audit
from audit.postgres import POINTER
from healer.errors import HealerError

_log = logging.getLogger("healer.selfcheck")
PATIENCE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the verifier said."""

    verified: bool
    tampered: bool
    summary: str
    at: float
    """Boot-clock second at which it was asked."""
    report: dict[str, Any]


async def check(state_dir: Path, *, now: float, whole: bool = False) -> Checked:
    """Run the verifier on the agent's own log; incrementally, unless ``whole``.

    The verifier remembers the last head it proved in ``STATE/verified``, so each run reads only what is new. Raises
    HealerError when the verifier could not be run at all.
    """
    # A log in PostgreSQL needs its driver, which lies where -S does not look.
    alone = [] if (state_dir / POINTER).exists() else ["-S"]
    argv = [sys.executable, "-I", *alone, str(Path(audit.__file__).parent), "verify", str(state_dir), "--json"]
    memory = state_dir / "verified"
    argv += ["--memory", str(memory)]
    if not whole:
        argv.append("--incremental")
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as exc:
        raise HealerError(f"cannot run the verifier: {exc}") from exc
    try:
        async with asyncio.timeout(PATIENCE):
            out, err = await process.communicate()
    except (TimeoutError, asyncio.CancelledError):
        with contextlib.suppress(ProcessLookupError):  # it ended in this very moment
            process.kill()
        await process.wait()
        raise
    return _read(process.returncode, out, err, now)


def _read(code: int | None, out: bytes, err: bytes, now: float) -> Checked:
    try:
        report = json.loads(out)
    except ValueError:
        said = err.decode("utf-8", "replace").strip()[-500:]
        raise HealerError(f"the verifier ended with {code} and no report: {said}") from None
    summary = str(report.get("summary") or report.get("verdict") or code)
    return Checked(verified=code == 0, tampered=code == 1, summary=summary, at=now, report=report)
