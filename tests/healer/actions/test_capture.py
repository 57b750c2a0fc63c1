"""Evidence that was asked for is kept under its own hash, bounded, and holds no environment."""

import hashlib
import json

import pytest

from healer.actions import tellers
from healer.actions.capture import Capture
from healer.actions.evidence import Evidence
from healer.clock import SystemClock
from healer.drivers.catalog import Drivers
from healer.errors import ActionError


@pytest.fixture
def action(programs, tmp_path):
    told = tellers.tellers(programs, Drivers(SystemClock()))
    return Capture(Evidence(clock=SystemClock(), state_dir=tmp_path, tellers=told))


async def test_a_living_program_leaves_output_facts_and_a_hash(action, programs, order, tmp_path):
    generation = await programs.start("api", intent="canary-intent")
    done = await action.act(order(generation=generation))
    path = tmp_path / done.facts["file"]
    content = path.read_bytes()
    told = json.loads(content)
    assert hashlib.sha256(content).hexdigest() == done.facts["sha256"] == path.stem
    assert done.facts["sha256"] in done.because
    assert told["program"]["generation"] == generation
    assert "sleep" in told["processes"][generation.partition(".")[0]]["status"]
    assert "cpu" in told["host"]["pressure"]
    assert "HEALER_HOME" not in content.decode()
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_a_dead_one_leaves_what_the_agent_remembers(action, order, tmp_path):
    done = await action.act(order())
    told = json.loads((tmp_path / done.facts["file"]).read_bytes())
    assert told["program"]["pid"] is None
    assert told["processes"] == {}


async def test_evidence_is_never_larger_than_asked_for(action, programs, order, tmp_path):
    generation = await programs.start("api")
    done = await action.act(order({"max_size": 2000}, generation=generation))
    assert done.facts["size"] <= 2000
    left_out = json.loads((tmp_path / done.facts["file"]).read_bytes())["left_out"]
    assert {"host", "processes"} <= set(left_out)


async def test_a_folder_that_cannot_be_written_is_an_error(action, order, tmp_path):
    (tmp_path / "evidence").write_text("in the way")
    with pytest.raises(ActionError, match="cannot keep evidence"):
        await action.act(order())


def test_the_dry_run_is_a_sentence(action, order):
    assert action.would(order()) == "would keep evidence of program:api"
