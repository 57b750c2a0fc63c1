"""A look into a table as one line of SQL that only reads, asked through psql; connections are named, never written."""

import re
from collections.abc import Mapping, Sequence

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(?:\.[A-Za-z_][A-Za-z0-9_]{0,62})?\Z")
_RAW = re.compile(r"\s*(>=|<=|<>|!=|>|<|=)\s*(\S.*)\Z", re.DOTALL)
_CALM = re.compile(
    r"(?:NOW\(\)|CURRENT_DATE|CURRENT_TIMESTAMP|INTERVAL|'[\w :.+-]{1,40}'|[0-9]+(?:\.[0-9]+)?|[\s+-])+\Z",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"[A-Za-z_][A-Za-z0-9_]{0,62}(?: (?:ASC|DESC))?(?:, ?[A-Za-z_][A-Za-z0-9_]{0,62}(?: (?:ASC|DESC))?)*\Z",
    re.IGNORECASE,
)
_OPERATORS = {
    "equals": "=", "not_equals": "<>", "greater": ">", "less": "<", "greater_equal": ">=", "less_equal": "<=",
    "in": "IN", "not_in": "NOT IN", "is_null": "IS NULL", "is_not_null": "IS NOT NULL",
}  # fmt: skip


class NoQuery(Exception):
    """It cannot be asked that way; the text says why."""


def counting(table: str, where: Mapping[str, object], limit: int | None = None, order: str = "") -> str:
    """How many rows there are (at most ``limit``); raises NoQuery."""
    rows = f"SELECT 1 FROM {_name(table)} WHERE {_where(where)}"  # noqa: S608 - names are checked, values quoted
    if order and not _ORDER.match(order):
        raise NoQuery(f"the order {order[:40]!r} is no list of columns")
    # The order decides which rows there are, not how many: it is left out of a count.
    return f"SELECT count(*) FROM ({rows}{f' LIMIT {limit}' if limit else ''}) AS found"  # noqa: S608 - as above


def comparing(table: str, column: str, where: Mapping[str, object], operator: str, expected: object) -> str:
    """1 where a column has the value expected, else 0; raises NoQuery."""
    op = _OPERATORS.get(operator)
    if op is None:
        raise NoQuery(f"no operator {operator[:30]!r}")
    value = ""
    if "NULL" not in op:
        listed = isinstance(expected, list)
        if listed is not op.endswith("IN"):
            raise NoQuery(f"{operator} wants {'a list' if op.endswith('IN') else 'one value'}")
        value = f" ({', '.join(map(_value, expected))})" if isinstance(expected, list) else f" {_value(expected)}"
    return f"SELECT count(*) FROM {_name(table)} WHERE {_where(where)} AND {_name(column)} {op}{value}"  # noqa: S608 - as above


def argv(component: str, query: str) -> Sequence[str]:
    """The command: read-only whatever the query says; the connection is a service of pg_service.conf."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,63}", component):
        raise NoQuery(f"{component[:40]!r} is no name of a connection")
    options = f"service={component} options='-c default_transaction_read_only=on -c statement_timeout=5000'"
    return ("/usr/bin/psql", options, "-XAtqc", query)


def _name(text: str) -> str:
    if not _NAME.match(text):
        raise NoQuery(f"{text[:40]!r} is no plain name of a table or column")
    return ".".join(f'"{part}"' for part in text.split("."))


def _where(where: Mapping[str, object]) -> str:
    if not where:
        raise NoQuery("it has no where: it would be about every row")
    return " AND ".join(f"{_name(column)} {_compared(value)}" for column, value in where.items())


def _compared(value: object) -> str:
    if isinstance(value, str) and "{{" in value:
        raise NoQuery("a placeholder in where: its value is known only while a scenario runs")
    if value is None:
        return "IS NULL"
    if isinstance(value, list):
        return f"IN ({', '.join(map(_value, value))})"
    if isinstance(value, str) and (raw := _RAW.match(value)):
        if not _CALM.match(raw[2]):
            raise NoQuery(f"only numbers, texts, NOW() and INTERVAL may stand behind {raw[1]}: {raw[2][:40]!r}")
        return f"{raw[1]} {raw[2]}"
    return f"= {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    if not isinstance(value, str) or "\0" in value or "\\" in value:
        raise NoQuery("a value that is no plain text or number")
    return "'" + value.replace("'", "''") + "'"
