"""What was done, told from the sealed log: each intent with its outcome and its verdict, and how often that helped."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

from audit import canonical
from audit.errors import AuditError
from audit.opening import open_log
from audit.reader import Row, Sealed, sealed_of
from healer.errors import HealerError
from healer.model.decision import QUIET_VERBS

KEPT = 2000
"""Healings remembered; older ones are in the log."""
Healing = dict[str, Any]
NOT_DONE = frozenset({"stale", "cancelled", "refused", "skipped"})
"""Verdicts of what never began: they say nothing about whether a cure works."""


BY = ("rule", "action", "target")


class Ended(NamedTuple):
    """What a verdict is counted under."""

    rule: str
    action: str
    target: str
    result: str


class Healings:
    """A fold over the log that goes on where it stopped: asking again reads only new blocks."""

    def __init__(self, folder: Path, kept: int = KEPT) -> None:
        self._folder, self._kept = folder, kept
        self._next = 0
        self._found: OrderedDict[str, Healing] = OrderedDict()
        self._turn = threading.Lock()
        self.ended: Counter[Ended] = Counter()
        """Every verdict of the log, by what it was about."""
        self.cured: dict[str, tuple[int, float]] = {}
        """Action to its verified cures, and the seconds from intent to verdict of them all."""
        self.by_rule: dict[str, Counter[str]] = {}
        """Rule to its verdicts: success is what was observed."""

    def update(self) -> None:
        """Read what was sealed since; blocks on the disk. Raises HealerError where the log cannot be read."""
        with self._turn:  # two who ask at once must not both count the same blocks
            self._update()

    def _update(self) -> None:
        try:
            with open_log(self._folder) as log:
                for row in log.rows(self._next):
                    self._take_row(row)
                    self._next = row.height + 1
        except AuditError as exc:
            raise HealerError(exc.message, hint=exc.hint or "healer audit verify says more") from exc

    def _take_row(self, row: Row) -> None:
        for sealed in sealed_of(row):
            self._take(sealed, canonical.decode(sealed.octets))

    def _take(self, sealed: Sealed, fields: Mapping[str, Any]) -> None:
        match fields.get("kind"):
            case "intent":
                self._intend(sealed, fields)
            case "outcome" if healing := self._found.get(str(fields.get("id"))):
                healing["outcome"] = fields.get("result")
                healing["outcome_because"] = fields.get("because")
                healing["took_ms"] = int(fields.get("took_us", 0)) / 1000
            case "verdict" if healing := self._found.get(str(fields.get("id"))):
                self._judge(healing, fields)

    def _intend(self, sealed: Sealed, fields: Mapping[str, Any]) -> None:
        healing = {key: fields.get(key) for key in ("id", "action", "target", "rule", "step", "attempt", "actor")}
        healing |= {
            "at": int(fields["ts"]) / 1e6,
            "because": fields.get("because"),
            "before": [{"series": one.get("series"), "value": one.get("value")} for one in fields.get("evidence", ())],
            "after": [],
            "request": fields.get("request", ""),
            "seq": sealed.seq,
            "leaf": sealed.leaf,
            "outcome": None,
            "outcome_because": "",
            "took_ms": None,
            "verdict": None,
            "verdict_because": "",
            "ended_at": None,
            "healed_ms": None,
            "harmony_before": None,
            "harmony_after": None,
            "impact": None,
        }
        self._found[str(fields.get("id"))] = healing
        if len(self._found) > self._kept:
            self._found.popitem(last=False)

    def _judge(self, healing: Healing, fields: Mapping[str, Any]) -> None:
        healing["verdict"] = fields.get("result")
        healing["verdict_because"] = fields.get("because")
        healing["ended_at"] = int(fields["ts"]) / 1e6
        healing["healed_ms"] = int(fields.get("took_us", 0)) / 1000
        if "harmony_before" in fields and "harmony_after" in fields:
            before, after = int(fields["harmony_before"]), int(fields["harmony_after"])
            healing |= {"harmony_before": before / 100, "harmony_after": after / 100, "impact": (after - before) / 100}
        if healing["action"] not in QUIET_VERBS:
            self._count(healing)

    def _count(self, healing: Healing) -> None:
        rule, action, result = str(healing["rule"]), str(healing["action"]), str(healing["verdict"])
        self.by_rule.setdefault(rule, Counter())[result] += 1
        self.ended[Ended(rule, action, str(healing["target"]), result)] += 1
        if result == "verified":
            times, seconds = self.cured.get(action, (0, 0.0))
            self.cured[action] = (times + 1, seconds + healing["healed_ms"] / 1000)

    def last(self, limit: int, *, rule: str = "*", target: str = "*", quiet: bool = False) -> list[Healing]:
        """The newest first; ``quiet`` also tells of notes, waits and captures, which cure nothing."""
        found: list[Healing] = []
        for healing in reversed(self._found.values()):
            if len(found) >= limit:
                break
            if not quiet and healing["action"] in QUIET_VERBS:
                continue
            if fnmatchcase(str(healing["rule"]), rule) and fnmatchcase(str(healing["target"]), target):
                found.append(dict(healing))
        return found


def summary(ended: Mapping[Ended, int], by: str) -> list[dict[str, Any]]:
    """How often it helped, by rule, action or target: successes are verdicts that it did, not attempts or exits of 0.

    ``success`` is the share of what began; None where nothing did.
    """
    found: dict[str, Counter[str]] = {}
    for key, times in ended.items():
        found.setdefault(str(getattr(key, by)), Counter())[key.result] += times
    rows = []
    for name, results in sorted(found.items()):
        began = sum(times for result, times in results.items() if result not in NOT_DONE)
        verified = results["verified"]
        rows.append(
            {
                by: name,
                "began": began,
                "verified": verified,
                "success": round(verified / began, 4) if began else None,
                "results": dict(sorted(results.items())),
            }
        )
    return rows


def sealed_event(folder: Path, request_id: str, since: int) -> Mapping[str, Any] | None:
    """The entry a ``log-event`` request had sealed: the event right before the request's own entry. Blocks.

    ``since`` is a height at or below it. None while it is not durable. Raises HealerError where the log cannot be read.
    """
    before: tuple[Sealed, Mapping[str, Any]] | None = None
    try:
        with open_log(folder) as log:
            for sealed in log.entries(since):
                fields = canonical.decode(sealed.octets)
                if fields.get("kind") == "request" and fields.get("id") == request_id:
                    if before is None or before[1].get("kind") != "event":
                        return {}
                    return {"seq": before[0].seq, "leaf": before[0].leaf, "height": before[0].height}
                before = (sealed, fields)
    except AuditError as exc:
        raise HealerError(exc.message, hint=exc.hint) from exc
    return None


def top(folder: Path) -> int:
    """The height of the newest block, 0 where there is none yet; raises HealerError."""
    try:
        with open_log(folder) as log:
            return log.top() or 0
    except AuditError as exc:
        raise HealerError(exc.message, hint=exc.hint) from exc
