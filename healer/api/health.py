"""Is it well: pass, warn or fail for the agent, its rules and its log, said only from checks that really ran."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

PARTS = ("agent", "rules", "audit")
_ORDER = ("pass", "warn", "fail")
Finding = tuple[str, str]
"""How bad, and why."""


def of(status: Mapping[str, Any], part: str = "") -> dict[str, Any]:
    """Judge a status document (of one part, or of all of them)."""
    parts = {name: _verdict(list(_LOOKS[name](status))) for name in ((part,) if part else PARTS)}
    if part:
        return parts[part]
    worst = max((one["status"] for one in parts.values()), key=_ORDER.index)
    because = [f"{name}: {why}" for name, one in parts.items() for why in one["because"]]
    return {"status": worst, "because": because, "parts": parts}


def _verdict(findings: list[Finding]) -> dict[str, Any]:
    worst = max((how for how, _ in findings), key=_ORDER.index, default="pass")
    return {"status": worst, "because": [why for _, why in findings]}


def _agent(status: Mapping[str, Any]) -> Iterator[Finding]:
    if status.get("safe_mode"):
        yield "warn", f"safe mode: {status['safe_mode']}"
    if status.get("kill_switch"):
        yield "warn", "the kill switch is on: nothing is healed"
    blind = status.get("counts", {}).get("blind", {})
    if blind:
        yield "warn", f"{len(blind)} sensors cannot look: {', '.join(sorted(blind)[:5])}"
    for why in status.get("degraded", ()):
        yield "warn", str(why)


def _rules(status: Mapping[str, Any]) -> Iterator[Finding]:
    for breaker in status.get("breakers", ()):
        yield "warn", f"the breaker of {breaker['action']} on {breaker['target']} is open"
    for incident in status.get("incidents", ()):
        if incident["phase"] == "given-up":
            yield "warn", f"{incident['rule']} gave up on {incident['target']}"


def _audit(status: Mapping[str, Any]) -> Iterator[Finding]:
    log = status.get("log")
    if log is None:
        yield "fail", "nothing is known of the log"
        return
    if not log.get("sealing"):
        yield "fail", f"nothing can be sealed: {log.get('because') or 'the disk is full'}"
    proved = status.get("self", {}).get("self.log_verified")
    if proved is None:
        yield "warn", "the log was not verified yet"
    elif not proved:
        yield "fail", f"the log does not verify: {log.get('verified_summary', '')}"
    elif not log.get("verified"):
        yield "warn", "the log was not verified within its period"
    for trouble in log.get("anchor_problems", ()):
        yield "warn", f"the log's head cannot be kept elsewhere: {trouble}"
    yield from _witnesses(log.get("witnessed") or {})


def _witnesses(found: Mapping[str, Any]) -> Iterator[Finding]:
    if found and not found["reached"] and found["because"]:
        yield "warn", str(found["because"])
    dated = found.get("dated") or {}
    if dated.get("because"):
        yield "warn", f"the log cannot be dated: {dated['because']}"
    for one in found.get("contradictions", ()):
        yield "fail", f"witness {one['witness']} knows another history of this log: {one['because']}"


_LOOKS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[Finding]]] = {
    "agent": _agent,
    "rules": _rules,
    "audit": _audit,
}
