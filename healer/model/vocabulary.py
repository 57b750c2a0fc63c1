"""Every metric by name, as data: unit, labels, how long a value counts, and what it means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from healer.model.organism import ORGANS, Health
from healer.model.target import State
from healer.model.unit import Unit

STATES: tuple[str, ...] = tuple(state.value for state in State)
HEALTHS: tuple[str, ...] = tuple(health.value for health in Health)
CONTAINER_STATES: tuple[str, ...] = (
    "created", "running", "paused", "restarting", "removing", "exited", "dead", "absent",
)  # fmt: skip
CONTAINER_HEALTHS: tuple[str, ...] = ("none", "starting", "healthy", "unhealthy")
RULE_STATES: tuple[str, ...] = (
    "inactive", "pending", "firing", "acting", "verifying", "clearing", "given-up", "disabled",
)  # fmt: skip
PROCESS_STATES: tuple[str, ...] = (
    "running", "sleeping", "disk-sleep", "stopped", "tracing-stop", "zombie", "dead", "idle", "parked", "absent",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. A value outside ``minimum`` and ``maximum`` is garbage, and becomes unknown."""

    name: str
    unit: Unit
    doc: str
    labels: tuple[str, ...] = ()
    """Names of the labels each of its series carries."""
    max_age: float = 10.0
    """Seconds a value counts as known, unless the sensor looks less often: then `Sensor.max_age` says."""
    words: tuple[str, ...] = ()
    """The values it can have, where the unit is WORD and the list is closed; empty is any word."""
    minimum: float | None = 0.0
    maximum: float | None = None
    falls: bool = False
    """Less of it is worse: ``eta`` waits for it to fall to its limit, not to rise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelf:
    """Metrics that share what a group of them has in common."""

    labels: tuple[str, ...] = ()
    max_age: float = 10.0

    def put(self, name: str, unit: Unit, doc: str, *labels: str, words: tuple[str, ...] = ()) -> Metric:
        """A metric bounded as its unit is by nature."""
        top = {Unit.FLAG: 1.0, Unit.SCORE: 100.0}.get(unit)
        low = None if unit in (Unit.CELSIUS, Unit.NUMBER) else 0.0
        return Metric(
            name=name, unit=unit, doc=doc, labels=self.labels + labels, max_age=self.max_age, words=words,
            minimum=low, maximum=top,
        )  # fmt: skip

    def share(self, name: str, doc: str, *labels: str) -> Metric:
        """A ratio that cannot pass 1."""
        return Metric(
            name=name, unit=Unit.RATIO, doc=doc, labels=self.labels + labels, max_age=self.max_age, maximum=1.0
        )


def _host() -> Iterator[Metric]:
    fast = _Shelf()
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
    slow = _Shelf(max_age=120.0)
    yield slow.share("disk.used", "space in use as df shows it (root's reserve left out)", "mount")
    yield slow.put("disk.free_bytes", Unit.BYTES, "space a service can still use", "mount")
    yield slow.share("disk.inodes_used", "inodes in use; absent where the file system has no fixed number", "mount")
    yield slow.put("host.users", Unit.COUNT, "sessions logged in")
    yield slow.put("host.temperature", Unit.CELSIUS, "a temperature sensor of the hardware", "sensor")
    yield slow.put("host.processes", Unit.COUNT, "processes on the host")
    yield slow.put("host.booted_at", Unit.SECONDS, "wall-clock second of the boot, since 1970")


def _targets() -> Iterator[Metric]:
    often = _Shelf(labels=("target",))
    seldom = _Shelf(labels=("target",), max_age=60.0)
    for kind, shelf, slow in (("program", often, seldom), ("process", seldom, seldom), ("container", seldom, seldom)):
        yield shelf.put(f"{kind}.up", Unit.FLAG, f"1 when the {kind} runs")
        yield shelf.put(f"{kind}.cpu", Unit.RATIO, "CPU time used, of one core: two busy cores are 200%")
        yield shelf.put(f"{kind}.memory", Unit.BYTES, "resident memory")
        yield slow.put(f"{kind}.uptime", Unit.SECONDS, f"since the {kind} started")
        yield slow.put(f"{kind}.generation", Unit.WORD, "its incarnation: another word is another start; empty is none")
    for kind in ("program", "process"):
        yield seldom.put(f"{kind}.fds", Unit.COUNT, "open file descriptors")
        yield seldom.put(f"{kind}.threads", Unit.COUNT, "threads")
    for kind in ("program", "container"):
        yield seldom.put(f"{kind}.restarts", Unit.COUNT, "times it was started again")
        yield seldom.put(
            f"{kind}.exit_code", Unit.NUMBER, "of the last run, 128 + N for signal N; unknown when nobody saw it"
        )
    for what in ("cpu", "memory", "io"):
        yield seldom.share(f"cgroup.{what}.psi.some10", f"time some task of its control group was stalled on {what}")
    yield seldom.share("cgroup.throttled", "periods in which a CPU quota stopped its control group, of all")
    yield seldom.put("program.wanted", Unit.FLAG, "0 while it was stopped on purpose")
    yield seldom.put("program.state", Unit.WORD, "where it is in its life", words=STATES)
    yield seldom.put("process.count", Unit.COUNT, "processes that match, zombies left out")
    yield seldom.put("process.state", Unit.WORD, "state of the oldest match", words=PROCESS_STATES)
    yield seldom.put("container.state", Unit.WORD, "as the engine says, or absent", words=CONTAINER_STATES)
    yield seldom.put("container.health", Unit.WORD, "of its own health check", words=CONTAINER_HEALTHS)
    yield from _probes()


def _probes() -> Iterator[Metric]:
    probe = _Shelf(labels=("target",), max_age=60.0)
    yield probe.put("http.ok", Unit.FLAG, "1 when the answer came in time and was as expected")
    yield probe.put("http.latency", Unit.SECONDS, "until the whole answer had come")
    yield probe.put("http.status", Unit.NUMBER, "status code of the answer")
    yield probe.put("tcp.ok", Unit.FLAG, "1 when the port took a connection in time")
    yield probe.put("tcp.latency", Unit.SECONDS, "until the connection stood")
    yield probe.put("command.ok", Unit.FLAG, "1 when it exited 0 and reported no error")
    yield probe.put("command.rc", Unit.NUMBER, "exit code, 128 + N for signal N")
    yield probe.put("command.latency", Unit.SECONDS, "until it exited")
    yield probe.put("command.value", Unit.NUMBER, "the number it printed")
    for kind in ("http", "command"):
        yield probe.put(f"{kind}.metric", Unit.NUMBER, "a further number of its JSON reply", "name")
        yield probe.put(f"{kind}.state", Unit.WORD, "the state its JSON reply names")
        yield probe.put(f"{kind}.error", Unit.FLAG, "1 when its JSON reply says there is an error")
        yield probe.put(f"{kind}.message", Unit.WORD, "what its reply says, or why the look found it not ok")
    yield probe.put("file.exists", Unit.FLAG, "1 when the path exists")
    yield probe.put("file.size", Unit.BYTES, "its size")
    yield probe.put("file.age", Unit.SECONDS, "since its content last changed")
    yield probe.put("file.checksum", Unit.WORD, "SHA-256 of its content, in hex")
    yield probe.put("file.mode", Unit.WORD, "permission bits in octal, four digits: 0644")
    yield probe.put("file.owner", Unit.WORD, "user:group, by name where they have one")
    yield probe.put("file.match", Unit.FLAG, "1 when the text of `match` occurs in its first `max_size` bytes")


def _self() -> Iterator[Metric]:
    own = _Shelf()
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
    yield own.put("self.actions_running", Unit.COUNT, "effects under way")


def _core() -> Iterator[Metric]:
    fed = _Shelf(max_age=120.0)
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
METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        metric.name: replace(metric, falls=metric.name in _FALLING)
        for group in (_host, _targets, _self, _core)
        for metric in group()
    }
)
"""Vitals (``heart.load``) are series too, named ``organ.name``: they come from the configuration, so not listed."""

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
