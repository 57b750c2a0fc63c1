"""Programs the agent runs itself."""

from healer.model.kinds.kind import Kind
from healer.model.kinds.running import SELDOM, descriptors, running, started_again
from healer.model.target import STATES
from healer.model.unit import Unit

KIND = Kind(
    name="program",
    organ="heart",
    up="program.up",
    metrics=(
        *running("program", often=True),
        *descriptors("program"),
        *started_again("program"),
        SELDOM.put("program.wanted", Unit.FLAG, "0 while it was stopped on purpose"),
        SELDOM.put("program.state", Unit.WORD, "where it is in its life", words=STATES),
    ),
    pushed=True,
    uses=True,
    counts_restarts=True,
)
