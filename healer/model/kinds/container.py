"""Containers of Docker's engine."""

from healer.model.kinds.kind import Kind
from healer.model.kinds.running import SELDOM, running, started_again
from healer.model.unit import Unit

CONTAINER_STATES: tuple[str, ...] = (
    "created", "running", "paused", "restarting", "removing", "exited", "dead", "absent",
)  # fmt: skip
CONTAINER_HEALTHS: tuple[str, ...] = ("none", "starting", "healthy", "unhealthy")
KIND = Kind(
    name="container",
    organ="heart",
    up="container.up",
    metrics=(
        *running("container"),
        *started_again("container"),
        SELDOM.put("container.state", Unit.WORD, "as the engine says, or absent", words=CONTAINER_STATES),
        SELDOM.put("container.health", Unit.WORD, "of its own health check", words=CONTAINER_HEALTHS),
        SELDOM.share("container.memory_used", "memory it uses, of what it may; unknown where that is not bounded"),
        SELDOM.put("container.pids", Unit.COUNT, "processes and threads in it"),
        SELDOM.share("container.throttled", "periods in which its CPU quota stopped it, of all; 0 without a quota"),
        SELDOM.put(
            "container.oom_killed",
            Unit.FLAG,
            "1 when the kernel killed something in it for want of memory, in this run or, once ended, in the last",
        ),
        SELDOM.put("container.cpu_limit", Unit.RATIO, "CPU it may use, of one core; unknown where that is not bounded"),
        SELDOM.put("container.memory_limit", Unit.BYTES, "memory it may use; unknown where that is not bounded"),
        SELDOM.put(
            "container.instances", Unit.COUNT, "it and its spares, as far as they run; only where it has spares"
        ),
        SELDOM.put("container.image", Unit.WORD, "the image it was made of, as it was named then"),
        SELDOM.put(
            "container.asked_to_end",
            Unit.FLAG,
            "1 when somebody had asked the engine to stop or kill it before it ended; unknown when nobody listened",
        ),
    ),
    pushed=True,
    uses=True,
    counts_restarts=True,
)
