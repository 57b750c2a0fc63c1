"""``run --once``: look and think once, in a core that has no hands and no log; say what would be done."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from audit.errors import AuditError
from healer.app import build
from healer.app.labelled import with_labelled
from healer.app.parts import Parts
from healer.clock import Clock
from healer.config import Config
from healer.core import report
from healer.core.core import Core
from healer.errors import SensorError
from healer.model.effect import Act, Effect, Withhold
from healer.model.event import Looked, Tick
from healer.model.memory import Memory
from healer.model.truth import Truth
from healer.record import recall
from healer.sensors.interface import Sensor

APART = 1.0
"""Seconds between the two looks: a rate (CPU, network, errors) is a difference."""


async def look_once(config: Config, *, state_dir: Path, clock: Clock) -> dict[str, Any]:
    """A status, and under ``would`` each rule whose condition holds: rule, target, action, because.

    The agent's own programs are left to the agent that runs them: they are unknown here, and nothing is said of them.
    Raises ConfigError.
    """
    parts = Parts(clock=clock, state_dir=state_dir, push=lambda _: None, figures=dict)
    parts.drivers.positions = None  # what one look reads stays news to the agent
    try:
        config = await with_labelled(config, parts.docker)
        sensors = [sensor for sensor in parts.senses(config) if sensor.name not in {"programs", "self"}]
        core = _core(config, sensors, _memory(config, state_dir), clock)
        effects: list[Effect] = []
        for turn in range(2):
            if turn:
                await asyncio.sleep(APART)
            for looked in await asyncio.gather(*(_look(sensor, clock) for sensor in sensors)):
                effects += core.handle(looked)
            effects += core.handle(Tick(at=clock.now(), wall=clock.wall()))
        for sensor in sensors:
            await sensor.close()
    finally:
        await parts.close()
    sensed = {name: sense.because or "ok" for name, sense in core.world.senses.items()}
    return {**report.status(core, clock.now()), "sensors": sensed, "would": _would(core, effects)}


def _core(config: Config, sensors: list[Sensor], memory: Memory, clock: Clock) -> Core:
    ages = {sensor.name: sensor.max_age for sensor in sensors}
    setup = build.setup(config, build.rules(config).rules, boot=clock.boot_id(), max_ages=ages)
    memory.rebase(boot=clock.boot_id(), mono_us=round(clock.now() * 1e6), wall_us=round(clock.wall() * 1e6))
    # A first look is all there is, so here it counts.
    return Core(replace(setup, baseline=False), memory, now=clock.now(), wall=clock.wall())


def _memory(config: Config, state_dir: Path) -> Memory:
    """What an agent on this folder remembers; a new one where there is no log that can be read."""
    try:
        policy = config.audit.retention
        return recall(state_dir, None, [Path(policy.archive)] if policy and policy.archive else [])[0]
    except AuditError:
        return Memory()


async def _look(sensor: Sensor, clock: Clock) -> Looked:
    try:
        async with asyncio.timeout(sensor.timeout):
            await sensor.open(lambda _: None)
            readings = tuple(await sensor.look(clock.now()))
    except (SensorError, TimeoutError) as exc:
        because = str(exc) or f"no answer within {sensor.timeout:g} s"
        return Looked(sensor=sensor.name, at=clock.now(), because=because)
    return Looked(sensor=sensor.name, at=clock.now(), readings=readings)


def _would(core: Core, effects: list[Effect]) -> list[Mapping[str, str]]:
    """What was decided, what was withheld, and what only lacks time."""
    rows = [row for effect in effects if (row := _row(effect)) is not None]
    told = {(row["rule"], row["target"]) for row in rows}
    for instance in core.instances.values():
        rule, target = instance.rule, instance.target.id
        if instance.truth is Truth.TRUE and rule.then and (rule.id, target) not in told:
            because = f"{rule.when_source}, and it must hold for {rule.for_:g} s"
            rows.append({"rule": rule.id, "target": target, "action": rule.then[0].action, "because": because})
    return rows


def _row(effect: Effect) -> Mapping[str, str] | None:
    if isinstance(effect, Act) and effect.decision.rule:
        done = effect.decision
        return {"rule": done.rule, "target": done.target, "action": done.action, "because": done.because}
    if isinstance(effect, Withhold) and effect.withheld.rule:
        no = effect.withheld
        because = f"but {no.gate} says no: {no.because}"
        return {"rule": no.rule, "target": no.target, "action": no.action, "because": because}
    return None
