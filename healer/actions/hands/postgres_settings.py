"""Numbers in PostgreSQL's configuration: changed within declared bounds, proved in force, and put back."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from healer.actions.hand import Hand
from healer.actions.hands.asked import applied, asked
from healer.actions.hands.sql import quoted, refusal
from healer.actions.interface import Done, Order
from healer.clock import Clock
from healer.drivers.catalog import Drivers
from healer.drivers.postgres import Postgres
from healer.drivers.postgres_session import PostgresError, Session
from healer.errors import ActionError, AmbiguousError, HealerError

_POLL = 0.05
_IN_FORCE = 5.0
"""Seconds a server has to read its configuration again."""
_LIVE = ("sighup", "superuser", "user")
"""Contexts of settings that a reload changes; others take a restart."""
_READ = """
SELECT setting, unit, context, vartype, coalesce(sourcefile LIKE '%%postgresql.auto.conf', false)
FROM pg_catalog.pg_settings WHERE name = %s
"""
_BYTES = {"B": 1, "kB": 1024, "8kB": 8192, "MB": 1048576}
_HINT = "GRANT ALTER SYSTEM ON PARAMETER (version 15), and EXECUTE ON FUNCTION pg_reload_conf, TO it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One number of the configuration, as it is in force for a new session."""

    name: str
    value: float
    unit: str
    """As pg_settings has it: ms, kB, 8kB ...; empty without one."""
    whole: bool
    """It takes no fractions."""
    auto: bool
    """It stands in postgresql.auto.conf: somebody said ALTER SYSTEM before."""

    def written(self, value: float) -> str:
        """The number as the server takes it."""
        return str(round(value)) if self.whole else repr(value)


class Adjust(Hand):
    """Change a declared setting for the time of an incident."""

    touches = "the numbers declared under settings: of the target, by ALTER SYSTEM and a reload; for the whole server"

    def __init__(self, drivers: Drivers, clock: Clock) -> None:
        self._drivers, self._clock = drivers, clock

    async def act(self, order: Order) -> Done:
        """Set it, or put it back; raises ActionError, AmbiguousError."""
        name, back = str(order.params.get("setting") or ""), order.params.get("back")
        least, most = bounds(order, name)
        try:
            driver = cast("Postgres", self._drivers.of(order.target))
            async with driver.bare() as session:
                await driver.recognise(session, order.generation)
                now = await read(session, name, driver.patience)
                if back is not None:
                    return await self._put_back(session, now, back, driver.patience)
                return await self._change(session, now, order, least, most, driver.patience)
        except HealerError as exc:
            if isinstance(exc, PostgresError) and exc.denied:
                raise ActionError(exc.message, hint=_HINT, transient=False) from exc
            raise exc if isinstance(exc, ActionError) else refusal(exc) from exc

    def would(self, order: Order) -> str:
        """What to; raises ActionError where it is not declared."""
        name = str(order.params.get("setting") or "")
        least, most = bounds(order, name)
        return f"set {name} of {order.target.id} to {order.params.get('value')}, within {least:g} and {most:g}"

    async def _change(
        self, session: Session, now: Setting, order: Order, least: float, most: float, patience: float
    ) -> Done:
        wanted = now.written(target_value(now, str(order.params.get("value") or ""), least, most))
        was = now.written(now.value)
        if wanted == was:
            return Done(because=f"{now.name} is {was} already, the most it may change", facts={"setting": now.name})
        await self._alter(session, now, f"SET {quoted(now.name)} = {wanted}", lambda seen: seen == wanted, patience)
        facts = {"setting": now.name, "before": was, "after": wanted}
        back = {"value": was if now.auto else "", "before": was, "from": wanted}
        return Done(
            because=f"{now.name}: {was} -> {wanted} {now.unit}".rstrip(), facts=facts,
            undo={"setting": now.name, "back": back},
        )  # fmt: skip

    async def _put_back(self, session: Session, now: Setting, back: Mapping[str, Any], patience: float) -> Done:
        """As it was, unless somebody changed it since: then it is theirs."""
        if now.written(now.value) != str(back.get("from")):
            return Done(because=f"{now.name} was changed by somebody else since: left at {now.written(now.value)}")
        former, before = str(back.get("value") or ""), str(back.get("before"))
        if former:
            number = now.written(float(former))
            await self._alter(session, now, f"SET {quoted(now.name)} = {number}", lambda seen: seen == number, patience)
        else:  # nobody had said ALTER SYSTEM before: what the files say counts again, whatever that is by now
            ours = now.written(now.value)
            await self._alter(session, now, f"RESET {quoted(now.name)}", lambda seen: seen != ours, patience)
        return Done(because=f"{now.name} was put back to {before}")

    async def _alter(
        self, session: Session, now: Setting, how: str, proof: Callable[[str], bool], patience: float
    ) -> None:
        """Write it, let the server read it, and see it in force.

        A name that the configuration declares and pg_settings knows, and a number of ours: no stranger's text.
        """
        await session.do(f"ALTER SYSTEM {how}", timeout=patience)
        await session.do("SELECT pg_catalog.pg_reload_conf()", timeout=patience)
        end = self._clock.now() + _IN_FORCE
        while not proof((seen := await read(session, now.name, patience)).written(seen.value)):
            if self._clock.now() >= end:
                raise AmbiguousError(f"{now.name} was written, and is not in force: it is {seen.written(seen.value)}")
            await asyncio.sleep(_POLL)


async def read(session: Session, name: str, patience: float) -> Setting:
    """The setting, in a session that sets nothing of its own; raises ActionError for what a reload cannot change."""
    rows = await session.ask(_READ, (name,), timeout=patience)
    if not rows:
        raise ActionError(f"there is no setting {name}", transient=False)
    value, unit, context, kind, auto = rows[0]
    if kind not in {"integer", "real"}:
        raise ActionError(f"{name} is no number", transient=False)
    if context not in _LIVE:
        raise ActionError(f"{name} takes effect at a restart only", transient=False)
    return Setting(name=name, value=float(value), unit=str(unit or ""), whole=kind == "integer", auto=bool(auto))


def bounds(order: Order, name: str) -> tuple[float, float]:
    """Least and most of a declared setting; raises ActionError for one that is not declared."""
    declared: Mapping[str, Any] = (order.target.spec.get("settings") or {}).get(name) or {}
    if not declared:
        hint = "settings: {NAME: {least: ..., most: ...}} of the target"
        raise ActionError(f"the setting '{name[:60]}' is not declared", hint=hint, transient=False)
    return float(declared["least"]), float(declared["most"])


def target_value(now: Setting, text: str, least: float, most: float) -> float:
    """What a change makes of it, in its own unit; raises ActionError.

    A size (``64MiB``) is counted in the setting's unit. Where 0 or -1 turn a limit off, a share of it means nothing.
    """
    change = asked(text)
    scale = _BYTES.get(now.unit, 0) if text.endswith("B") else 1
    if not scale:
        raise ActionError(f"{now.name} is no size", hint=f"write it in {now.unit or 'its number'}", transient=False)
    if change.sign and now.value <= 0:
        raise ActionError(f"{now.name} is {now.value:g}: no part of that can be taken", transient=False)
    if change.percent and not change.sign:
        raise ActionError("a share of what?", hint="+20%, -20%, or the number", transient=False)
    return applied(change, now.value * scale, least=least * scale, most=most * scale) / scale
