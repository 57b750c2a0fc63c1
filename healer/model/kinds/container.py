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
    ),
    pushed=True,
    uses=True,
    counts_restarts=True,
)
