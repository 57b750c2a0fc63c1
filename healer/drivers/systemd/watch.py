"""systemd's units as they are: one connection, and every change told the moment it happens."""

import contextlib
import os
from collections.abc import Callable, Mapping
from typing import Any

from healer.clock import Clock
from healer.drivers.interface import Driver, DriverError, DriverStatus
from healer.drivers.link import Changed, Link
from healer.drivers.systemd import unit as units
from healer.drivers.systemd.bus import PROPERTIES, Bus, SaidNoError, Signal
from healer.drivers.systemd.jobs import Jobs
from healer.drivers.systemd.unit import KEPT, NoSense, Unit, describe
from healer.errors import AmbiguousError

NAME = "org.freedesktop.systemd1"
MANAGER = f"{NAME}.Manager"
UNIT = f"{NAME}.Unit"
ROOT = "/org/freedesktop/systemd1"
SYSTEM = "unix:path=/run/dbus/system_bus_socket"
_JOB_REMOVED = f"type='signal',sender='{NAME}',path='{ROOT}',interface='{MANAGER}',member='JobRemoved'"

Listener = Callable[[Unit | str], None]
"""Told the unit as it is now; or, in a sentence, why nothing is known of it any more."""


def bus_address(wanted: str) -> str:
    """The address of the bus: ``system``, ``user``, or one as D-Bus writes them. Raises DriverError."""
    if wanted in ("", "system"):
        return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or SYSTEM
    if wanted != "user":
        return wanted
    if found := os.environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return found
    if folder := os.environ.get("XDG_RUNTIME_DIR"):
        return f"unix:path={folder}/bus"
    raise DriverError("no address of a user bus", hint="set DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR")


class Watch(Driver):
    """One manager, behind one connection to its bus: a bus allows each account 256 of them.

    ``dbus_fast`` is imported when it is first connected. ``changed`` hears of losses and returns.
    """

    def __init__(self, clock: Clock, *, bus: str = "", changed: Changed | None = None) -> None:
        self.name = "systemd" if bus in ("", "system") else f"systemd {bus}"
        self._bus = bus
        self._link: Link[Bus] = Link(
            self.name, connect=self._connect, close=self._let_go, clock=clock, changed=changed, timeout=5.0
        )
        self._listeners: dict[str, list[Listener]] = {}
        self._paths: dict[str, str] = {}
        """Name asked for (it may be an alias) to the path its unit is told of under."""
        self._known: dict[str, dict[str, Any]] = {}
        """What each unit's properties are, by path, since the connection stands."""
        self._heard_of: dict[str, bool] = {}
        """Paths whose signals we asked for, and whether we get them."""
        self._told: dict[str, Unit] = {}
        """What the listeners were last told of each path."""
        self._jobs = Jobs()

    def status(self) -> DriverStatus:
        """How the connection is doing."""
        return self._link.status()

    async def health(self) -> None:
        """Ask the manager for its version."""
        bus = await self._link.get()
        self._link.version = await _version(bus)

    async def close(self) -> None:
        """Disconnect."""
        self._listeners.clear()
        await self._link.close()

    # ---------------------------------------------------------------------------------------------- looking

    async def unit(self, name: str) -> Unit:
        """The unit of this name or alias, as it is now; raises DriverError. One that is not there says so in `load`."""
        bus = await self._link.get()
        where = self._paths.get(name) or units.path(name)
        found = await self._read(bus, name, where)
        if found.id != name and units.path(found.id) != where:
            # An alias: it can be asked by this name, but changes are told under its own.
            where = units.path(found.id)
            found = await self._read(bus, name, where)
        self._paths[name] = where
        return found

    def last(self, name: str) -> Unit | None:
        """What was last told of a unit, without asking; None where that is nothing."""
        return described_or_none(self._known.get(self._paths.get(name, ""), {}))

    async def family(self, template: str) -> Mapping[str, str]:
        """The loaded instances of a template (``web@.service``): state by name. Raises DriverError."""
        bus = await self._link.get()
        pattern = template.replace("@.", "@*.", 1)
        rows = await asked(bus.call(ROOT, MANAGER, "ListUnitsByPatterns", "asas", [], [pattern]))
        try:
            return {str(row[0]): str(row[3]) for row in rows[0] if units.template(str(row[0])) == template}
        except (IndexError, TypeError) as exc:
            raise DriverError("systemd's list of units makes no sense", fact=True) from exc

    def subscribe(self, name: str, listener: Listener) -> Callable[[], None]:
        """Hear of a unit's changes, on the loop's thread, from its next look on, until the returned function is called.

        More changes than the bus lets us ask for (512 rules of a connection) are found by looks only.
        """
        self._listeners.setdefault(name, []).append(listener)

        def unsubscribe() -> None:
            heard = self._listeners.get(name, [])
            if listener in heard:
                heard.remove(listener)
            if not heard:
                self._listeners.pop(name, None)

        return unsubscribe

    async def _read(self, bus: Bus, name: str, where: str, interface: str = "") -> Unit:
        if name in self._listeners and where not in self._heard_of:
            await self._hear_of(bus, where)
        await asked(bus.properties(where, interface, KEPT, lambda said: self._note(where, said)))
        return _described(self._known.get(where, {}))

    async def _hear_of(self, bus: Bus, where: str) -> None:
        rule = f"type='signal',sender='{NAME}',path='{where}',interface='{PROPERTIES}',member='PropertiesChanged'"
        self._heard_of[where] = False
        with contextlib.suppress(SaidNoError):  # too many rules: looks go on
            await bus.match(rule)
            self._heard_of[where] = True

    def _note(self, where: str, said: Mapping[str, Any]) -> None:
        self._known.setdefault(where, {}).update(said)

    # ------------------------------------------------------------------------------------------ connection

    async def _connect(self) -> Bus:
        bus: Bus

        def lost(because: str) -> None:
            self._lost(bus, because)

        def heard(signal: Signal) -> None:
            self._hear(bus, signal)

        def moved(there: bool) -> None:  # noqa: FBT001 - a callback with one meaning
            self._moved(bus, there=there)

        bus = Bus(NAME, heard, lost, moved)
        await bus.open(bus_address(self._bus))
        try:
            await bus.match(_JOB_REMOVED)
            with contextlib.suppress(SaidNoError):  # it remembers us
                await bus.call(ROOT, MANAGER, "Subscribe")
            self._link.version = await _version(bus)
        except BaseException:
            bus.close()
            raise
        self._forget()
        return bus

    async def _let_go(self, bus: Bus) -> None:
        bus.close()

    def _forget(self) -> None:
        self._paths.clear()
        self._known.clear()
        self._heard_of.clear()

    def _lost(self, bus: Bus, because: str) -> None:
        self._forget()
        self._link.lost(bus, because)
        self._away(because)

    def _away(self, because: str) -> None:
        self._told.clear()
        self._jobs.lost(AmbiguousError(f"{because} before systemd said how it ended"))
        for listener in [one for heard in self._listeners.values() for one in heard]:
            listener(because)

    def _moved(self, bus: Bus, *, there: bool) -> None:
        """Go on after systemd left the bus, or came back: it has executed itself anew, and its units went on."""
        if not there:
            self._away("systemd left the bus")
            return
        bus.call_later(ROOT, MANAGER, "Subscribe")
        for where in tuple(self._known):
            self._ask_again(bus, where)

    def _ask_again(self, bus: Bus, where: str) -> None:
        def settled(said: Mapping[str, Any]) -> None:
            self._note(where, said)
            self._spread(where, described_or_none(self._known[where]))

        bus.properties_later(where, KEPT, settled)

    def _hear(self, bus: Bus, signal: Signal) -> None:
        if signal.member == "JobRemoved":
            self._jobs.heard(signal.body)
        elif signal.member == "PropertiesChanged" and signal.path in self._known:
            interface, changed = signal.body[0], signal.body[1]
            self._note(signal.path, {name: changed[name] for name in KEPT if name in changed})
            # A unit tells first what belongs to its type, then what all units have: with that, all is of one moment.
            if interface == UNIT:
                self._changed(bus, signal.path)

    def _changed(self, bus: Bus, where: str) -> None:
        found = described_or_none(self._known[where])
        if found is not None and found.open:
            # systemd tells of a death before it says that it will start the unit again: ask what it has made of it.
            self._ask_again(bus, where)
        else:
            self._spread(where, found)

    def _spread(self, where: str, found: Unit | None) -> None:
        if found is None or self._told.get(where) == found:
            return  # the next look says why; or it is about what is not read here, such as a status line
        self._told[where] = found
        for name, path in self._paths.items():
            if path == where:
                for listener in tuple(self._listeners.get(name, ())):
                    listener(found)


async def _version(bus: Bus) -> str:
    (said,) = await asked(bus.call(ROOT, PROPERTIES, "Get", "ss", MANAGER, "Version"))
    return str(said)[:40]


async def asked(answer: Any) -> Any:  # noqa: ANN401 - whatever the call returns
    """Wait for an answer to a question; an error as the answer is one of the driver too."""
    try:
        return await answer
    except SaidNoError as exc:
        raise DriverError(f"systemd does not say: {exc.message}"[:300]) from exc


def _described(said: Mapping[str, Any]) -> Unit:
    try:
        return describe(said)
    except NoSense as exc:
        raise DriverError(f"systemd's answer makes no sense: {exc}", fact=True) from exc


def described_or_none(said: Mapping[str, Any]) -> Unit | None:
    """The unit; None where what was said of it makes no sense."""
    try:
        return describe(said)
    except NoSense:
        return None
