"""How things stood at a moment that is past: history through the core, and the log's memory up to then."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from healer.app import build
from healer.config import Config
from healer.core import explain
from healer.core.core import Core
from healer.errors import HealerError
from healer.model.mode import Mode
from healer.record import recall
from healer.replay.play import play
from healer.replay.stored import Stored
from healer.rules.syntax import Over, walk
from healer.store.archive import Archive

BEFORE = 3600.0
"""Seconds of history before the moment that are looked at, beside the longest window of a rule."""


def explained(config: Config, state_dir: Path, rule: str, target: str, at: float) -> list[dict[str, Any]]:
    """What `core.explain` would have said at wall second ``at``, under the rules that are configured now.

    Raises HealerError where history cannot be read or knows nothing of then, AuditError where the log cannot be read.
    """
    rules = build.rules(config).rules
    written = build.setup(config, rules, boot="then", max_ages={})
    policy = config.audit.retention
    memory, _ = recall(state_dir, None, [Path(policy.archive)] if policy and policy.archive else [], until=at)
    memory.rebase(boot="then", mono_us=round(at * 1e6), wall_us=round(at * 1e6))
    found: list[dict[str, Any]] = []

    def judged(core: Core) -> None:
        core.desk.memory, core.desk.mode = memory, written.mode
        found.extend(explain.explain(core, rule, target, at))

    windows = (node.seconds for one in rules.rules for node in walk(one.when) if isinstance(node, Over))
    with Archive(state_dir) as archive:
        recording = Stored(archive, at - BEFORE - max(windows, default=0.0), at)
        if recording.extent.end < at - BEFORE:
            raise HealerError("history knows nothing of then", hint="healer history METRIC shows what was kept")
        # Nothing is decided on the way: what was done then is in the log.
        play(replace(written, mode=Mode.OFF), recording, judged=judged, whole=True, until=at)
    return found
