"""What must be true of a container after each act on it, and what an update says: pure, with no engine behind it."""

from collections.abc import Mapping
from typing import Any

from healer.drivers.containers import Container, Limits

_NAMES = {
    "nano_cpus": "NanoCpus", "cpu_quota": "CpuQuota", "cpu_period": "CpuPeriod", "cpu_shares": "CpuShares",
    "memory": "Memory", "memory_swap": "MemorySwap", "pids": "PidsLimit",
}  # fmt: skip


def runs(one: Container) -> str:
    """Why it does not run, to follow its name; empty when it does. So for all of these."""
    if one.running:
        return ""
    ended = f", its exit code is {one.exit_code}" if one.exit_code is not None else ""
    return f"did not stay up: it is {one.state}{ended}"


def does_not_run(one: Container) -> str:
    """It was stopped."""
    return f"goes on: it is {one.state}" if one.generation or one.state == "restarting" else ""


def paused(one: Container) -> str:
    """It was paused."""
    return "" if one.state == "paused" else f"is not paused but {one.state}"


def anything(_one: Container) -> str:
    """Nothing can be told from the outside."""
    return ""


def apart(one: Container, networks: Mapping[str, Any]) -> str:
    """It was taken out of these networks."""
    left = sorted(set(networks) & set(one.networks))
    return f"is still in {', '.join(left)}" if left else ""


def joined(one: Container, networks: Mapping[str, Any]) -> str:
    """It was put into these networks."""
    left = sorted(set(networks) - set(one.networks))
    return f"is not in {', '.join(left)}" if left else ""


def bounded(one: Container, limits: Limits) -> str:
    """It was bounded so."""
    return "" if one.limits == limits else f"is bounded otherwise than asked: {one.limits}"


def written(limits: Limits, old: Limits) -> dict[str, int]:
    """The body of an update: only what changes, for engines refuse what they cannot set even where it stays."""
    changed = {key for key in _NAMES if getattr(limits, key) != getattr(old, key)}
    if "memory" in changed and limits.memory_swap:
        changed.add("memory_swap")  # memory above the sum of both is refused
    # An engine takes 0 for "as it is": what is not bounded any more is -1.
    unbounded = {key for key in ("cpu_quota", "pids") if not getattr(limits, key)}
    return {name: -1 if key in unbounded else getattr(limits, key) for key, name in _NAMES.items() if key in changed}
