"""What systemd can be told to do, by jobs that are waited for until they end, and proved by what the unit is then."""

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from healer.drivers.interface import DriverError
from healer.drivers.systemd import unit as units
from healer.drivers.systemd.bus import PATIENCE, SaidNoError, Typed
from healer.drivers.systemd.refusals import refused, skipped, unsuccessful
from healer.drivers.systemd.unit import Unit
from healer.drivers.systemd.watch import MANAGER, NAME, ROOT, UNIT, Watch, asked, described_or_none
from healer.errors import ActionError, AmbiguousError

_AFTERWARDS = 2.0
"""Seconds for what is asked after a job was given up."""


class Systemd(Watch):
    """A manager that is told what to do. Right before that, the unit is looked at again: another run is left alone."""

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
            await asked(bus.properties(units.path(name), "", keep, take))
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
        found = described_or_none(self._known.get(where, {}))
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


def _not_run(verb: str, name: str, before: Unit, after: Unit) -> ActionError:
    ran = after.invocation not in ("", before.invocation)
    return unsuccessful(verb, name, "failed", after) if ran or after.state == "failed" else skipped(verb, name)


def _runs(unit: Unit) -> bool:
    return bool(unit.generation) or (unit.oneshot and unit.state == "inactive" and unit.result in ("success", ""))
