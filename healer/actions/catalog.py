"""The written-down list from the verb used in rules to the action behind it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from healer import blocking, plugged
from healer.actions.call import Asker, Call
from healer.actions.capture import Capture
from healer.actions.evidence import Evidence
from healer.actions.hand import ByKind
from healer.actions.hands.catalog import HandsOf
from healer.actions.hands.catalog import Services as Given
from healer.actions.interface import Action
from healer.actions.notify import Notify
from healer.actions.owner import ContainerOwner, Engine, Owner, ProcessOwner, ProgramOwner, UnitOwner
from healer.actions.publish import Publish, PublishAction
from healer.actions.restart import Restart
from healer.actions.run import InUnit, Run
from healer.actions.set_mode import SetMode, SetModeAction
from healer.actions.signal import Signal
from healer.actions.start import Start
from healer.actions.stop import Stop
from healer.actions.voices import Voices
from healer.actions.wait import Wait
from healer.clock import Clock
from healer.drivers.catalog import Drivers
from healer.drivers.commands import Command, Ended
from healer.drivers.holds import Holds
from healer.drivers.programs import Programs
from healer.drivers.systemd import transient
from healer.model import systems


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What the hands hold on to."""

    programs: Programs
    clock: Clock
    state_dir: Path
    node: str
    http: Callable[[], Asker]
    """Gives the HTTP driver, made when it is first asked for."""
    set_mode: SetMode
    publish: Publish
    voices: Voices | None = None
    """The channels; None: the journal alone."""
    evidence: Evidence | None = None
    """Writes about what is restarted or stopped; None: nobody does."""
    docker: Callable[[], Engine] | None = None
    """Gives the Docker driver; None: containers cannot be acted on here."""
    drivers: Drivers | None = None
    """All of them; None: only what the agent runs itself can be acted on here."""


def build(services: Services) -> Mapping[str, Action]:
    """Every action by its verb; actions are stateless but for the drivers they are given here."""
    owners: dict[str, Owner] = {
        "program": ProgramOwner(services.programs),
        "process": ProcessOwner(),
    }
    if services.docker is not None:
        owners["container"] = ContainerOwner(services.docker)
    if services.drivers is not None:
        owners["unit"] = UnitOwner(services.drivers.systemd)
    holds = Holds(services.state_dir)
    actions: tuple[Action, ...] = (
        Restart(owners, services.evidence),
        Start(owners),
        Stop(owners, services.evidence),
        Signal(holds),
        Run(services.programs.groups, _in_unit(services)),
        Call(services.http),
        Notify(services.voices or Voices(services.clock, services.node, services.http)),
        Capture(services.evidence or Evidence(clock=services.clock, state_dir=services.state_dir)),
        Wait(),
        SetModeAction(services.set_mode),
        PublishAction(services.publish),
    )
    plugins = [make() for make in plugged.ACTIONS.values()]
    return {action.verb: action for action in (*actions, *_by_kind(services, holds), *plugins)}


def _in_unit(services: Services) -> InUnit | None:
    """Commands in units of their own, where there are drivers at all."""
    drivers, folder = services.drivers, services.state_dir / "runs"
    if drivers is None:
        return None

    async def run(name: str, command: Command, timeout: float, grace: float) -> Ended:
        await blocking.call(lambda: folder.mkdir(mode=0o700, exist_ok=True))
        output = folder / f"{name}.out"
        return await transient.run(drivers.systemd(), name, command, output=output, timeout=timeout, grace=grace)

    return run


def _by_kind(services: Services, holds: Holds) -> Iterator[Action]:
    """The verbs whose effect depends on what they are applied to."""
    if services.drivers is None:
        return
    hands = HandsOf(
        Given(
            drivers=services.drivers,
            programs=services.programs,
            clock=services.clock,
            state_dir=services.state_dir,
            holds=holds,
        )
    )
    for verb in systems.VERBS:
        yield ByKind(verb, hands)
