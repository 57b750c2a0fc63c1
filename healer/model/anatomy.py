"""The default anatomy: the vitals every Linux host has without configuration, and what its energy is read from."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from healer.model.organism import ORGANS, Vital


def _vital(name: str, value: str, healthy: float, critical: float, weight: float = 1.0) -> Vital:
    organ, _, short = name.partition(".")
    return Vital(organ=organ, name=short, value=value, healthy=healthy, critical=critical, weight=weight)


def _of_targets() -> Iterator[Vital]:
    """Give every organ what its targets use of the host and the share of them that is up.

    A loaded organ is at work, not ill: use weighs little, being down weighs much.
    """
    for organ in ORGANS:
        mark = f'{{organ="{organ}"}}'
        yield _vital(f"{organ}.up", f"organ.up{mark}", 1.0, 0.5, 3.0)
        yield _vital(f"{organ}.load", f"organ.load{mark}", 0.7, 1.0, 0.5)
        yield _vital(f"{organ}.memory", f"organ.memory{mark}", 0.7, 0.95, 0.5)


_OF_THE_HOST: tuple[Vital, ...] = (
    # Load per core counts tasks that wait, also for disks; PSI counts time lost for want of a CPU, and so weighs more.
    _vital("brain.cpu", "cpu.load_per_core", 1.0, 4.0),
    _vital("brain.pressure", "cpu.psi.some10", 0.20, 0.80, 2.0),
    _vital("brain.lag", "self.loop_lag", 0.05, 1.0),
    _vital("brain.decisions", "self.decision_latency", 0.05, 1.0),
    _vital("heart.restarts", 'organ.restarts{organ="heart"}', 0, 5),
    _vital("lungs.errors", "max(net.errors_rate)", 1, 100),
    _vital("lungs.drops", "max(net.drops_rate)", 10, 1000),
    _vital("lungs.retransmits", "tcp.retransmit_ratio", 0.02, 0.20),
    _vital("lungs.probes", "avg(http.ok)", 1.0, 0.5, 2.0),
    _vital("lungs.latency", "max(http.latency)", 0.5, 5.0),
    _vital("lungs.connects", "avg(tcp.ok)", 1.0, 0.5, 2.0),
    _vital("lungs.connect_latency", "max(tcp.latency)", 0.2, 3.0),
    # The fullest file system counts: an average would let a full /var hide behind an empty /home.
    _vital("stomach.disk", "max(disk.used)", 0.80, 0.97, 2.0),
    _vital("stomach.inodes", "max(disk.inodes_used)", 0.80, 0.97),
    _vital("stomach.pressure", "io.psi.some10", 0.20, 0.80),
    # Of databases and brokers that are declared; a host without any has none of these.
    _vital("stomach.connections", "max(postgres.connections_used)", 0.70, 0.95),
    _vital("stomach.lag", "max(postgres.standby_lag_seconds)", 10, 300),
    _vital("stomach.standby", "max(postgres.lag_seconds)", 10, 300),
    _vital("stomach.replica", "max(redis.lag)", 15, 120),
    _vital("stomach.queues", "max(rabbitmq.queue_ready)", 1000, 100_000),
    _vital("muscles.available", "memory.available", 0.20, 0.03, 2.0),
    _vital("muscles.swap_in", "swap.in_rate", 1 << 20, 50 << 20),
    _vital("muscles.pressure", "memory.psi.some10", 0.10, 0.60, 2.0),
    _vital("immune.log", "self.log_verified", 1, 0, 3.0),
    _vital("immune.verified", "self.audit_age", 900, 3600),
    _vital("immune.sealed", "self.seal_age", 120, 600),
    _vital("immune.certificates", "min(tls.days_left)", 21, 3, 2.0),
    # Averaged: a kill is over in an instant, and the vital should still tell of it when somebody looks. 6 are critical.
    _vital("immune.oom", "avg_over(oom.kills_rate, 10m)", 0, 0.01),
    _vital("nervous.sensors", "self.sensors_ok", 1.0, 0.5, 2.0),
    _vital("nervous.alerts", "delta(self.notify_failed, 10m)", 0, 5),
    _vital("nervous.clock", "max_over(clock.offset_jump, 10m) - min_over(clock.offset_jump, 10m)", 0.1, 5.0),
    _vital("nervous.heartbeat", "self.heartbeat_age", 120, 600),
)

DEFAULT_VITALS: tuple[Vital, ...] = tuple(
    sorted((*_OF_THE_HOST, *_of_targets()), key=lambda vital: ORGANS.index(vital.organ))
)
"""In the order of the organs. One whose metric a host does not have is never known, and left out of harmony."""

ENERGY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "cpu": ("cpu.psi.some10", "cpu.used"),
        "memory": ("memory.psi.some10", "memory.used"),
        "io": ("io.psi.some10",),
    }
)
"""The pressures that take energy, each with what stands in for it where the kernel keeps no PSI (ratios, 0-1)."""


def vitals_markdown() -> str:
    """Write the default vitals as the table of docs/organism.md (a test keeps the page in step)."""
    lines = ["| vital | value | healthy | critical | weight |", "|---|---|---|---|---|"]
    for vital in DEFAULT_VITALS:
        bounds = f"{vital.healthy:g} | {vital.critical:g} | {vital.weight:g}"
        lines.append(f"| `{vital.id}` | `{vital.value}` | {bounds} |")
    return "\n".join(lines)
