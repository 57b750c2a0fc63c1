"""RabbitMQ: one node, its cluster in sum, and the queues that were declared."""

from collections.abc import Iterator

from healer.model.kinds.kind import Kind
from healer.model.metric import Metric, Shelf
from healer.model.unit import Unit

_SEEN = Shelf(labels=("target",), max_age=60.0)
_QUEUE = ("vhost", "queue")


def _node() -> Iterator[Metric]:
    yield _SEEN.put("rabbitmq.up", Unit.FLAG, "1 when its management answers, and counts the node as running")
    yield _SEEN.put("rabbitmq.message", Unit.WORD, "why it is not up; empty when it is")
    yield _SEEN.put("rabbitmq.generation", Unit.WORD, "its incarnation: node, process and start; empty is none")
    yield _SEEN.put("rabbitmq.latency", Unit.SECONDS, "until its management answered")
    yield _SEEN.put("rabbitmq.version", Unit.WORD, "as it writes it")
    yield _SEEN.put("rabbitmq.uptime", Unit.SECONDS, "since the node started")
    yield _SEEN.put("rabbitmq.memory", Unit.BYTES, "memory the node uses")
    yield _SEEN.put("rabbitmq.memory_use", Unit.RATIO, "memory, of its high watermark")
    yield _SEEN.put("rabbitmq.memory_alarm", Unit.FLAG, "1 while it takes no messages because memory is short")
    yield Metric(
        name="rabbitmq.disk_free", unit=Unit.BYTES, doc="space left where it keeps messages", labels=("target",),
        max_age=60.0, falls=True,
    )  # fmt: skip
    yield _SEEN.put("rabbitmq.disk_alarm", Unit.FLAG, "1 while it takes no messages because space is short")
    yield _SEEN.put("rabbitmq.fds_use", Unit.RATIO, "file descriptors, of those it may have; unknown since version 4")
    yield _SEEN.put("rabbitmq.sockets_use", Unit.RATIO, "sockets, of those it may have; unknown since version 4")
    yield _SEEN.put("rabbitmq.processes_use", Unit.RATIO, "Erlang processes, of those it may have")
    yield _SEEN.put("rabbitmq.partitions", Unit.COUNT, "nodes it has parted from; anything but 0 is two truths")


def _cluster() -> Iterator[Metric]:
    yield _SEEN.put("rabbitmq.connections", Unit.COUNT, "connections of the cluster, as far as we may see them")
    yield _SEEN.put("rabbitmq.channels", Unit.COUNT, "channels, likewise")
    yield _SEEN.put("rabbitmq.consumers", Unit.COUNT, "consumers, likewise")
    yield _SEEN.put("rabbitmq.queues", Unit.COUNT, "queues, likewise")
    yield _SEEN.put("rabbitmq.messages", Unit.COUNT, "messages in all its queues")
    yield _SEEN.put("rabbitmq.ready", Unit.COUNT, "those that wait for a consumer")
    yield _SEEN.put("rabbitmq.unacked", Unit.COUNT, "those a consumer has and has not acknowledged")
    yield _SEEN.put("rabbitmq.publish_rate", Unit.PER_SECOND, "messages that came in")
    yield _SEEN.put("rabbitmq.deliver_rate", Unit.PER_SECOND, "messages handed out")
    yield _SEEN.put("rabbitmq.redeliver_rate", Unit.PER_SECOND, "messages handed out once more")


def _queues() -> Iterator[Metric]:
    yield _SEEN.put("rabbitmq.unconsumed", Unit.COUNT, "declared queues with messages ready, and no consumer")
    yield _SEEN.put("rabbitmq.queue_up", Unit.FLAG, "1 when a declared queue is there and runs", *_QUEUE)
    yield _SEEN.put("rabbitmq.queue_messages", Unit.COUNT, "messages in a declared queue", *_QUEUE)
    yield _SEEN.put("rabbitmq.queue_ready", Unit.COUNT, "those that wait for a consumer", *_QUEUE)
    yield _SEEN.put("rabbitmq.queue_unacked", Unit.COUNT, "those a consumer has and has not acknowledged", *_QUEUE)
    yield Metric(
        name="rabbitmq.queue_consumers", unit=Unit.COUNT, doc="consumers of a declared queue",
        labels=("target", *_QUEUE), max_age=60.0, falls=True,
    )  # fmt: skip
    yield _SEEN.put("rabbitmq.queue_publish_rate", Unit.PER_SECOND, "messages that came into it", *_QUEUE)
    yield _SEEN.put("rabbitmq.queue_deliver_rate", Unit.PER_SECOND, "messages it handed out", *_QUEUE)
    yield _SEEN.put("rabbitmq.queue_redeliver_rate", Unit.PER_SECOND, "messages it handed out once more", *_QUEUE)


KIND = Kind(
    name="rabbitmq",
    organ="stomach",
    up="rabbitmq.up",
    metrics=(*_node(), *_cluster(), *_queues()),
)
