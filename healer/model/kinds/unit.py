"""Units of systemd."""

from healer.model.kinds.kind import Kind
from healer.model.kinds.running import SELDOM, started_again
from healer.model.unit import Unit

UNIT_STATES: tuple[str, ...] = (
    "active", "reloading", "refreshing", "inactive", "failed", "activating", "deactivating", "maintenance",
)  # fmt: skip
UNIT_LOADS: tuple[str, ...] = ("loaded", "not-found", "bad-setting", "error", "merged", "masked", "stub")
KIND = Kind(
    name="unit",
    organ="heart",
    up="unit.up",
    metrics=(
        SELDOM.put("unit.up", Unit.FLAG, "1 when it is active, or at rest as it should be; unknown in transition"),
        SELDOM.put("unit.failed", Unit.FLAG, "1 when it ended badly and nobody is about to start it"),
        SELDOM.put("unit.state", Unit.WORD, "as systemd says", words=UNIT_STATES),
        SELDOM.put("unit.sub", Unit.WORD, "the same in the words of its type: running, listening, auto-restart ..."),
        SELDOM.put(
            "unit.result", Unit.WORD, "how the last run ended: success, exit-code, signal, oom-kill, timeout ..."
        ),
        SELDOM.put("unit.load", Unit.WORD, "whether its file could be read", words=UNIT_LOADS),
        SELDOM.put(
            "unit.generation", Unit.WORD, "invocation id of its run: another word is another start; empty is none"
        ),
        *started_again("unit"),
        SELDOM.put("unit.uptime", Unit.SECONDS, "since it last became active"),
        SELDOM.put("unit.cpu", Unit.RATIO, "CPU time its control group used, of one core: two busy cores are 200%"),
        SELDOM.put("unit.memory", Unit.BYTES, "memory of its control group, page cache included"),
        SELDOM.put("unit.tasks", Unit.COUNT, "processes and threads in its control group"),
        SELDOM.put("unit.triggered", Unit.SECONDS, "of a timer: since it last fired"),
        SELDOM.put("unit.instances", Unit.COUNT, "of a template: instances that are active"),
    ),
    pushed=True,
    uses=True,
    counts_restarts=True,
)
