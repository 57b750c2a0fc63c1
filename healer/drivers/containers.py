"""Containers as their engine describes them: its words taken apart, with no engine and no library behind them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from healer.model.target import EMPTY

WATCHED = ("die", "start", "oom", "kill", "pause", "unpause", "health_status", "update", "rename", "destroy")
RESUMED = "resumed"
"""An event of our own making: the engine was away, and this is how things stand."""
_FRACTION = re.compile(r"\.(\d{1,9})")


class OddError(ValueError):
    """What the engine said cannot be understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a container may use. An engine has several words for its own defaults: here there is one for each."""

    nano_cpus: int = 0
    """Billionths of a core, where it was made with ``--cpus``; 0: not bounded so."""
    cpu_quota: int = 0
    """Microseconds in each period; 0: not bounded so."""
    cpu_period: int = 100_000
    """Microseconds."""
    cpu_shares: int = 1024
    """Weight among its neighbours."""
    memory: int = 0
    """Bytes; 0: not bounded."""
    memory_swap: int = 0
    """Bytes of memory and swap together; 0: as the engine has it, -1: not bounded."""
    pids: int = 0
    """Processes and threads; 0: not bounded."""

    @property
    def cpus(self) -> float:
        """Cores it may use; 0: not bounded."""
        return self.nano_cpus / 1e9 if self.nano_cpus else self.cpu_quota / self.cpu_period


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container as the engine describes it."""

    id: str
    name: str
    state: str
    """created, running, paused, restarting, removing, exited or dead."""
    health: str
    """Of its health check: none, starting, healthy or unhealthy."""
    restarts: int
    """Times the engine's own policy started it again."""
    started_at: str
    """As the engine writes it: RFC 3339 with nanoseconds."""
    exit_code: int | None
    """Of the last run; None while it runs, or before its first."""
    policy: str
    """Its restart policy: no, always, on-failure or unless-stopped."""
    image: str = ""
    """As it was named when the container was made."""
    pid: int = 0
    """Of its first process, on the engine's host; 0 while it does not run."""
    oom_killed: bool = False
    """The kernel killed something in it for want of memory, in this run or, once dead, in the last."""
    labels: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    limits: Limits = field(default_factory=Limits)
    networks: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: EMPTY)
    """The networks it is in, by name: what it asks of each (aliases, a fixed address)."""

    @property
    def running(self) -> bool:
        """It runs, and is neither paused nor between two starts."""
        return self.state == "running"

    @property
    def run(self) -> str:
        """``id.started``: this run, or, once it has ended, the last."""
        return f"{self.id[:12]}.{self.started_at}"

    @property
    def generation(self) -> str:
        """`run`; empty when it does not run."""
        return self.run if self.state in ("running", "paused") else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a container has used."""

    cpu: float
    """Seconds of CPU time since its start."""
    memory: int
    """Bytes, without the page cache it would give back."""
    pids: int | None = None
    """Processes and threads in it; None where nobody says."""
    periods: int | None = None
    """Periods of its CPU quota that have passed; None where nobody says."""
    throttled: int | None = None
    """Periods in which the quota stopped it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a container."""

    what: str
    """One of `WATCHED`, or `RESUMED`."""
    id: str
    name: str
    exit_code: int | None
    """Of a ``die``, where the engine tells."""
    container: Container | None
    """As it is right after, except for a fresh ``die``, which is told before anything else is asked."""
    at: int = 0
    """Nanoseconds since 1970 on the engine's clock."""
    late: bool = False
    """It happened while nobody was listening: ``container`` is how it stands now."""
    asked: bool = False
    """Of a ``die``: somebody had asked the engine to stop or kill it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """Who answers at the engine's socket."""

    engine: str
    """Its own id: another word is another engine."""
    version: str
    at: int
    """Nanoseconds since 1970 on its clock, when it answered."""
    cpus: int = 0
    """Cores of its host; 0 where it does not say."""
    memory: int = 0
    """Bytes of its host; 0 where it does not say."""


def describe(found: object) -> Container:
    """What the engine's description says; raises OddError where it is not one."""
    try:
        return _describe(found)  # type: ignore[arg-type]  # whatever it is: what does not fit is caught here
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise OddError(f"{type(exc).__name__}: {exc}"[:200]) from exc


def _describe(found: Mapping[str, Any]) -> Container:
    state = found["State"]
    running = bool(state.get("Running"))
    host, config = found.get("HostConfig") or {}, found.get("Config") or {}
    networks = (found.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=str(found["Id"]),
        name=str(found["Name"]).removeprefix("/"),
        state=str(state["Status"]),
        health=str((state.get("Health") or {}).get("Status") or "none"),
        restarts=int(found.get("RestartCount") or 0),
        started_at=str(state.get("StartedAt") or ""),
        exit_code=None if running or state["Status"] == "created" else int(state.get("ExitCode", 0)),
        policy=str((host.get("RestartPolicy") or {}).get("Name") or "no"),
        image=str(config.get("Image") or ""),
        pid=int(state.get("Pid") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        labels={str(key): str(value) for key, value in dict(config.get("Labels") or {}).items()},
        limits=_limits(host),
        networks={str(name): dict(given or {}) for name, given in dict(networks).items()},
    )


def _limits(host: Mapping[str, Any]) -> Limits:
    return Limits(
        nano_cpus=int(host.get("NanoCpus") or 0),
        cpu_quota=max(0, int(host.get("CpuQuota") or 0)),
        cpu_period=int(host.get("CpuPeriod") or 0) or 100_000,
        cpu_shares=int(host.get("CpuShares") or 0) or 1024,
        memory=int(host.get("Memory") or 0),
        memory_swap=int(host.get("MemorySwap") or 0),
        pids=max(0, int(host.get("PidsLimit") or 0)),
    )


def measure(found: object) -> Usage | None:
    """What the engine measured; None where it does not say (the container does not run, or has no cgroup)."""
    try:
        return _measure(found)  # type: ignore[arg-type]  # as describe
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _measure(found: Mapping[str, Any]) -> Usage:
    memory, cpu = found["memory_stats"], found["cpu_stats"]
    cache = memory.get("stats") or {}
    reclaimable = cache.get("inactive_file", cache.get("total_inactive_file", 0))
    quota = cpu.get("throttling_data") or {}
    return Usage(
        cpu=float(cpu["cpu_usage"]["total_usage"]) / 1e9,
        memory=max(0, int(memory["usage"]) - int(reclaimable)),
        pids=_count((found.get("pids_stats") or {}).get("current")),
        periods=_count(quota.get("periods")),
        throttled=_count(quota.get("throttled_periods")),
    )


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def read_event(raw: object) -> Event | None:
    """What an event of the engine says; None where it is not one of ours."""
    if not isinstance(raw, dict):
        return None
    what = str(raw.get("Action") or raw.get("status") or "").partition(":")[0]
    actor = raw.get("Actor")
    about = actor.get("Attributes") if isinstance(actor, dict) else None
    if what not in WATCHED or not isinstance(actor, dict) or not isinstance(about, dict):
        return None
    code = str(about.get("exitCode", ""))
    return Event(
        what=what, id=str(actor.get("ID") or ""), name=str(about.get("name") or ""),
        exit_code=int(code) if code.isascii() and code.isdigit() and len(code) < 6 else None, container=None,
        at=_count(raw.get("timeNano")) or 0,
    )  # fmt: skip


def greeting(found: object) -> Greeting:
    """What the engine says of itself; raises OddError where that is nothing."""
    if not isinstance(found, Mapping):
        raise OddError(f"a {type(found).__name__} is no engine")
    at = nanoseconds(str(found.get("SystemTime") or ""))
    return Greeting(
        engine=str(found.get("ID") or ""), version=str(found.get("ServerVersion") or "?"), at=at or 0,
        cpus=_count(found.get("NCPU")) or 0, memory=_count(found.get("MemTotal")) or 0,
    )  # fmt: skip


def nanoseconds(text: str) -> int | None:
    """Nanoseconds since 1970 of the engine's time (RFC 3339); None for its year 1, which means never, and for junk."""
    fraction = _FRACTION.search(text)
    plain = _FRACTION.sub("", text, count=1).replace("Z", "+00:00")
    try:
        when = datetime.fromisoformat(plain)
    except ValueError:
        return None
    if when.year <= 1 or when.tzinfo is None:
        return None
    return int(when.timestamp()) * 10**9 + int((fraction[1] if fraction else "0").ljust(9, "0"))
