"""What befalls a house in a seed: the world's own troubles, operators at work, clocks that jump."""

from collections.abc import Callable
from functools import partial
from typing import Any

from healer.simulation import starts
from healer.simulation.chance import Chance
from healer.simulation.knobs import TURNED
from healer.simulation.life import House, Life

WATCHED = 4.0
"""Seconds for which somebody waits for an action before throwing the kill switch all the same."""
BLINK = 0.05
WINDOW = 40.0
"""Seconds of a maintenance window."""


def plan(house: House, until: float) -> None:
    """Spread the events of a seed over its storm."""
    planner = _Planner(house, until)
    planner.world()
    planner.operators()


def make_peace(house: House) -> None:
    """After the storm: the operator takes every brake away, once the agent is there to hear it."""
    house.kill_switch.take_away()

    def resume() -> None:
        life = house.life
        if life is None or not life.running:
            house.world.plan(house.clock.at + 1.0, resume)
            return
        memory = life.loop.core.desk.memory
        for scope in list(memory.modes):
            life.ask("resume", scope)
        for window in list(memory.maintenance):
            life.ask("maintenance-end", id=window)
        life.ask("resume-healing")
        for target in house.targets:
            life.ask("ack", target.id)

    house.world.plan(house.clock.at + 5.0, resume)
    # What safe mode held back may have given up meanwhile: a person would look again.
    house.world.plan(house.clock.at + 60.0, resume)


class _Planner:
    def __init__(self, house: House, until: float) -> None:
        self._house, self._until = house, until
        self._chance: Chance = house.chance

    def _sometimes(self, fault: str, times: int, what: Callable[[], None]) -> None:
        for _ in range(times):
            if self._chance.hit(fault):
                self._at(what)

    def _at(self, what: Callable[[], None]) -> None:
        self._house.world.plan(self._chance.between(10.0, self._until), what)

    def _name(self, kind: str = "program") -> str:
        names = [target.id for target in self._house.targets if target.kind == kind]
        return self._chance.random.choice(names)

    # The world -------------------------------------------------------------------------------------------------

    def world(self) -> None:
        """Deaths, growth, storms of them, and everything that makes a cure hard."""
        world, chance = self._house.world, self._chance
        for _ in range(chance.random.randint(2, 8)):
            name = self._name(chance.random.choice(("program", "program", "container")))
            self._at(partial(world.die, name))
        for _ in range(chance.random.randint(0, 2)):
            thing = world.things[self._name()]
            self._at(partial(setattr, thing, "memory", 900e6))
            self._at(partial(setattr, thing, "cpu", 0.95))
        for thing in world.things.values():
            if chance.hit("world.crash-loop"):
                thing.crashes_left = chance.random.randint(1, 12)
            if chance.hit("world.slow-start"):
                thing.startup = chance.between(1.0, 12.0)
            if chance.hit("world.hungry"):
                thing.hungry, thing.cpu = True, 0.95
            if chance.hit("world.worse"):
                thing.spoils = self._name()
                thing.incurable = chance.random.random() < 0.5
        for _ in range(20):
            if chance.hit("world.churn"):
                name = self._name()
                self._at(partial(world.churn, name))
        self._sometimes("world.mass-failure", 2, self._mass_failure)
        self._sometimes("sensor.blind-together", 2, self._blind)
        self._sometimes("clock.step", 3, self._step_clock)

    def _mass_failure(self) -> None:
        house = self._house
        programs = [target.id for target in house.targets if target.kind == "program"]
        for name in self._chance.random.sample(programs, k=max(3, len(programs) - 1)):
            house.world.die(name)

    def _press(self) -> None:
        """A program needs more than it gets, for a while."""
        house, chance = self._house, self._chance
        thing = house.world.things[self._name()]
        thing.pressed = thing.knob + chance.random.randint(1, 3)
        house.world.plan(house.clock.at + chance.between(2.0, 30.0), partial(setattr, thing, "pressed", 0))
        if chance.hit("people.reload"):  # at best while a knob is being turned
            house.world.plan(house.clock.at + chance.between(1.0, 6.0), self._told(self._reload))

    def _blind(self) -> None:
        if self._house.life is None:
            return
        kinds = self._chance.random.sample(("program", "container", "http"), k=self._chance.random.randint(1, 3))
        until = self._house.clock.at + self._chance.between(3.0, 40.0)
        for sensor in self._house.life.sensors:
            if sensor.name.partition(":")[0] in kinds:
                sensor.blind_until = until

    def _step_clock(self) -> None:
        # Forward steps while the agent is down across a reboot cannot be told from time that passed: only backwards.
        step = -self._chance.between(2.5, 4000.0)
        if not self._chance.rates.get("reboot") and self._chance.random.random() < 0.5:
            step = -step
        self._house.clock.drift += step
        self._chance.reach("clock went backwards" if step < 0 else "clock went forwards")

    # Operators -------------------------------------------------------------------------------------------------

    def operators(self) -> None:
        """Requests, brakes, reloads, full disks."""
        self._sometimes("people.request", 6, self._told(self._request))
        self._sometimes("people.pause", 2, self._told(self._pause))
        self._sometimes("people.maintenance", 2, self._told(self._maintenance))
        self._sometimes("people.answer", 4, self._grow)
        if self._house.book.startswith("told"):
            self._sometimes("people.tell", 8, self._tell)
        if self._house.book.startswith("knobs"):
            self._sometimes("world.pressed", 8, self._press)
            self._sometimes("people.turn", 6, self._turn)
        self._sometimes("people.reload", 3, self._told(self._reload))
        self._sometimes("people.kill-switch", 2, self._kill_switch)
        self._sometimes("seal.full", 2, self._fill_disk)

    def _told(self, what: Callable[[Life], None]) -> Callable[[], None]:
        def happen() -> None:
            if self._house.life is not None and self._house.life.running:
                what(self._house.life)

        return happen

    def _request(self, life: Life) -> None:
        verb = self._chance.random.choice(("restart", "start", "stop", "restart", "ack", "trigger", "resume-healing"))
        if verb == "trigger":
            life.ask("trigger", "down", target=self._name())
        elif verb in {"ack", "resume-healing"}:
            life.ask(verb, self._name() if verb == "ack" else "agent")
        else:
            life.ask("act", self._name(), action=verb)
            if self._chance.random.random() < 0.5:
                life.ask("act", self._name(), action=verb)

    def _turn(self) -> None:
        """Somebody turns a knob: by himself, so far that no rule could have done it, or by asking the agent to."""
        things = self._house.world.things
        turned = [name for name, thing in things.items() if thing.knob]
        name = self._chance.random.choice(turned) if turned else self._name()
        if self._chance.random.random() < 0.5:
            self._told(lambda life: life.ask("act", name, action="adjust", params={"cpu": "+20%"}))()
        else:
            things[name].knob += TURNED

    def _reload(self, life: Life) -> None:
        if self._busy():
            self._chance.reach("reload mid-action")
        life.reload()

    def _busy(self) -> bool:
        return any(effect.ended is None for effect in self._house.world.ledger)

    def _pause(self, life: Life) -> None:
        scope = self._chance.random.choice(("agent", self._name()))
        life.ask("pause", scope)
        self._house.world.plan(
            self._house.clock.at + self._chance.between(5.0, 60.0), self._told(lambda life: life.ask("resume", scope))
        )

    def _grow(self) -> None:
        """A container grows, which only a person may have restarted; people answer soon, late, twice, or to nothing."""
        house, chance = self._house, self._chance
        house.world.things[self._name("container")].memory = 900e6
        for _ in range(chance.random.randint(1, 4)):
            house.world.plan(house.clock.at + chance.between(1.0, 30.0), self._told(self._answer))

    def _tell(self) -> None:
        """Somebody says that something is to be fixed, once or several times; somebody asks for it outright."""
        house, random = self._house, self._chance.random
        for _ in range(random.randint(1, 4)):
            data = {"n": random.choice((0, 1, 2)), "who": random.choice(starts.WHO)}
            if random.random() < 0.7:
                data["target"] = self._name("container")
            say = partial(Life.ask, verb="event", topic=starts.TOPIC, data=data)
            house.world.plan(house.clock.at + self._chance.between(0.5, 12.0), self._told(say))
        if random.random() < 0.5:
            target = self._name("container")
            self._told(lambda life: life.ask("trigger", "by-hand", target=target))()

    def _answer(self, life: Life) -> None:
        memory, random = life.loop.core.desk.memory, self._chance.random
        waiting = [key for key, one in memory.approvals.items() if one.state == "asked"]
        key = (
            random.choice(waiting) if waiting and random.random() < 0.9 else f"a-{random.randint(0, memory.asked + 1)}"
        )
        for _ in range(random.choice((1, 1, 2))):
            life.ask(random.choice(("approve", "approve", "deny")), id=key)

    def _maintenance(self, life: Life) -> None:
        selectors: tuple[dict[str, object], ...] = ({"all": True}, {"kind": "program"}, {"target": self._name()})
        args: dict[str, Any] = {"selector": self._chance.random.choice(selectors), "for": WINDOW}
        later = self._chance.random.random()
        if later < 0.3:
            args["from"] = self._house.clock.wall() + self._chance.between(1.0, 30.0)
        elif later < 0.6:
            minute = int(self._house.clock.wall() // 60) % 1440
            hours = f"{minute // 60:02d}:{minute % 60:02d}-{(minute + 1) % 1440 // 60:02d}:{(minute + 1) % 60:02d}"
            args |= {"repeat": {"hours": hours, "tz": "UTC"}, "for": 5 * WINDOW}
        life.ask("maintenance-add", **args)

    def _kill_switch(self, until: float | None = None) -> None:
        """Throw it while something is being done, if that comes soon: then it matters most."""
        house = self._house
        until = house.clock.at + WATCHED if until is None else until
        if not self._busy() and house.clock.at < until:
            house.world.plan(house.clock.at + BLINK, lambda: self._kill_switch(until))
            return
        house.kill_switch.throw()
        if self._busy():
            self._chance.reach("kill switch mid-action")
        house.world.plan(house.clock.at + self._chance.between(5.0, 40.0), house.kill_switch.take_away)

    def _fill_disk(self) -> None:
        life = self._house.life
        if life is None:
            return
        life.writer.full = True
        self._house.world.plan(self._house.clock.at + self._chance.between(3.0, 30.0), life.writer.make_room)
