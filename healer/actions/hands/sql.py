"""Changes in a declared database: statements in one transaction, or one declared column."""

from collections.abc import Mapping
from typing import Any, cast

from healer.actions.hand import Hand
from healer.actions.hands.catalog import Services
from healer.actions.interface import Done, Order
from healer.drivers.catalog import Drivers
from healer.drivers.interface import DriverError
from healer.drivers.sql import Database, SqlError, Statements
from healer.errors import ActionError, AmbiguousError, HealerError

_SHARE = 0.9
"""Of the step's timeout: the rest is for coming in and for telling."""
_TRANSACTIONS = frozenset(
    {"BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "PREPARE", "ATTACH", "DETACH",
     "PRAGMA", "VACUUM", "COPY"}
)  # fmt: skip
"""First words of statements that would leave the one transaction, or the one database."""


class Sql(Hand):
    """Statements in one transaction; all or nothing."""

    touches = "what its statements change, in the declared database only"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    async def act(self, order: Order) -> Done:
        """Run them; raises ActionError (nothing changed), AmbiguousError (lost while it was made durable)."""
        values: Mapping[str, Any] = order.params.get("values") or {}
        statements = [str(statement) for statement in order.params["statements"]]
        if not statements:
            raise ActionError("there is no statement", transient=False)
        for statement in statements:
            check_statement(statement)
        return await change(self._drivers, order, [(statement, values or None) for statement in statements])

    def would(self, order: Order) -> str:
        """How many, and how far."""
        count, most = len(order.params["statements"]), order.params["at_most"]
        return f"run {count} statements on {order.target.id} in one transaction, which may change {most} rows"


class Update(Hand):
    """Declared columns of few rows."""

    touches = "the columns declared under updates: of the target, in as many rows as said"

    def __init__(self, drivers: Drivers) -> None:
        self._drivers = drivers

    async def act(self, order: Order) -> Done:
        """Set them; raises ActionError, also where no row fits."""
        done = await change(self._drivers, order, [update(order)])
        if done.facts["rows"] == 0:
            raise ActionError("no row fits: nothing was changed", transient=False)
        return done

    def would(self, order: Order) -> str:
        """Which columns of which rows; raises ActionError where they are not declared."""
        update(order)
        what, where = ", ".join(order.params["set"]), ", ".join(order.params["where"])
        return f"set {what} of {order.params['table']} in {order.target.id}, by {where}"


async def change(drivers: Drivers, order: Order, statements: Statements) -> Done:
    """Run statements of an order in one transaction on its target."""
    most = int(order.params["at_most"])
    generation = order.generation if order.target.kind == "postgres" else None
    try:
        database = cast("Database", drivers.of(order.target))
        rows = await database.change(statements, at_most=most, timeout=order.timeout * _SHARE, generation=generation)
    except HealerError as exc:
        raise refusal(exc) from exc
    return Done(because=f"{rows} rows of {order.target.id} changed", facts={"rows": rows})


def refusal(exc: HealerError) -> ActionError:
    """What a database's no means for the action."""
    if isinstance(exc, DriverError) and exc.sent:
        return AmbiguousError(exc.message, hint=exc.hint)
    transient = exc.again if isinstance(exc, SqlError) else isinstance(exc, DriverError)
    return ActionError(exc.message, hint=exc.hint, transient=transient)


def check_statement(statement: str) -> None:
    """See that it stays in its transaction; raises ActionError.

    The server would refuse a second statement in the same text, so the first word is all there is to see.
    """
    words = statement.lstrip(" \t\r\n(").split(None, 1)
    first = words[0].upper().rstrip(";") if words else ""
    if first.startswith(("--", "/*")):
        raise ActionError("a statement may not begin with a comment", hint="say why in `why:`", transient=False)
    if not first or first in _TRANSACTIONS:
        raise ActionError(
            f"'{statement.strip()[:40]}' cannot be run: statements stay in one transaction, and change data",
            transient=False,
        )


def update(order: Order) -> tuple[str, tuple[object, ...]]:
    """The statement for declared columns, and its values; raises ActionError for what is not declared."""
    table, news, where = str(order.params["table"]), order.params["set"], order.params["where"]
    declared: Mapping[str, Any] = order.target.spec.get("updates") or {}
    if table not in declared:
        raise ActionError(f"{table} is not declared", hint="updates: {TABLE: [COLUMN]} of the target", transient=False)
    if foreign := [name for name in news if name not in declared[table]]:
        raise ActionError(
            f"{table}.{foreign[0]} is not declared",
            hint="list the column under updates: of the target",
            transient=False,
        )
    if not news or not where:
        raise ActionError("it needs columns to set, and columns that tell the rows", transient=False)
    sets = ", ".join(f"{quoted(name)} = %s" for name in news)
    keys = " AND ".join(
        f"{quoted(name)} IS NULL" if value is None else f"{quoted(name)} = %s" for name, value in where.items()
    )
    values = (*news.values(), *(value for value in where.values() if value is not None))
    # Identifiers cannot be parameters: they are quoted, and those that are changed come from the configuration.
    return f"UPDATE {'.'.join(map(quoted, table.split('.', 1)))} SET {sets} WHERE {keys}", values  # noqa: S608 - as said


def quoted(name: str) -> str:
    """An identifier as SQL takes it, whatever is in it; raises ActionError for what cannot be one."""
    if not name or "\0" in name or len(name) > 63:
        raise ActionError(f"{name[:70]!r} is no name of a table or column", transient=False)
    return '"' + name.replace('"', '""').replace("%", "%%") + '"'


def hands(services: Services) -> Mapping[str, Hand]:
    """The hands for databases that are asked queries of one's own."""
    return {"sql": Sql(services.drivers), "update": Update(services.drivers)}
