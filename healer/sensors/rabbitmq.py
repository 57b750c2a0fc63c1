"""A RabbitMQ node: whether it runs, what it has run short of, and how its declared queues get on."""

from collections.abc import Mapping, Sequence
from typing import Any

from healer.drivers.interface import DriverError
from healer.drivers.rabbitmq import Json, Node, RabbitMQ, number, raw
from healer.errors import SensorError
from healer.model.kinds.rabbitmq import KIND
from healer.model.observation import Labels, Reading, labels
from healer.model.target import Target
from healer.sensors.down import tell_down
from healer.sensors.interface import TargetSensor
from healer.sensors.sane import Sieve, ratio

_OF_QUEUES = tuple(metric.name for metric in KIND.metrics if "queue" in metric.labels)
_OBJECTS = ("connections", "channels", "consumers", "queues")
_TOTALS = (("messages", "messages"), ("ready", "messages_ready"), ("unacked", "messages_unacknowledged"))
_RATES = (
    ("publish_rate", "publish_details"),
    ("deliver_rate", "deliver_get_details"),
    ("redeliver_rate", "redeliver_details"),
)
_SHARES = (
    ("memory_use", "mem_used", "mem_limit"),
    ("fds_use", "fd_used", "fd_total"),
    ("sockets_use", "sockets_used", "sockets_total"),
    ("processes_use", "proc_used", "proc_total"),
)
_NOT_RUNNING = ("down", "crashed", "stopped")


class RabbitSensor(TargetSensor):
    """Keys of the target: ``url``, ``username``, ``password``, ``node``, ``vhost``, ``queues``.

    A management that refuses, hangs, fails or is none is a node that is down (``rabbitmq.up`` 0). That it does not let
    *us* in, or that its certificate is not trusted, makes all unknown. Queues we may not see are unknown, and no more.
    """

    def __init__(self, target: Target, rabbit: RabbitMQ) -> None:
        super().__init__(target)
        self.timeout = 4 * self.patience + 0.5  # the overview, the node, and two views of its queues
        self._rabbit = rabbit
        self._vhost = str(target.spec.get("vhost") or "/")
        self._patterns = tuple(str(each) for each in target.spec.get("queues") or ())

    async def look(self, now: float) -> Sequence[Reading]:
        """Ask once."""
        sieve = Sieve(now, self.marks)
        try:
            seen = await self._rabbit.look()
        except DriverError as exc:
            if not exc.fact:
                raise SensorError(exc.message, hint=exc.hint) from exc
            tell_down(sieve, KIND, exc.message)
        else:
            if seen.running:
                self._tell(sieve, seen)
                await self._tell_queues(sieve)
            else:
                tell_down(sieve, KIND, f"its cluster says that {seen.name} does not run")
        self.garbage += sieve.garbage
        return sieve.readings

    def _tell(self, sieve: Sieve, seen: Node) -> None:
        node, overview = seen.node, seen.overview
        sieve.number("rabbitmq.up", 1)
        sieve.word("rabbitmq.message", "")
        generation = self._rabbit.generation(seen)
        if generation:
            sieve.word("rabbitmq.generation", generation)
        else:
            sieve.unknown("rabbitmq.generation", "it does not say since when it is up")
        sieve.number("rabbitmq.latency", seen.took)
        sieve.word("rabbitmq.version", seen.version)
        uptime = number(node, "uptime")
        _tell_figure(sieve, "rabbitmq.uptime", None if uptime is None else uptime / 1000.0)
        _tell_figure(sieve, "rabbitmq.memory", node.get("mem_used"))
        _tell_figure(sieve, "rabbitmq.disk_free", node.get("disk_free"))
        for name, line in (("memory_alarm", "mem_alarm"), ("disk_alarm", "disk_free_alarm")):
            _tell_figure(sieve, f"rabbitmq.{name}", node.get(line))
        for name, used, limit in _SHARES:
            part, whole = number(node, used), number(node, limit)
            _tell_figure(sieve, f"rabbitmq.{name}", None if part is None or whole is None else ratio(part, whole))
        parted = node.get("partitions")
        _tell_figure(sieve, "rabbitmq.partitions", len(parted) if isinstance(parted, list) else None)
        for name in _OBJECTS:
            _tell_figure(sieve, f"rabbitmq.{name}", raw(overview, "object_totals", name))
        none = number(overview, "object_totals", "queues") == 0.0
        for name, line in _TOTALS:
            total = raw(overview, "queue_totals", line)
            _tell_figure(sieve, f"rabbitmq.{name}", 0.0 if total is None and none else total)
        counted = overview.get("rates_mode") != "none" and isinstance(overview.get("message_stats"), Mapping)
        for name, line in _RATES:
            _tell_figure(sieve, f"rabbitmq.{name}", _rate(overview, line) if counted else None)

    async def _tell_queues(self, sieve: Sieve) -> None:
        if not self._patterns:
            sieve.unknown("rabbitmq.unconsumed", "no queues were declared")
            return
        try:
            found = await self._rabbit.queues(self._patterns)
        except DriverError as exc:
            sieve.unknown("rabbitmq.unconsumed", exc.message)
            for name in filter(_exact, self._patterns):
                for metric in _OF_QUEUES:
                    sieve.unknown(metric, exc.message, self._marked(name))
            return
        for name in filter(_exact, self._patterns):
            if name not in found:
                sieve.number("rabbitmq.queue_up", 0, self._marked(name))
                for metric in _OF_QUEUES[1:]:
                    sieve.unknown(metric, "there is no such queue", self._marked(name))
        for name, queue in found.items():
            _tell_queue(sieve, queue, self._marked(name))
        starved = [_starves(queue) for queue in found.values()]
        if None in starved:
            sieve.unknown("rabbitmq.unconsumed", "of some of its queues the consumers are not known yet")
        else:
            sieve.number("rabbitmq.unconsumed", sum(map(bool, starved)))

    def _marked(self, queue: str) -> Labels:
        return labels(target=self.target, vhost=self._vhost, queue=queue)


def _tell_queue(sieve: Sieve, queue: Json, marks: Labels) -> None:
    state = queue.get("state")
    if isinstance(state, str):
        sieve.number("rabbitmq.queue_up", state not in _NOT_RUNNING, marks)
    else:
        sieve.unknown("rabbitmq.queue_up", "it does not say", marks)
    for name, line in _TOTALS:
        _tell_figure(sieve, f"rabbitmq.queue_{name}", queue.get(line), marks)
    consumers = queue.get("consumers")
    _tell_figure(sieve, "rabbitmq.queue_consumers", consumers, marks)
    for name, line in _RATES:  # without consumers there are no statistics of it yet; with them, no rate is a rate of 0
        _tell_figure(sieve, f"rabbitmq.queue_{name}", None if consumers is None else _rate(queue, line), marks)


def _rate(found: Json, line: str) -> Any:  # noqa: ANN401 - the sieve judges
    """A rate; 0 where nothing of the kind has ever happened, which it leaves out; None where there is none."""
    stats = found.get("message_stats") or {}
    return 0.0 if isinstance(stats, Mapping) and line not in stats else raw(stats, line, "rate")


def _starves(queue: Json) -> bool | None:
    """It has messages and nobody to give them to; None where nobody can tell."""
    ready, consumers = number(queue, "messages_ready"), number(queue, "consumers")
    if ready == 0.0 or (consumers is not None and consumers > 0):
        return False
    return None if ready is None or consumers is None else True


def _tell_figure(sieve: Sieve, metric: str, value: Any, marks: Labels | None = None) -> None:  # noqa: ANN401 - the sieve judges
    sieve.maybe(metric, value, "the node does not say", marks)


def _exact(pattern: str) -> bool:
    return not {"*", "?"} & set(pattern)
