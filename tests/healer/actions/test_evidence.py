"""Evidence is kept before a cure of what lives, after one of what died; and no cure waits for it, or fails by it."""

import asyncio
import json
import os
import signal
import threading

import pytest

from healer.actions import evidence, tellers
from healer.actions.capture import Capture
from healer.actions.evidence import Evidence, Witness, packed
from healer.actions.owner import ProgramOwner
from healer.actions.restart import Restart
from healer.actions.stop import Stop
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.drivers.slot import Slot
from healer.errors import ActionError
from healer.model.target import Target
from healer.store import capsules


@pytest.fixture
def sealed():
    return []


@pytest.fixture
def kept(programs, tmp_path, sealed):
    return Evidence(
        clock=SystemClock(),
        state_dir=tmp_path,
        tellers=tellers.tellers(programs, Drivers(SystemClock())),
        glances=tellers.glances(programs, Drivers(SystemClock())),
        witness=Witness(
            seal=sealed.append,
            samples=lambda target: [{"metric": "program.up", "value": 0, "of": target}],
            redact=lambda value: json.loads(json.dumps(value, default=str).replace("hunter2", "[redacted]")),
        ),
    )


async def carried_out(action, order):
    """As dispatch does it."""
    await action.prepare(order)
    return await action.act(order)


async def until(true):
    async with asyncio.timeout(5):
        while not true():  # noqa: ASYNC110 - what is waited for is the kernel's, or a program's
            await asyncio.sleep(0.005)


def content(tmp_path, entry):
    return json.loads(capsules.read(tmp_path, entry["sha256"]))


async def died(programs, generation):
    os.kill(int(generation.split(".")[0]), signal.SIGKILL)
    await until(lambda: not programs.generation("api"))


async def test_a_living_program_is_written_about_before_it_is_restarted(kept, programs, order, tmp_path, sealed):
    first = await programs.start("api")
    done = await carried_out(Restart({"program": ProgramOwner(programs)}, kept), order(generation=first))
    assert done.generation != first
    told = content(tmp_path, sealed[0])
    assert told["when"] == "before"
    assert told["program"]["generation"] == first
    assert told["processes"].keys() == {first.split(".")[0]}
    assert told["samples"] == [{"metric": "program.up", "value": 0, "of": "program:api"}]
    assert sealed[0]["about"] == "program:api, before it was ended"
    assert sealed[0]["data"]["intent"] == order().intent
    assert sealed[0]["size"] == capsules.every(tmp_path)[0].size


async def test_stopping_is_written_about_too(kept, programs, order, sealed):
    generation = await programs.start("api")
    await carried_out(Stop({"program": ProgramOwner(programs)}, kept), order(generation=generation))
    assert [one["data"]["when"] for one in sealed] == ["before"]


async def test_a_death_is_written_about_once_the_cure_is_done(kept, programs, order, tmp_path, sealed):
    spec = {"command": ["sh", "-c", "echo last words; exec sleep 60"]}
    programs.declare([Target(kind="program", name="api", organ="heart", spec=spec)])
    first = await programs.start("api")
    await until(lambda: programs.output("api"))
    await died(programs, first)
    done = await carried_out(Restart({"program": ProgramOwner(programs)}, kept), order())
    assert done.generation != ""
    assert sealed == []
    await until(lambda: programs.output("api").count(b"last words") == 2)
    await kept.drain()
    told = content(tmp_path, sealed[0])
    assert told["when"] == "after"
    assert told["program"]["exit_code"] == -9
    assert told["program"]["because"].startswith("killed by signal 9")
    assert told["output"] == "last words\n"  # of the dead one: the new one has written the same by now
    assert told["processes"] == {}


async def test_deaths_are_written_about_by_the_one_who_runs_it(kept, programs, order, sealed, monkeypatch):
    monkeypatch.setattr(evidence, "_AFTER", 0.0)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(kept.run())
        kept.afterwards(order(), evidence.nothing)
        await until(lambda: sealed)
        task.cancel()


async def test_a_teller_that_hangs_costs_its_share_and_the_rest_is_kept(tmp_path, order, sealed, monkeypatch):
    monkeypatch.setattr(evidence, "BEFORE", 0.2)

    async def hangs(_order):
        await asyncio.sleep(60)

    kept = Evidence(
        clock=SystemClock(), state_dir=tmp_path, tellers={"program": hangs}, witness=Witness(seal=sealed.append)
    )
    async with asyncio.timeout(2):
        assert await kept.before(order(generation="1.2")) is not None
    told = content(tmp_path, sealed[0])
    assert "Timeout" in told["could_not_ask"]
    assert "cpu" in told["host"]["pressure"]


@pytest.mark.parametrize("trouble", ["folder", "teller", "seal", "samples"])
async def test_whatever_goes_wrong_with_evidence_the_cure_happens(trouble, programs, order, tmp_path):
    def fails(*_):
        raise RuntimeError("a bug")

    async def cannot(_order):
        raise RuntimeError("a bug")

    if trouble == "folder":
        (tmp_path / "evidence").write_text("in the way")
    kept = Evidence(
        clock=SystemClock(),
        state_dir=tmp_path,
        tellers={"program": cannot} if trouble == "teller" else {},
        glances={"program": fails} if trouble == "teller" else {},
        witness=Witness(**{trouble: fails}) if trouble in {"seal", "samples"} else None,
    )
    restart = Restart({"program": ProgramOwner(programs)}, kept)
    first = await programs.start("api")
    second = (await carried_out(restart, order(generation=first))).generation
    assert second not in ("", first)
    await died(programs, second)
    assert (await carried_out(restart, order())).generation not in ("", second)
    await kept.drain()


async def test_looks_that_hang_in_the_kernel_are_not_joined_by_ever_more(kept, order, monkeypatch, sealed):
    free, begun = threading.Event(), []

    def hangs():
        begun.append(1)
        free.wait(10)
        return {}

    monkeypatch.setattr(evidence, "BEFORE", 0.01)
    monkeypatch.setattr("healer.drivers.evidence.of_host", hangs)
    try:
        kept._tellers, kept._slot = {}, Slot("evidence", 2)
        for _ in range(3):
            assert await kept.before(order(generation="1.2", timeout=0.04)) is None
        assert len(begun) == 2
        with pytest.raises(ActionError, match="has not come back"):
            await Capture(kept).act(order(generation="1.2"))
    finally:
        free.set()


async def test_who_says_no_gets_none(kept, order, sealed):
    quiet = {"spec": {"evidence": {"keep": False}}}
    assert await kept.before(order(generation="1.2", **quiet)) is None
    kept.afterwards(order(**quiet), evidence.nothing)
    await kept.drain()
    assert sealed == []


async def test_a_flood_of_deaths_is_bounded_and_counted(kept, order):
    for _ in range(70):
        kept.afterwards(order(), evidence.nothing)
    assert kept.lost == 6


async def test_secrets_in_use_and_what_looks_like_one_are_taken_out(tmp_path, order, kept, sealed, programs):
    spec = {"command": ["sh", "-c", "echo key hunter2 --token abc123; exec sleep 60", "x", "--password", "s3cret"]}
    programs.declare([Target(kind="program", name="api", organ="heart", spec=spec)])
    generation = await programs.start("api")
    await until(lambda: programs.output("api"))
    await kept.before(order(generation=generation))
    text = capsules.read(tmp_path, sealed[0]["sha256"]).decode()
    for secret in ("hunter2", "abc123", "s3cret", "HEALER_INTENT"):
        assert secret not in text


async def test_declared_files_tell_when_they_changed(kept, order, tmp_path, sealed):
    (tmp_path / "app.conf").write_text("x")
    await kept.capture(order(spec={"evidence": {"files": (str(tmp_path / "app.conf"),)}}))
    assert [one["path"] for one in content(tmp_path, sealed[0])["files"]] == [str(tmp_path / "app.conf")]


@pytest.mark.parametrize("most", [10, 100, 1000, 100_000])
def test_what_is_too_much_is_left_out_from_the_least_telling_on(most):
    whole = {"target": "x", "output": "o" * 200, "host": "h" * 5000, "changes": "c" * 300}
    made, left_out = packed(whole, most)
    assert len(made) <= most
    assert left_out == {1000: ("changes", "host"), 100: ("changes", "host", "output"), 100_000: ()}.get(most, left_out)
