"""Units on a real system manager: what is seen, how soon, and what is done to them."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from audit import canonical
from audit.reader import Log
from healer.actions.hands.catalog import Services
from healer.actions.hands.unit import hands
from healer.actions.interface import Order
from healer.actions.owner import UnitOwner
from healer.actions.run import Run
from healer.clock import SystemClock
from healer.drivers import cgroups
from healer.drivers.catalog import Drivers
from healer.drivers.interface import DriverError
from healer.drivers.systemd import transient
from healer.drivers.systemd.watch import NAME
from healer.errors import ActionError, AmbiguousError, SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.unit import UnitSensor

pytestmark = pytest.mark.real
SLEEP = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sleep 1000\n"
STUBBORN = "import signal,time\nfor s in (15,): signal.signal(s, signal.SIG_IGN)\ntime.sleep(1000)\n"
UNITS = {
    "plain.service": SLEEP,
    "again.service": SLEEP + "Restart=always\nRestartSec=300ms\n",
    "once.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
    "bad.service": "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStartPre=/bin/false\nExecStart=/bin/sleep 1\n",
    "dead.service": "[Unit]\nStartLimitIntervalSec=1h\nStartLimitBurst=1\n[Service]\nExecStart=/bin/sleep 1000\n",
    "silent.service": "[Service]\nType=notify\nExecStart=/bin/sleep 1000\n",
    "child.service": "[Unit]\nRequires=bad-parent.service\nAfter=bad-parent.service\n" + SLEEP.removeprefix("[Unit]\n"),
    "bad-parent.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n",
    "stubborn.service": "[Service]\nExecStart=/usr/bin/python3 /run/stubborn.py\n",
    "reloads.service": SLEEP + "ExecReload=/bin/touch /run/reloaded\n",
    "refuses.service": SLEEP + "ExecReload=/bin/false\n",
    "web@.service": SLEEP,
    "tick.timer": "[Timer]\nOnActiveSec=100ms\nAccuracySec=1ms\nUnit=once.service\n",
    "quiet.socket": "[Socket]\nListenStream=/run/quiet\nService=quiet.service\n",
    "quiet.service": SLEEP,
    "never.service": "[Unit]\nConditionPathExists=/nowhere\n" + SLEEP.removeprefix("[Unit]\n"),
}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A folder at the same place inside and outside: what a unit writes there, the agent reads."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def system(boot, shared):
    with boot(f"--bind={shared}") as booted:
        for name, text in UNITS.items():
            (booted.root / "run/systemd/system" / name).write_text(text)
        (booted.root / "run/stubborn.py").write_text(STUBBORN)
        (booted.root / "run/systemd/system/also.service").symlink_to("plain.service")
        wants = booted.root / "run/systemd/system/plain.service.wants"
        wants.mkdir()
        (wants / "never.service").symlink_to("../never.service")  # what nobody refers to is forgotten with its past
        booted.run("systemctl", "daemon-reload")
        booted.run("systemctl", "mask", "--runtime", "hidden.service")
        yield booted


@pytest.fixture
async def drivers(system):
    made = Drivers(SystemClock())
    yield made
    await made.close()


@pytest.fixture
def manager(system, drivers):
    return drivers.systemd(system.bus)


@pytest.fixture
def target(system):
    def make(name, **spec):
        return Target(kind="unit", name=name, organ="heart", spec={"bus": system.bus, **spec})

    return make


@pytest.fixture
def order(target):
    def make(name, generation="", timeout=10.0, params=None, **spec):
        return Order(
            intent="0" * 64, target=target(name, **spec), params=params or {}, timeout=timeout, generation=generation
        )

    return make


@pytest.fixture
async def seen(manager, target):
    """Looks at a unit: ``await seen(name)`` gives values by metric; what cannot be known is its reason."""

    async def look(name, **spec):
        sensor = UnitSensor(target(name, **spec), manager, SystemClock())
        readings = await sensor.look(time.monotonic())
        assert sensor.garbage == 0
        return {one.metric: one.because if isinstance(one, Unknown) else one.value for one in readings}

    return look


class Ears:
    """A sensor that hears what is pushed."""

    def __init__(self, target, manager):
        self.sensor, self.pushed = UnitSensor(target, manager, SystemClock()), []

    async def __aenter__(self):
        await self.sensor.open(lambda readings: self.pushed.append((time.monotonic(), readings)))
        await self.sensor.look(0.0)
        return self

    async def __aexit__(self, *_):
        await self.sensor.close()

    async def looks_again(self, patience=10.0):
        """Look at intervals, as the agent does, until that is possible again."""
        end = time.monotonic() + patience
        while time.monotonic() < end:
            with contextlib.suppress(SensorError):
                return await self.sensor.look(0.0)
            await asyncio.sleep(0.1)
        raise AssertionError(self.sensor._systemd.status())

    async def until(self, true, patience=5.0):
        """The first push that holds, with when it came."""
        end, at = time.monotonic() + patience, 0
        while time.monotonic() < end:
            for when, readings in self.pushed[at:]:
                at += 1
                if true({one.metric: one for one in readings}):
                    return when, {one.metric: one for one in readings}
            await asyncio.sleep(0.002)
        raise AssertionError([[str(one) for one in readings[:4]] for _, readings in self.pushed])


def outside(system, inside):
    """The number, out here, of a process of the system."""
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):
            spaces = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()[1:]
            same = (status.parent / "ns/pid").readlink() == Path(f"/proc/{system.pid}/ns/pid").readlink()
            if same and spaces[1:] and spaces[-1] == str(inside):
                return int(status.parent.name)
    raise AssertionError(f"{inside} does not run")


async def kill(system, manager, name):
    """KILL its main process, from outside and behind systemd's back; returns when."""
    os.kill(outside(system, (await manager.unit(f"{name}.service")).pid), 9)
    return time.monotonic()


def owner(drivers):
    return UnitOwner(drivers.systemd)


# ---------------------------------------------------------------------------------------------------- looking


async def test_what_is_not_there_masked_or_at_rest_is_told_apart(seen):
    gone, masked, once = await seen("nosuch"), await seen("hidden"), await seen("once")
    assert (gone["unit.load"], gone["unit.up"]) == ("not-found", 0)
    assert (masked["unit.load"], masked["unit.up"]) == ("masked", 0)
    assert (once["unit.state"], once["unit.up"], once["unit.generation"]) == ("inactive", 1, "")
    stopped = await seen("plain")
    assert (stopped["unit.up"], stopped["unit.failed"], stopped["unit.state"]) == (0, 0, "inactive")
    assert stopped["unit.cpu"] == stopped["unit.memory"] == stopped["unit.tasks"] == 0


async def test_what_runs_says_since_when_and_which_incarnation_it_is(seen, system):
    system.run("systemctl", "start", "plain")
    found = await seen("plain")
    invocation = system.run("systemctl", "show", "plain", "--property=InvocationID", "--value").stdout.strip()
    assert (found["unit.up"], found["unit.sub"], found["unit.generation"]) == (1, "running", invocation)
    assert 0 <= found["unit.uptime"] < 60
    assert found["unit.restarts"] == 0
    assert await seen("also") == found | {"unit.uptime": pytest.approx(found["unit.uptime"], abs=5)}  # its alias
    for metric in ("unit.cpu", "unit.memory", "unit.tasks"):  # never a made-up number where nobody counts
        assert isinstance(found[metric], str) or found[metric] >= 0


async def test_a_service_that_its_socket_starts_is_neither_up_nor_down_at_rest(seen, system):
    system.run("systemctl", "start", "quiet.socket")
    assert (await seen("quiet.socket"))["unit.up"] == 1
    assert "quiet.socket starts it" in (await seen("quiet"))["unit.up"]


async def test_conditions_that_do_not_hold_are_no_fault(seen, system):
    system.run("systemctl", "start", "plain")  # it wants never: what nobody refers to is forgotten, with its past
    system.run("systemctl", "start", "never")
    assert "conditions" in (await seen("never"))["unit.up"]


async def test_a_timer_says_when_it_last_fired(seen, system):
    assert "not fired" in (await seen("tick.timer"))["unit.triggered"]
    system.run("systemctl", "start", "tick.timer")
    system.wait_until(
        "it fired",
        lambda: ":" in system.run("systemctl", "show", "tick.timer", "--property=LastTriggerUSec").stdout,
    )
    found = await seen("tick.timer")
    assert 0 <= found["unit.triggered"] < 30
    assert found["unit.up"] == 1
    assert found["unit.cpu"] == 0


async def test_a_death_is_told_at_once_and_is_conclusive(system, manager, target):
    system.run("systemctl", "restart", "plain")
    async with Ears(target("plain"), manager) as ears:
        killed = await kill(system, manager, "plain")
        when, told = await ears.until(lambda told: getattr(told["unit.state"], "value", "") == "failed")
        assert when - killed < 0.5
        assert told["unit.up"].value == 0
        assert told["unit.failed"].value == 1
        assert told["unit.up"].conclusive
        assert told["unit.generation"].value == ""
        assert (told["unit.result"].value, told["unit.exit_code"].value) == ("signal", 137)


async def test_a_death_that_systemd_itself_mends_is_never_told_as_one(system, manager, target):
    system.run("systemctl", "start", "again")
    async with Ears(target("again"), manager) as ears:
        before = (await manager.unit("again.service")).generation
        await kill(system, manager, "again")
        _, told = await ears.until(lambda told: getattr(told["unit.sub"], "value", "") == "auto-restart")
        assert isinstance(told["unit.up"], Unknown)
        _, back = await ears.until(
            lambda told: getattr(told["unit.up"], "value", 0) == 1 and told["unit.generation"].value != before
        )
        assert back["unit.restarts"].value == 1
        told = [{one.metric: getattr(one, "value", None) for one in readings} for _, readings in ears.pushed]
        assert not [(one["unit.state"], one["unit.sub"]) for one in told if one["unit.up"] == 0]
    system.run("systemctl", "stop", "again")


async def test_a_restart_by_somebody_else_is_a_transition(system, manager, target):
    system.run("systemctl", "restart", "plain")
    async with Ears(target("plain"), manager) as ears:
        before = (await manager.unit("plain.service")).generation
        system.run("systemctl", "restart", "plain")
        await ears.until(
            lambda told: getattr(told["unit.up"], "value", 0) == 1 and told["unit.generation"].value != before
        )
        ups = [one for _, told in ears.pushed for one in told if one.metric == "unit.up"]
        assert not [one for one in ups if not isinstance(one, Unknown) and one.value == 0]


async def test_a_unit_that_vanishes_and_comes_back_is_another_incarnation(system, seen):
    file = system.root / "run/systemd/system/comes.service"
    file.write_text(SLEEP)
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "start", "comes")
    first = await seen("comes")
    system.run("systemctl", "stop", "comes")
    file.unlink()
    system.run("systemctl", "daemon-reload")
    gone = await seen("comes")
    assert (gone["unit.up"], gone["unit.load"], gone["unit.generation"]) == (0, "not-found", "")
    file.write_text(SLEEP)
    system.run("systemctl", "daemon-reload")
    system.run("systemctl", "start", "comes")
    assert (await seen("comes"))["unit.generation"] not in ("", first["unit.generation"])


async def test_news_forged_by_another_client_is_no_news(system, manager, target):
    from dbus_fast import Message, MessageType, Variant
    from dbus_fast.aio import MessageBus

    system.run("systemctl", "restart", "plain")
    async with Ears(target("plain"), manager) as ears:
        ours = (await manager._link.get())._bus.unique_name
        forger = await MessageBus(bus_address=system.bus).connect()
        lie = {"ActiveState": Variant("s", "failed"), "SubState": Variant("s", "failed")}
        await forger.send(
            Message(
                message_type=MessageType.SIGNAL,
                destination=ours,
                path="/org/freedesktop/systemd1/unit/plain_2eservice",
                interface="org.freedesktop.DBus.Properties",
                member="PropertiesChanged",
                signature="sa{sv}as",
                body=[f"{NAME}.Unit", lie, []],
            )
        )
        await manager.health()  # what was sent before has been heard by now
        await asyncio.sleep(0.05)
        assert ears.pushed == []
        forger.disconnect()


# ----------------------------------------------------------------------------------------------------- acting


async def test_a_dead_unit_is_restarted_and_is_another_incarnation(system, manager, drivers, order):
    system.run("systemctl", "restart", "plain")
    before = (await manager.unit("plain.service")).generation
    with pytest.raises(ActionError, match="another incarnation"):
        await owner(drivers).restart(order("plain", generation="f" * 32))
    fresh = await owner(drivers).restart(order("plain", generation=before))
    assert fresh not in ("", before)
    await kill(system, manager, "plain")
    system.wait_until("it is dead", lambda: system.run("systemctl", "is-failed", "plain", check=False).returncode == 0)
    again = await owner(drivers).restart(order("plain", generation=""))
    assert again not in ("", fresh)
    assert (await manager.unit("plain.service")).state == "active"


async def test_start_leaves_alone_what_runs_and_stop_stops(system, manager, drivers, order):
    system.run("systemctl", "restart", "plain")
    running = (await manager.unit("plain.service")).generation
    assert await owner(drivers).start(order("plain", generation=running)) == running
    await owner(drivers).stop(order("plain", generation=running))
    assert (await manager.unit("plain.service")).state == "inactive"
    assert await owner(drivers).start(order("plain")) != running
    assert await owner(drivers).start(order("once")) == ""  # it ran, and is done


async def test_what_ignores_the_stop_signal_is_killed_after_its_grace(system, manager, drivers, order):
    system.run("systemctl", "start", "stubborn")
    await asyncio.sleep(0.3)  # until it ignores the signal
    running = (await manager.unit("stubborn.service")).generation
    begun = time.monotonic()
    await owner(drivers).stop(order("stubborn", generation=running, params={"grace": 0.5}))
    assert 0.4 < time.monotonic() - begun < 5
    found = await manager.unit("stubborn.service")
    assert (found.state, found.result) == ("failed", "signal")


@pytest.mark.parametrize(
    ("name", "says", "transient"),
    [
        ("nosuch", "not found", False),
        ("hidden", "masked", False),
        ("bad", "ended at once", True),
        ("child", "dependency", True),
        ("silent", "had not ended within", True),
        ("never", "did not hold", False),
    ],
)
async def test_a_start_that_does_not_come_about_is_told_in_words(drivers, order, name, says, transient):
    with pytest.raises(ActionError, match=says) as caught:
        await owner(drivers).restart(order(name, timeout=1.0))
    assert caught.value.transient is transient


async def test_a_unit_started_too_often_says_who_holds_it_back(system, manager, drivers, order):
    system.run("systemctl", "start", "dead")
    running = (await manager.unit("dead.service")).generation
    with pytest.raises(ActionError, match="starts it no more") as caught:
        await owner(drivers).restart(order("dead", generation=running))
    assert "reset-failed" in caught.value.hint


async def test_reload_reads_the_configuration_again_in_the_same_incarnation(system, manager, drivers, order):
    reload = hands(Services(drivers=drivers, programs=None, clock=SystemClock()))["reload"]
    system.run("systemctl", "restart", "reloads", "refuses", "plain")
    running = (await manager.unit("reloads.service")).generation
    done = await reload.act(order("reloads", generation=running))
    assert done.generation == running
    assert (system.root / "run/reloaded").exists()
    for name, says in (("refuses", "failed"), ("plain", "not applicable")):
        with pytest.raises(ActionError, match=says):
            await reload.act(order(name, generation=(await manager.unit(f"{name}.service")).generation))


async def test_scale_starts_the_lowest_and_stops_the_highest_within_what_was_declared(
    system, manager, drivers, order, seen
):
    scale = hands(Services(drivers=drivers, programs=None, clock=SystemClock()))["scale"]
    bounds = {"instances": {"least": 1, "most": 3}}
    done = await scale.act(order("web@.service", params={"to": "2"}, **bounds))
    assert done.undo == {"to": "0"}
    done = await scale.act(order("web@.service", params={"to": "+5"}, **bounds))
    assert await manager.family("web@.service") == {f"web@{which}.service": "active" for which in (1, 2, 3)}
    assert done.undo == {"to": "2"}
    found = await seen("web@.service", **bounds)
    assert (found["unit.instances"], found["unit.up"]) == (3, 1)
    await scale.act(order("web@.service", params={"to": "0"}, **bounds))
    running = {name for name, state in (await manager.family("web@.service")).items() if state == "active"}
    assert running == {"web@1.service"}
    assert (await scale.act(order("web@.service", params={"to": "1"}, **bounds))).undo == {}
    with pytest.raises(ActionError, match="not declared"):
        await scale.act(order("plain", params={"to": "2"}))


async def test_limits_are_changed_within_bounds_and_put_back(system, manager, drivers, order):
    adjust = hands(Services(drivers=drivers, programs=None, clock=SystemClock()))["adjust"]
    system.run("systemctl", "restart", "plain")
    generation = (await manager.unit("plain.service")).generation

    def shown(*names):
        said = system.run("systemctl", "show", "plain", f"--property={','.join(names)}").stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    asked = {
        "cpu": "50%",
        "memory": "256MiB",
        "memory_high": "200MiB",
        "weight": "+20%",
        "io_weight": "200",
        "tasks": "40",
    }
    done = await adjust.act(order("plain", generation=generation, params=asked))
    assert shown("CPUQuotaPerSecUSec", "MemoryMax", "MemoryHigh", "CPUWeight", "IOWeight", "TasksMax") == {
        "CPUQuotaPerSecUSec": "500ms", "MemoryMax": str(256 * 2**20), "MemoryHigh": str(200 * 2**20),
        "CPUWeight": "120", "IOWeight": "200", "TasksMax": "40",
    }  # fmt: skip
    more = await adjust.act(order("plain", generation=generation, params={"cpu": "+50%"}))
    assert shown("CPUQuotaPerSecUSec") == {"CPUQuotaPerSecUSec": "750ms"}
    await adjust.act(order("plain", generation=generation, params=dict(more.undo)))
    assert shown("CPUQuotaPerSecUSec") == {"CPUQuotaPerSecUSec": "500ms"}
    system.run("systemctl", "set-property", "--runtime", "plain", "CPUWeight=300")
    back = await adjust.act(order("plain", generation=generation, params=dict(done.undo)))
    assert "left alone, since somebody else changed it: CPUWeight" in back.because
    assert shown("CPUQuotaPerSecUSec", "MemoryMax", "CPUWeight") == {
        "CPUQuotaPerSecUSec": "infinity", "MemoryMax": "infinity", "CPUWeight": "300"
    }  # fmt: skip
    with pytest.raises(ActionError, match="is not set"):
        await adjust.act(order("plain", generation=generation, params={"memory": "+10%"}))


@pytest.fixture
def run(system, drivers, shared):
    """Runs words in a unit of their own, as `run: {unit: true}` does."""

    def in_unit(name, command, timeout, grace):
        output = shared / f"{name}.out"
        manager = drivers.systemd(system.bus)
        return transient.run(manager, name, command, output=output, timeout=timeout, grace=grace)

    async def ran(*words, timeout=5.0, **params):
        target = Target(kind="unit", name="plain", organ="heart")
        told = Order(
            intent=f"{time.monotonic_ns():064x}"[::-1], target=target, timeout=timeout, generation="",
            params={"argv": list(words), "unit": True, "grace": 0.3, **params},
        )  # fmt: skip
        return told, await Run(cgroups.Cgroups(None, "not in this test"), in_unit).act(told)

    return ran


async def test_a_command_runs_in_a_unit_of_its_own_and_nothing_is_left_of_it(system, run, shared):
    told, done = await run("sh", "-c", "echo $HEALER_INTENT; setsid sleep 4321 & echo err >&2; cat /proc/self/cgroup")
    intent, *lines = done.output.decode().splitlines()
    assert intent == told.intent
    assert "err" in lines
    assert any(f"healer-run-{told.intent[:16]}.service" in line for line in lines)
    assert "4321" not in system.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    assert f"healer-run-{told.intent[:16]}" not in system.run("systemctl", "list-units", "--all", "--no-legend").stdout
    assert list(shared.glob("*.out")) == []


async def test_words_are_not_filled_in_and_exit_codes_are_judged_as_ever(run):
    _, done = await run("printf", "%s", "$HOME ${PATH} %n")
    assert done.output == b"$HOME ${PATH} %n"
    _, done = await run("sh", "-c", "exit 200", ok=(200,))
    assert done.rc == 200
    with pytest.raises(ActionError, match="exited with 78") as caught:
        await run("sh", "-c", "exit 78")
    assert not caught.value.transient
    with pytest.raises(ActionError, match="killed by signal 9"):
        await run("sh", "-c", "kill -9 $$")


async def test_a_command_that_does_not_end_is_killed_with_all_it_started(system, run):
    begun = time.monotonic()
    with pytest.raises(AmbiguousError, match="did not end within"):
        await run("sh", "-c", "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 9876' & sleep 9876", timeout=0.5)
    assert time.monotonic() - begun < 5
    assert "9876" not in system.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout


async def test_who_may_not_is_told_what_would_let_him(system, order):
    """Somebody who is not root is refused by polkit, without being asked for a password."""
    system.run("systemctl", "restart", "plain")
    made = Drivers(SystemClock())
    here = os.open(".", os.O_RDONLY)
    os.chdir(system.root / "run/dbus")  # the way there is closed to him; the bus itself is not
    try:
        os.setresuid(65534, 65534, 0)
        manager = made.systemd("unix:path=system_bus_socket")
        running = (await manager.unit("plain.service")).generation
    finally:
        os.setresuid(0, 0, 0)
        os.fchdir(here)
        os.close(here)
    told = order("plain", generation=running)
    told.target.spec["bus"] = "unix:path=system_bus_socket"
    with pytest.raises(ActionError, match="not permitted") as caught:
        await UnitOwner(made.systemd).restart(told)
    assert not caught.value.transient
    assert "polkit" in caught.value.hint
    await made.close()


# ---------------------------------------------------------------------------------------- the bus, the manager


async def test_a_dead_bus_is_seen_at_once_and_found_again(system, manager, target):
    system.run("systemctl", "restart", "plain")
    async with Ears(target("plain"), manager) as ears:
        system.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "dbus.service")
        _, told = await ears.until(lambda told: isinstance(told["unit.up"], Unknown))
        assert "bus went away" in told["unit.up"].because
        ears.pushed.clear()
        await ears.looks_again()
        await kill(system, manager, "plain")  # heard again over the new connection
        await ears.until(lambda told: getattr(told["unit.state"], "value", "") == "failed")
        assert manager.status().reconnects == 1


async def test_a_manager_that_executes_itself_anew_is_heard_again_at_once(system, manager, target):
    system.run("systemctl", "restart", "plain")
    async with Ears(target("plain"), manager) as ears:
        system.run("systemctl", "daemon-reexec")
        await ears.until(lambda told: getattr(told["unit.up"], "value", 0) == 1)
        await kill(system, manager, "plain")
        await ears.until(lambda told: getattr(told["unit.state"], "value", "") == "failed")
        assert manager.status().reconnects == 0


# ------------------------------------------------------------------------------------------- the whole agent

RULES = """
version: 1
rules:
  - id: unit-failed
    each: {kind: unit}
    when: unit.failed{target} == 1
    clear: unit.up{target} == 1
    mode: auto
    cooldown: 1s
    limits: [{max: 5, per: 1h}]
    then:
      - restart: {}
        verify: {when: "unit.up{target} == 1", within: 5s}
"""


def running(argv):
    agent = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said = []
    for line in agent.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            return agent
    raise AssertionError("".join(said))


def blind(argv):
    """Whether the agent says that it knows of neither unit, and why."""
    told = subprocess.run([*argv, "--json", "status"], capture_output=True, text=True, check=True).stdout
    states = [one["health"] for one in json.loads(told)["targets"] if one["id"].startswith("unit:")]
    return states == ["unknown", "unknown"] and "bus" in told


async def answered(manager, name):
    """A unit, as soon as systemd is on its bus: after a bus that died, that takes it a moment."""
    end = time.monotonic() + 15
    while True:
        try:
            return await manager.unit(name)
        except DriverError:
            assert time.monotonic() < end
            await asyncio.sleep(0.1)


async def test_the_agent_heals_a_killed_unit_and_nothing_when_the_bus_dies(system, manager, tmp_path):
    system.run("systemctl", "restart", "plain", "reloads")
    config = {
        "version": 1, "mode": "auto", "rules": {"files": ["r.yaml"], "default_mode": "auto"},
        "limits": {"saturation_psi": 1.0},
        "targets": [
            {"kind": "unit", "name": name, "organ": "heart", "bus": system.bus, "startup_grace": "100ms"}
            for name in ("plain", "reloads")
        ],
    }  # fmt: skip
    (tmp_path / "o.yaml").write_text(json.dumps(config))
    (tmp_path / "r.yaml").write_text(RULES)
    argv = [sys.executable, "-m", "healer", "--config", str(tmp_path / "o.yaml"), "--state-dir", str(tmp_path / "s")]

    def entries(*kinds):
        with Log.open(tmp_path / "s") as log:
            found = [canonical.decode(sealed.octets) for sealed in log.entries(0)]
        ours = {one["id"] for one in found if one["kind"] == "intent" and one["action"] == "restart"}
        return [entry for entry in found if entry["kind"] in kinds and entry["id"] in ours]

    agent = running([*argv, "run"])
    try:
        before = (await answered(manager, "plain.service")).invocation
        await asyncio.sleep(1.0)  # its first look
        killed = await kill(system, manager, "plain")
        while (await manager.unit("plain.service")).invocation == before:
            assert time.monotonic() - killed < 10
            await asyncio.sleep(0.001)
        took = time.monotonic() - killed
        system.wait_until("the cure is verified", lambda: entries("verdict"), 10)
        after = (await manager.unit("plain.service")).invocation
        # The bus dies, and with it all that is known of both units: that is no trouble of theirs.
        system.run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "dbus.service")
        system.wait_until("the loss is told", lambda: blind(argv), 10)
        await asyncio.sleep(1.0)
    finally:
        agent.terminate()
        agent.communicate(timeout=20)
    (intent,), (outcome,), (verdict,) = entries("intent"), entries("outcome"), entries("verdict")
    assert intent["action"] == "restart"
    assert intent["target"] == "unit:plain"
    assert outcome["generation"] == after
    assert verdict["result"] == "verified", (outcome, verdict)
    assert took < 2.0
