"""Queries of one's own."""

from healer.model.kinds.kind import Kind
from healer.model.metric import Shelf
from healer.model.unit import Unit

_LOOK = Shelf(labels=("target",), max_age=60.0)
KIND = Kind(
    name="sql",
    organ="stomach",
    up="sql.up",
    serves=False,
    metrics=(
        _LOOK.put("sql.up", Unit.FLAG, "1 when the database could be asked"),
        _LOOK.put("sql.message", Unit.WORD, "why it could not; empty when it could"),
        _LOOK.put("sql.value", Unit.NUMBER, "the number a query returned; row names it where it returns several",
                  "name", "row"),
        _LOOK.put("sql.rows", Unit.COUNT, "rows a query returned", "name"),
        _LOOK.put("sql.latency", Unit.SECONDS, "until a query was answered", "name"),
    ),
)  # fmt: skip
