"""Every metric by name, as data: unit, labels, how long a value counts, and what it means."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from healer.model.kinds import catalog
from healer.model.kinds.catalog import KINDS
from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.organism import ORGANS, Health
from healer.model.target import STATES
from healer.model.unit import Unit

HEALTHS: tuple[str, ...] = tuple(health.value for health in Health)
RULE_STATES: tuple[str, ...] = (
    "inactive", "pending", "firing", "acting", "verifying", "clearing", "given-up", "disabled",
)  # fmt: skip


def _host() -> Iterator[Metric]:
    fast = Shelf()
    yield fast.share("cpu.used", "CPU time not idle, all cores together")
    yield fast.put("cpu.load_per_core", Unit.NUMBER, "1-minute load average divided by the number of cores")
    yield fast.share("cpu.iowait", "CPU time idle while waiting for storage")
    yield fast.share("cpu.steal", "CPU time the hypervisor gave to others")
    for what in ("cpu", "memory", "io"):
        yield fast.share(f"{what}.psi.some10", f"time some task was stalled on {what}, last 10 s (kernel's PSI)")
    for what in ("memory", "io"):
        yield fast.share(f"{what}.psi.full10", f"time all tasks were stalled on {what}, last 10 s (kernel's PSI)")
    yield fast.share("memory.available", "memory that can be had without swapping")
    yield fast.share("memory.used", "1 - memory.available")
    yield fast.put("memory.total", Unit.BYTES, "memory of the host")
    yield fast.share("swap.used", "swap space in use; 0 where there is no swap")
    yield fast.put("swap.in_rate", Unit.BYTES_PER_SECOND, "bytes read back from swap")
    yield fast.put("oom.kills_rate", Unit.PER_SECOND, "processes killed by the kernel for want of memory")
    yield fast.put("disk.read_rate", Unit.BYTES_PER_SECOND, "bytes read from a disk", "device")
    yield fast.put("disk.write_rate", Unit.BYTES_PER_SECOND, "bytes written to a disk", "device")
    yield fast.share("disk.busy", "time a disk had at least one request in flight", "device")
    yield fast.put("net.rx_rate", Unit.BYTES_PER_SECOND, "bytes received", "interface")
    yield fast.put("net.tx_rate", Unit.BYTES_PER_SECOND, "bytes sent", "interface")
    yield fast.put("net.errors_rate", Unit.PER_SECOND, "frames in error, both ways", "interface")
    yield fast.put("net.drops_rate", Unit.PER_SECOND, "frames dropped, both ways", "interface")
    yield fast.share("tcp.retransmit_ratio", "TCP segments sent again, of all sent; 0 when none was sent")
    yield fast.put("host.uptime", Unit.SECONDS, "since boot, suspend included")
    yield Metric(
        name="clock.offset_jump", unit=Unit.SECONDS, minimum=None,
        doc="how far the wall clock jumped against the boot clock since the last look; positive is forward",
    )  # fmt: skip
    yield from _host_slow()


def _host_slow() -> Iterator[Metric]:
    slow = Shelf(max_age=120.0)
    yield slow.share("disk.used", "space in use as df shows it (root's reserve left out)", "mount")
    yield slow.put("disk.free_bytes", Unit.BYTES, "space a service can still use", "mount")
    yield slow.share("disk.inodes_used", "inodes in use; absent where the file system has no fixed number", "mount")
    yield slow.put("host.users", Unit.COUNT, "sessions logged in")
    yield slow.put("host.temperature", Unit.CELSIUS, "a temperature sensor of the hardware", "sensor")
    yield slow.put("host.processes", Unit.COUNT, "processes on the host")
    yield slow.put("host.booted_at", Unit.SECONDS, "wall-clock second of the boot, since 1970")


def _targets() -> Iterator[Metric]:
    for kind in KINDS.values():
        yield from kind.metrics
    grouped = Shelf(labels=("target",), max_age=60.0)
    for what in ("cpu", "memory", "io"):
        yield grouped.share(f"cgroup.{what}.psi.some10", f"time some task of its control group was stalled on {what}")
    yield grouped.share("cgroup.throttled", "periods in which a CPU quota stopped its control group, of all")


def _self() -> Iterator[Metric]:
    own = Shelf()
    yield own.put("self.cpu", Unit.RATIO, "CPU time of the agent, of one core")
    yield own.put("self.memory", Unit.BYTES, "resident memory of the agent")
    yield own.put("self.fds", Unit.COUNT, "open file descriptors of the agent")
    yield own.put("self.uptime", Unit.SECONDS, "since the agent started")
    yield own.put("self.loop_lag", Unit.SECONDS, "how late the event loop woke, worst of the last look's interval")
    yield own.put("self.decision_latency", Unit.SECONDS, "from a reading to the decision on it, worst of late")
    yield own.put("self.audit_age", Unit.SECONDS, "since the log was last verified")
    yield own.put("audit.level", Unit.NUMBER, "proven of the log at its last verification: 0 to 4, -1 for nothing")
    yield own.put("audit.ratchet_breaks", Unit.COUNT, "crashes that the log's ratchet shows and no witness has covered")
    yield own.put("audit.witness_age", Unit.SECONDS, "since the log's witnesses last cosigned it; unknown without any")
    yield own.put("self.seal_age", Unit.SECONDS, "since a block was last sealed")
    yield own.put("self.heartbeat_age", Unit.SECONDS, "since the last heartbeat entry was sealed")
    yield own.put("self.log_verified", Unit.FLAG, "1 when the last verification proved the log")
    yield own.put("self.log_size", Unit.BYTES, "size of the log's file")
    yield own.share("self.sensors_ok", "sensors whose last look came back, of all")
    yield own.put("self.sensors_quarantined", Unit.COUNT, "sensors given up after too many crashes")
    yield own.put("self.garbage", Unit.COUNT, "readings thrown away as garbage since the start")
    yield own.put("self.inbox", Unit.COUNT, "events waiting for the core")
    yield own.put("self.notify_failed", Unit.COUNT, "notifications that could not be delivered since the start")
    yield own.put("self.notify_sent", Unit.COUNT, "notifications that were accepted by their channel since the start")
    yield own.put("self.notify_skipped", Unit.COUNT, "those not tried, because their channel failed too often")
    yield own.put("self.notify_share", Unit.RATIO, "share of the last 20 deliveries that were accepted")
    yield own.put("self.actions_running", Unit.COUNT, "effects under way")


def _core() -> Iterator[Metric]:
    fed = Shelf(max_age=120.0)
    yield fed.put("harmony", Unit.SCORE, "the whole organism")
    yield fed.put("balance", Unit.SCORE, "spread between the best and the worst organ")
    yield fed.put("energy", Unit.SCORE, "headroom left: 100 minus the worst of CPU, memory and I/O pressure")
    yield fed.put("organ.score", Unit.SCORE, f"of one organ: {', '.join(ORGANS)}", "organ")
    yield fed.put("organ.health", Unit.WORD, "of one organ", "organ", words=HEALTHS)
    yield fed.share("organ.up", "targets of one organ that are up, of those known", "organ")
    yield fed.put("organ.load", Unit.RATIO, "CPU its targets use, of the whole host's", "organ")
    yield fed.put("organ.memory", Unit.RATIO, "memory its targets use, of the whole host's", "organ")
    yield fed.put("organ.restarts", Unit.COUNT, "restarts of its targets in the last 10 minutes", "organ")
    yield fed.put("target.state", Unit.WORD, "where a target is in its life", "target", words=STATES)
    doc = "1 while an incident is open on the target, of a rule that does not ask for this itself"
    yield fed.put("target.bad", Unit.FLAG, doc, "target")
    doc = "how much it goes back and forth: of its last 20 states, recent ones weigh more"
    yield fed.share("target.flaps", doc, "target")
    doc = "where a rule's incident on a target is in its life; unknown while its condition is, and no incident is open"
    yield fed.put("rule.state", Unit.WORD, doc, "rule", "target", words=RULE_STATES)


_FALLING = (
    "memory.available", "disk.free_bytes", "harmony", "energy", "organ.score", "organ.up", "self.sensors_ok",
)  # fmt: skip
_metrics: dict[str, Metric] = {
    metric.name: replace(metric, falls=metric.falls or metric.name in _FALLING)
    for group in (_host, _targets, _self, _core)
    for metric in group()
}
METRICS: Mapping[str, Metric] = MappingProxyType(_metrics)
"""Vitals (``heart.load``) are series too, named ``organ.name``: they come from the configuration, so not listed."""


def learn(kind: Kind) -> None:
    """Take up a plug-in's kind with its metrics; raises ConfigError."""
    catalog.join(kind)
    _metrics.update((metric.name, metric) for metric in kind.metrics)


def forget(kind: Kind) -> None:
    """Undo `learn`: a plug-in that could not be taken up as a whole leaves nothing behind."""
    catalog.leave(kind.name)
    for metric in kind.metrics:
        del _metrics[metric.name]


_HEAD = """\
# Metrics

Every series the agent knows by itself. This page is made from `healer/model/vocabulary.py` (`healer metrics` prints the
same); a test keeps it in step. Ratios are 0-1 (`80%` in a rule is 0.8), flags 0 or 1, words are compared with `==`
and `!=`. *Kept* is how long a value counts as known when its sensor looks at its usual interval; after that it is
unknown, which is neither good nor bad. Every series about a target carries `target="kind:name"`. Each vital of the
organism is a series as well, named `organ.name` (`heart.load`).

| metric | labels | unit | kept | meaning |
|---|---|---|---|---|
"""


def metrics_markdown() -> str:
    """The page docs/metrics.md."""
    return _HEAD + "".join(map(_row, METRICS.values()))


def _row(metric: Metric) -> str:
    names = ", ".join(metric.labels)
    words = f" ({', '.join(metric.words)})" if metric.words else ""
    return f"| `{metric.name}` | {names} | {metric.unit.value} | {metric.max_age:g} s | {metric.doc}{words} |\n"
