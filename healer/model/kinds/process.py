"""Processes that somebody else runs."""

from healer.model.kinds.kind import Kind
from healer.model.kinds.running import SELDOM, descriptors, running
from healer.model.unit import Unit

PROCESS_STATES: tuple[str, ...] = (
    "running", "sleeping", "disk-sleep", "stopped", "tracing-stop", "zombie", "dead", "idle", "parked", "absent",
)  # fmt: skip
KIND = Kind(
    name="process",
    organ="heart",
    up="process.up",
    metrics=(
        *running("process"),
        *descriptors("process"),
        SELDOM.put("process.count", Unit.COUNT, "processes that match, zombies left out"),
        SELDOM.put("process.state", Unit.WORD, "state of the oldest match", words=PROCESS_STATES),
    ),
    uses=True,
)
