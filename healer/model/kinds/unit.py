"""Units of systemd."""

from healer.model.kinds.kind import Kind
from healer.model.kinds.running import SELDOM
from healer.model.unit import Unit

KIND = Kind(
    name="unit",
    organ="heart",
    up="unit.up",
    metrics=(
        SELDOM.put("unit.up", Unit.FLAG, "1 when the unit is active"),
        SELDOM.put("unit.generation", Unit.WORD, "its invocation id: another word is another start; empty is none"),
    ),
    pushed=True,
)
