"""systemd's manager: one connection, units told the moment they change, jobs waited for until they end."""

import asyncio
import contextlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from healer.clock import Clock
from healer.drivers.interface import Driver, DriverError, DriverStatus
from healer.drivers.link import Changed, Link
from healer.drivers.systemd import unit as units
from healer.drivers.systemd.bus import PATIENCE, PROPERTIES, Bus, SaidNoError, Signal, Typed
from healer.drivers.systemd.jobs import Jobs
from healer.drivers.systemd.refusals import refused, skipped, unsuccessful
from healer.drivers.systemd.unit import KEPT, NoSense, Unit, describe
from healer.errors import ActionError, AmbiguousError

NAME = "org.freedesktop.systemd1"
MANAGER = f"{NAME}.Manager"
UNIT = f"{NAME}.Unit"
ROOT = "/org/freedesktop/systemd1"
SYSTEM = "unix:path=/run/dbus/system_bus_socket"
_JOB_REMOVED = f"type='signal',sender='{NAME}',path='{ROOT}',interface='{MANAGER}',member='JobRemoved'"
_AFTERWARDS = 2.0
"""Seconds for what is asked after a job was given up."""
_SUBSCRIBED = f"{NAME}.AlreadySubscribed"

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


class Systemd(Driver):
    """One manager, behind one connection to its bus: a bus allows each account 256 of them.

    ``dbus_fast`` is imported when it is first connected. ``changed`` hears of losses and returns.
    """

    name = "systemd"

    def __init__(self, clock: Clock, *, bus: str = "", changed: Changed | None = None) -> None:
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
        return _described_or_none(self._known.get(self._paths.get(name, ""), {}))

    async def family(self, template: str) -> Mapping[str, str]:
        """The loaded instances of a template (``web@.service``): state by name. Raises DriverError."""
        bus = await self._link.get()
        pattern = template.replace("@.", "@*.", 1)
        rows = await _asked(bus.call(ROOT, MANAGER, "ListUnitsByPatterns", "asas", [], [pattern]))
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
        await _asked(bus.properties(where, interface, KEPT, lambda said: self._note(where, said)))
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
            self._spread(where, _described_or_none(self._known[where]))

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
        found = _described_or_none(self._known[where])
        if found is not None and found.open:
            # systemd tells of a death before it says that it will start the unit again: ask what it has made of it.
            self._ask_again(bus, where)
        else:
            self._spread(where, found)

    def _spread(self, where: str, found: Unit | None) -> None:
        if found is None:
            return  # the next look says why
        for name, path in self._paths.items():
            if path == where:
                for listener in tuple(self._listeners.get(name, ())):
                    listener(found)

    # ---------------------------------------------------------------------------------------------- acting

    async def start(self, name: str, *, generation: str, within: float) -> Unit:
        """Start it; one that runs already is left alone. Returns it as it is then. Raises ActionError."""
        before = await self._judged("start", name, generation)
        after = await self._job("start", "StartUnit", name, within)
        if not _runs(after):
            raise _not_run("start", name, before, after)
        return after

    async def restart(self, name: str, *, generation: str, within: float, grace: float | None = None) -> Unit:
        """Stop it (with ``grace`` as `stop` does) and start it. Proved by a new invocation id.

        A dead one is only started: should somebody else have been quicker, his run is left alone.
        """
        before = await self._judged("restart", name, generation)
        if grace is not None and before.generation:
            await self._job("stop", "StopUnit", name, within, kill_after=grace)
        after = await self._job("restart", "RestartUnit" if before.generation else "StartUnit", name, within)
        if after.invocation == before.invocation or not _runs(after):
            raise _not_run("restart", name, before, after)
        return after

    async def stop(self, name: str, *, generation: str, within: float, grace: float | None = None) -> Unit:
        """Stop it, as its file says; with ``grace``, KILL of all its processes after that many seconds."""
        await self._judged("stop", name, generation)
        after = await self._job("stop", "StopUnit", name, within, kill_after=grace)
        if after.state in units.LIVING:
            raise ActionError(f"{name} is still {after.state}: something started it again")
        return after

    async def reload(self, name: str, *, generation: str, within: float) -> Unit:
        """Let it read its configuration again, in the same incarnation."""
        before = await self._judged("reload", name, generation)
        if not before.generation:
            raise ActionError(f"{name} does not run", transient=False)
        after = await self._job("reload", "ReloadUnit", name, within)
        if after.invocation != before.invocation:
            raise ActionError(f"{name} is another incarnation since")
        return after

    async def begin(self, name: str, properties: Sequence[object]) -> None:
        """Make a unit and start it; raises ActionError when there is one of that name."""
        self._jobs.begin()
        try:
            (job,) = await self._ask(
                "run", name, "StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", properties, []
            )
            result = await self._ended("run", name, str(job), PATIENCE, None)
        finally:
            self._jobs.end()
        if result != "done":
            after = await self._after(name)
            await self.discard(name)
            raise unsuccessful("run", name, result, after)

    async def discard(self, name: str) -> None:
        """End a unit that was made, with all that is left in it, and forget it. Never raises: it is over anyway."""
        for member, signature, body in (("StopUnit", "ss", (name, "replace")), ("ResetFailedUnit", "s", (name,))):
            with contextlib.suppress(DriverError, SaidNoError):
                bus = await self._link.get()
                await bus.call(ROOT, MANAGER, member, signature, *body)

    async def settings(self, name: str, keep: Collection[str]) -> Mapping[str, int]:
        """Numbers among a unit's properties, by systemd's names and in its units; raises ActionError."""
        found: dict[str, int] = {}

        def take(said: Mapping[str, Any]) -> None:
            found.update({key: value for key, value in said.items() if isinstance(value, int)})

        try:
            bus = await self._link.get()
            await _asked(bus.properties(units.path(name), "", keep, take))
        except DriverError as exc:
            raise ActionError(f"cannot look at the settings of {name}: {exc.message}", hint=exc.hint) from exc
        return found

    async def adjust(self, name: str, new: Mapping[str, int], *, generation: str) -> None:
        """Change settings until the next boot, as ``systemctl set-property --runtime``; proved by reading them back."""
        await self._judged("adjust", name, generation)
        wanted, until_boot = [[key, Typed(signature="t", value=value)] for key, value in new.items()], True
        await self._ask("adjust", name, "SetUnitProperties", "sba(sv)", name, until_boot, wanted)
        now = await self.settings(name, tuple(new))
        if missed := [key for key, value in new.items() if now.get(key) != value]:
            raise ActionError(f"{', '.join(missed)} of {name} did not change")

    async def _judged(self, verb: str, name: str, generation: str) -> Unit:
        """The unit right before something is done to it; raises ActionError when it is not the one that was judged."""
        if not generation and verb in ("start", "restart") and (dead := self._known_dead(name)) is not None:
            return dead
        try:
            bus = await self._link.get()
            if name in self._paths and self._paths[name] in self._known:
                found = await self._read(bus, name, self._paths[name], UNIT)
            else:
                found = await self.unit(name)
        except DriverError as exc:
            raise ActionError(f"cannot {verb} {name}: {exc.message}", hint=exc.hint) from exc
        if found.generation != generation:
            raise ActionError(f"{name} is another incarnation now", transient=False)
        return found

    def _known_dead(self, name: str) -> Unit | None:
        """The unit, where we would have been told had it come back: a start harms no run, so nobody needs to ask."""
        where = self._paths.get(name, "")
        if not self._link.connected or name not in self._listeners or not self._heard_of.get(where):
            return None
        found = _described_or_none(self._known.get(where, {}))
        return found if found is not None and found.load == "loaded" and not found.generation else None

    async def _job(self, verb: str, member: str, name: str, within: float, *, kill_after: float | None = None) -> Unit:
        self._jobs.begin()
        try:
            (job,) = await self._ask(verb, name, member, "ss", name, "replace")
            result = await self._ended(verb, name, str(job), within, kill_after)
        finally:
            self._jobs.end()
        after = await self._after(name)
        if result != "done":
            raise unsuccessful(verb, name, result, after)
        if after is None:
            raise AmbiguousError(f"{name} could not be looked at afterwards")
        return after

    async def _ended(self, verb: str, name: str, job: str, within: float, kill_after: float | None) -> str:
        if kill_after is not None and kill_after < within:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(kill_after):
                    return await self._jobs.result(job)
            await self._ask(verb, name, "KillUnit", "ssi", name, "all", 9)
            within -= kill_after
        try:
            async with asyncio.timeout(within):
                return await self._jobs.result(job)
        except TimeoutError as exc:
            await self._cancel(job)
            raise ActionError(f"{verb} of {name} had not ended within {within:g} s; the job was cancelled") from exc

    async def _cancel(self, job: str) -> None:
        with contextlib.suppress(DriverError, SaidNoError):  # it has just ended, or nobody can tell
            bus = await self._link.get()
            await bus.call(job, f"{NAME}.Job", "Cancel", within=_AFTERWARDS)

    async def _ask(self, verb: str, name: str, member: str, signature: str, *body: object) -> Sequence[Any]:
        """Ask the manager to do something; raises ActionError, AmbiguousError where the answer was lost."""
        try:
            bus = await self._link.get()
            return await bus.call(ROOT, MANAGER, member, signature, *body)
        except SaidNoError as exc:
            raise refused(verb, name, exc) from exc
        except DriverError as exc:
            kind = AmbiguousError if exc.sent else ActionError
            raise kind(f"{verb} of {name}: {exc.message}", hint=exc.hint) from exc

    async def _after(self, name: str) -> Unit | None:
        try:
            return await self.unit(name)
        except DriverError:
            return None


async def _version(bus: Bus) -> str:
    (said,) = await _asked(bus.call(ROOT, PROPERTIES, "Get", "ss", MANAGER, "Version"))
    return str(said)[:40]


async def _asked(answer: Any) -> Any:  # noqa: ANN401 - whatever the call returns
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


def _described_or_none(said: Mapping[str, Any]) -> Unit | None:
    try:
        return describe(said)
    except NoSense:
        return None


def _not_run(verb: str, name: str, before: Unit, after: Unit) -> ActionError:
    ran = after.invocation not in ("", before.invocation)
    return unsuccessful(verb, name, "failed", after) if ran or after.state == "failed" else skipped(verb, name)


def _runs(unit: Unit) -> bool:
    return bool(unit.generation) or (unit.oneshot and unit.state == "inactive" and unit.result in ("success", ""))
