"""The agent verifies its own log in a separate process, with the same verifier an auditor uses."""

import asyncio
import contextlib
import functools
import json
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import audit
from audit import block, checkpoint, holding
from audit.errors import AuditError
from audit.files import write_atomically
from audit.opening import open_log
from audit.postgres import POINTER
from healer import blocking
from healer.config import policy
from healer.errors import HealerError

_log = logging.getLogger("healer.selfcheck")
PATIENCE = 300.0
AGAIN = 1.0
"""Seconds after which signatures that were due are looked for again, once."""
FAR = 20_000
"""Blocks back to the newest that others vouch for; where there are more, only what is new is read."""
MEMORY = "verified"
"""Folder in the state folder: what the verifier remembers, and what it is given."""
_DUE = frozenset({"due", "level"})
"""Findings that a signature which is still due leads to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Who, besides the log's own key, is believed about the log: files, as configured."""

    policy: Path | None = None
    roots: Path | None = None


NOBODY = Trust()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the verifier said."""

    verified: bool
    tampered: bool
    summary: str
    at: float
    """Boot-clock second at which it was asked."""
    report: dict[str, Any]
    level: str = "none"
    """What is proven of the whole log, by this run and those before it: ``none``, ``L0`` to ``L4``."""
    because: str = ""
    """What keeps it from more; empty at L4."""
    broken: tuple[int, ...] = ()
    """Blocks at which the ratchet was lost, and which nobody outside vouches for."""
    vouched_to: int | None = None
    """The newest block that all who are trusted have vouched for; None where nobody is, or has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One run of the verifier: the arguments that say what it is given."""

    state_dir: Path
    whole: bool
    start: int | None
    trust: Trust
    trouble: list[str] = field(default_factory=list)
    """What of ``trust`` cannot be used, in words: then it is left out, and proves nothing."""


async def check(
    state_dir: Path, *, now: float, whole: bool = False, trust: Trust = NOBODY, before: Checked | None = None
) -> Checked:
    """Run the verifier on the agent's own log; unless ``whole``, from where ``before`` had come.

    The verifier remembers the last head it proved in ``STATE/verified``, so each run reads only what is new: from the
    newest block on that everybody in ``trust`` had vouched for. Raises HealerError when the verifier could not be run
    at all.
    """
    run = _Run(state_dir=state_dir, whole=whole, start=before.vouched_to if before and not whole else None, trust=trust)
    argv = await blocking.call(functools.partial(_command, run))
    checked = await _verified(argv, now)
    if _is_due(checked):
        await asyncio.sleep(AGAIN)
        checked = _waiting(checked, await _verified(argv, now))
    return _weighed(checked, before if not whole else None, run)


def _command(run: _Run) -> list[str]:
    """The verifier's command line; blocks."""
    state_dir, memory = run.state_dir, run.state_dir / MEMORY
    given = _given(run)
    # Without the library that -S hides, a signature takes 3.7 ms. A log in PostgreSQL needs its driver, too.
    alone = [] if run.whole or given or (state_dir / POINTER).exists() else ["-S"]
    argv = [sys.executable, "-I", *alone, str(Path(audit.__file__).parent), "verify", str(state_dir), "--json"]
    argv += ["--memory", str(memory), *given]
    if run.whole:
        return argv
    if run.start is not None and (since := _since(run, run.start)) is not None:
        return [*argv, "--since-head", str(since)]
    return [*argv, "--incremental"]


def _given(run: _Run) -> list[str]:
    """Policy and certificates as options; the policy with this log in it, which the configured one may leave out."""
    options = []
    if run.trust.policy is not None:
        try:
            octets = policy.with_log(run.trust.policy, holding.vkey(run.state_dir))
            options += ["--policy", str(_written(run.state_dir, "policy", octets))]
        except (HealerError, AuditError, OSError) as exc:
            run.trouble.append(str(exc))
    if run.trust.roots is not None:
        try:
            policy.roots(run.trust.roots)
        except HealerError as exc:
            run.trouble.append(str(exc))
        else:
            options += ["--tsa", str(run.trust.roots)]
    return options


def _since(run: _Run, height: int) -> Path | None:
    """Write down the head of ``height``, to start from; None where it is too far away, or cannot be read.

    The run before has proved it, and the head that this run must meet hangs on it.
    """
    try:
        with open_log(run.state_dir) as log:
            row, top = log.row(height), log.top()
        if row is None or top is None or top - height > FAR:
            return None
        head = checkpoint.of_header(block.parse_header(row.hdr), block.hash_of(row.hdr))
        return _written(run.state_dir, "since", head.encode())
    except (AuditError, OSError):
        return None


def _written(state_dir: Path, name: str, octets: bytes) -> Path:
    path = state_dir / MEMORY / name
    path.parent.mkdir(mode=0o700, exist_ok=True)
    write_atomically(path, octets)
    return path


async def _verified(argv: list[str], now: float) -> Checked:
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
    level = str(report.get("level") or "none")
    return Checked(verified=code == 0, tampered=code == 1, summary=summary, at=now, report=report, level=level)


# What follows from it ----------------------------------------------------------------------------------------------


def _findings(report: Mapping[str, Any], *codes: str) -> list[Mapping[str, Any]]:
    return [one for one in report.get("findings", ()) if one["code"] in codes]


def _is_due(checked: Checked) -> bool:
    """Tell whether nothing is missing but RSA's signatures of the newest blocks."""
    found = {one["code"] for one in checked.report.get("findings", ()) if one["weight"] == "unproven"}
    return not checked.tampered and "due" in found and found <= _DUE


def _waiting(first: Checked, again: Checked) -> Checked:
    """Take a second look for what it is: on a busy log other blocks wait by now, and those of the first are signed."""
    if not _is_due(again):
        return again
    lowest, seen = min(one["height"] for one in _findings(again.report, "due")), first.report["range"]["seen"][1]
    if seen is None or lowest <= seen:
        return again
    summary = f"proven: L1, up to block {lowest - 1}; those after it wait for their RSA signature"
    return replace(again, verified=True, level="L1", summary=summary)


def _weighed(checked: Checked, before: Checked | None, run: _Run) -> Checked:
    """Add what was proven by earlier runs, and say what keeps the level from being higher."""
    report = checked.report
    witnessed = (report.get("witnessed") or {}).get("to")
    dated = (report.get("dated") or {}).get("to")
    broken = {*report.get("ratchet_broken_at", ()), *(before.broken if before else ())}
    broken = {height for height in broken if witnessed is None or height > witnessed}
    level = "L1" if broken and checked.level == "L2" else checked.level
    wanted = [height for trusted, height in ((run.trust.policy, witnessed), (run.trust.roots, dated)) if trusted]
    known = [height for height in wanted if height is not None]
    vouched = min(known) if checked.verified and known and len(known) == len(wanted) else None
    return replace(
        checked,
        level=level,
        because=_because(replace(checked, level=level, broken=tuple(sorted(broken))), run),
        broken=tuple(sorted(broken)),
        vouched_to=vouched if vouched is not None else before.vouched_to if before else None,
    )


def _because(checked: Checked, run: _Run) -> str:
    report, level = checked.report, checked.level
    if level in {"none", "L0"} or not checked.verified:
        return checked.summary
    if run.trouble and level != "L4":
        return "; ".join(run.trouble)
    if level == "L1" and checked.broken:
        where = ", ".join(map(str, checked.broken[:5])) + ("…" if len(checked.broken) > 5 else "")
        return f"the ratchet broke at block {where} (a crash), and no witness has cosigned that yet"
    if level == "L1":
        return "the newest blocks wait for their RSA signature" if _findings(report, "due") else "there is no ratchet"
    if level == "L2":
        return _unwitnessed(report, run.trust)
    if level == "L3" and run.trust.roots is None:
        return "no time-stamp authority is configured (audit.timestamps)"
    return "its newest part is not dated" if level == "L3" else ""


def _unwitnessed(report: Mapping[str, Any], trust: Trust) -> str:
    if trust.policy is None:
        return "no witnesses are configured (audit.policy)"
    for one in _findings(report, "stale"):
        return str(one["because"])
    to = report["witnessed"]["to"]
    return "no witnessed checkpoint was found" if to is None else f"witnesses have not seen what follows block {to}"
