"""What ``healer doctor`` asks about the log: who signs it, who vouches for it, where it goes, and whether it fits."""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healer.clock import SystemClock
from healer.errors import HealerError

if TYPE_CHECKING:  # signatures and HTTP, which no other command needs
    from audit.note import Verifier
    from audit.policy import Witness
    from healer.config import Config
    from healer.config.values import Retention, Timestamps

TIMEOUT = 2.0
"""Seconds a witness has for its answer."""
SLACK = 5.0
"""Seconds by which two clocks that are kept right may differ."""
_DAY = 86_400.0
_SOON = 30 * _DAY
_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing looked at."""

    what: str
    how: str
    """``ok``, ``warn`` or ``fail``."""
    says: str
    fix: str = ""


def looks(config: "Config", folder: Path) -> Iterator[Found]:
    """Look at everything that concerns the log; each look tells what goes wrong with it."""
    yield from signer(config)
    if os.access(folder / "keys", os.X_OK):
        yield from note_key(folder)
    yield from witnesses(config, folder)
    yield from roots(config.audit.timestamps)
    yield from archive(config.audit.retention, folder)
    yield from room(config.audit.retention, folder)


def signer(config: "Config") -> Iterator[Found]:
    """Have the program that holds the key sign once, or open the passphrase."""
    from audit.errors import AuditError
    from healer.app.sealer import sealer

    if config.audit.signer is None and config.audit.passphrase is None:
        return
    what = "signer" if config.audit.signer else "passphrase"
    try:
        with sealer(config.audit, os.environ):
            pass
    except (HealerError, AuditError) as exc:
        yield Found(what=what, how="fail", says=exc.message, fix=exc.hint or f"docs/keys.md: audit.{what}")
    except OSError as exc:
        yield Found(what=what, how="fail", says=str(exc), fix=f"docs/keys.md: audit.{what}")
    else:
        says = "it signs, and its public key agrees" if config.audit.signer else "it can be read"
        yield Found(what=what, how="ok", says=says)


def note_key(folder: Path) -> Iterator[Found]:
    """The key that signs checkpoints for witnesses."""
    from audit import holding
    from audit.errors import AuditError
    from audit.heads import PRIVATE

    key = folder / "keys" / PRIVATE
    try:
        mode = stat.S_IMODE(key.lstat().st_mode)
        named = holding.vkey(folder)
    except FileNotFoundError:
        fix = "none: the agent makes one at its next start; tell witnesses and auditors (healer audit keys)"
        yield Found(what="note key", how="warn", says=f"{key} is missing", fix=fix)
    except (AuditError, OSError) as exc:
        yield Found(what="note key", how="fail", says=str(exc), fix=f"restore {folder / 'keys'} from its backup")
    else:
        if mode & 0o077:
            says = f"{key} is open to others ({mode:04o})"
            yield Found(what="note key", how="fail", says=says, fix=f"chmod 600 {key}")
        else:
            yield Found(what="note key", how="ok", says=f"{named.partition('+')[0]}, mode {mode:04o}")


def witnesses(config: "Config", folder: Path) -> Iterator[Found]:
    """The policy, and each witness that can be asked."""
    from audit import holding
    from audit.errors import AuditError
    from audit.note import Verifier
    from healer.config import policy

    if not config.audit.policy:
        says = "no witnesses: a rollback of this machine goes unnoticed"
        yield Found(what="witnesses", how="ok", says=says)
        return
    fix = "docs/witness.md shows a policy"
    if because := policy.trouble(config.audit.policy):
        yield Found(what="witnesses", how="fail", says=because, fix=fix)
        return
    rules, ours = policy.read(Path(config.audit.policy)), None
    try:
        ours = Verifier.parse(holding.vkey(folder))
        policy.names(rules, ours.vkey())
    except HealerError as exc:
        yield Found(what="witnesses", how="fail", says=exc.message, fix=exc.hint)
        return
    except (AuditError, OSError):
        pass  # there is no log yet, or it is not ours to read: whether they answer can be asked all the same
    yield Found(what="witnesses", how="ok", says=f"{len(rules.witnesses)} in {config.audit.policy}")
    for one in rules.witnesses:
        if one.url:
            yield _asked(one, ours, folder)


def _asked(witness: "Witness", ours: "Verifier | None", folder: Path) -> Found:
    from audit.errors import AuditError
    from audit.witness.client import newest
    from audit.witness.protocol import Refused

    what = f"witness {witness.name}"
    try:
        octets = newest(witness.url, ours.name if ours else "nobody", timeout_s=TIMEOUT)
    except Refused:
        return Found(what=what, how="ok", says="it answers, and shows nothing of this log")
    except AuditError as exc:
        fix = "is it running, and may this host reach it? docs/witness.md"
        return Found(what=what, how="warn", says=exc.message, fix=fix)
    if ours is None:
        return Found(what=what, how="ok", says="it answers")
    return _weighed(what, witness, octets, ours, folder)


def _weighed(what: str, witness: "Witness", octets: bytes, ours: "Verifier", folder: Path) -> Found:
    """Hold the newest checkpoint that a witness has cosigned against our log, and its clock against ours."""
    from audit import block, note
    from audit.errors import AuditError
    from audit.opening import open_log
    from audit.treehead import TreeHead

    try:
        opened = note.open_note(note.Note.parse(octets), [ours, witness.verifier])
        size = TreeHead.parse(opened.text).size
        with open_log(folder) as log:
            top, row = log.top(), log.row(size - 1)
        sealed = block.parse_header(row.hdr).sealed / 1e6 if row else None
    except (AuditError, OSError) as exc:
        return Found(what=what, how="warn", says=f"it answers, but cannot be compared: {exc}", fix="run this as root")
    if ours in {key for key, _ in opened.by} and size > (-1 if top is None else top) + 1:
        says = f"it has seen {size} blocks of this log, which has {0 if top is None else top + 1}: it was rolled back"
        return Found(what=what, how="fail", says=says, fix="docs/witness.md: What 409 means")
    times = [note.time_of(one.octets) for key, one in opened.by if key == witness.verifier]
    if times and (wrong := _clock_trouble(float(times[0]), sealed)):
        return Found(what=what, how="warn", says=wrong, fix="timedatectl on both hosts: one of the clocks is wrong")
    return Found(what=what, how="ok", says=f"it has cosigned {size} blocks")


def _clock_trouble(theirs: float, sealed: float | None) -> str:
    """Say what a cosignature's time and ours contradict; ``sealed`` is when we sealed what it covers."""
    ahead = theirs - SystemClock().wall()
    if ahead > SLACK:
        return f"its clock is ahead of ours by {ahead:.0f} s or more"
    if sealed is not None and sealed - theirs > SLACK:
        return f"it cosigned a block {sealed - theirs:.0f} s before ours was sealed, by its clock: ours is ahead of it"
    return ""


def roots(plan: "Timestamps | None") -> Iterator[Found]:
    """The certificates that the authority's answers must lead to."""
    from healer.config import policy

    if plan is None:
        return
    fix = "docs/timestamps.md: get the authority's root by a way that does not lead through this host"
    if because := policy.roots_trouble(plan):
        yield Found(what="time stamps", how="fail", says=because, fix=fix)
        return
    now, found = SystemClock().wall() * 1e6, policy.roots(Path(plan.roots))
    good = [one for one in found if one.not_before_us <= now <= one.not_after_us]
    if good:
        yield Found(what="time stamps", how="ok", says=f"{len(good)} valid certificates in {plan.roots}")
    else:
        says = f"no certificate in {plan.roots} is valid now: {found[0].name}"
        yield Found(what="time stamps", how="fail", says=says, fix=fix)


def archive(policy: "Retention | None", folder: Path) -> Iterator[Found]:
    """Where what is pruned goes."""
    from healer.record import ARCHIVE

    if policy is None:
        return
    place = Path(policy.archive) if policy.archive else folder / ARCHIVE
    above = (place, *place.absolute().parents)
    there = next(one for one in above if os.access(one, os.F_OK))  # a folder we may not look into is none to us
    if os.access(there / ".", os.W_OK | os.X_OK):
        yield Found(what="archive", how="ok", says=f"{place}" + ("" if there == place else " will be made"))
    else:
        says = f"we may not write to {there}, so nothing is ever pruned"
        yield Found(what="archive", how="fail", says=says, fix="run this as the agent's user, or change its owner")


def room(policy: "Retention | None", folder: Path) -> Iterator[Found]:
    """Whether what the log is to keep will fit, as fast as it has grown up to now."""
    size, age = _grown(folder)
    if age < _DAY:
        return
    free = shutil.disk_usage(folder).free
    keep = policy.keep if policy else None
    rate = size / min(age, keep or age)  # a log that is pruned has grown to its size in the time that it keeps
    pace = f"it grows by {rate * _DAY / _MIB:.1f} MiB a day"
    if keep is not None and rate * keep > size + free:
        says = f"{pace}: {keep / _DAY:.0f} days take {rate * keep / _MIB:.0f} MiB, there are {(size + free) // _MIB}"
        yield Found(what="retention", how="warn", says=says, fix="keep less (audit.retention.keep), or make room")
    elif keep is None and free / rate < _SOON:
        says = f"{pace} and keeps everything: the disk is full in {free / rate / _DAY:.0f} days"
        yield Found(what="retention", how="warn", says=says, fix="write a policy (docs/retention.md), or make room")
    else:
        yield Found(what="retention", how="ok", says=f"{pace}, and there is room for it")


def _grown(folder: Path) -> tuple[int, float]:
    """Octets of the log's file, and seconds since its first block; (0, 0) where that cannot be known."""
    from audit import block
    from audit.errors import AuditError
    from audit.reader import FILE_NAME, Log

    try:
        size = (folder / FILE_NAME).stat().st_size
        with Log.open(folder) as log:
            first = log.row(0)
        sealed = block.parse_header(first.hdr).sealed if first else None
    except (AuditError, OSError):
        return 0, 0.0
    return (0, 0.0) if sealed is None else (size, SystemClock().wall() - sealed / 1e6)
