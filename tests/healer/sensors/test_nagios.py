"""Plugins run for real, ours in the place of theirs: every exit, silence, hostile figures."""

import sys

import pytest

from healer.clock import SystemClock
from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors.nagios import MOST_NAMES, NagiosSensor


def sensor(program, **spec):
    argv = [sys.executable, "-c", program]
    return NagiosSensor(
        Target(kind="nagios", name="p", organ="heart", spec={"argv": argv, "timeout": 5.0, **spec}), SystemClock()
    )


async def look(made):
    made = sensor(made) if isinstance(made, str) else made
    return {
        one.metric + "".join(f":{value}" for name, value in one.labels if name == "name"): one.because
        if isinstance(one, Unknown)
        else one.value
        for one in await made.look(1.0)
    }


@pytest.mark.parametrize(("code", "state", "ok"), [(0, "ok", 1), (1, "warning", 0), (2, "critical", 0)])
async def test_an_exit_is_a_state(code, state, ok):
    found = await look(f"print('DISK - fine | /=50%;80;90'); exit({code})")
    assert (found["nagios.state"], found["nagios.ok"]) == (state, ok)
    assert found["nagios.message"] == "DISK - fine"
    assert found["nagios.perf:/"] == 0.5
    assert found["nagios.latency"] > 0


async def test_a_plugin_that_cannot_tell_makes_ok_unknown_and_nothing_else():
    found = await look("print('no such host'); exit(3)")
    assert found["nagios.state"] == "unknown"
    assert found["nagios.ok"] == "the plugin says UNKNOWN: no such host"


@pytest.mark.parametrize(
    "ending", ["exit(4)", "exit(127)", "import os; os.kill(os.getpid(), 9)", "raise SystemExit(-1)"]
)
async def test_what_is_no_state_is_no_look(ending):
    with pytest.raises(SensorError, match="which is no state"):
        await look(f"print('hello'); {ending}")


async def test_one_that_hangs_or_talks_without_end_is_no_look():
    with pytest.raises(SensorError, match="did not end within"):
        await look(sensor("import time; time.sleep(60)", timeout=0.2))
    with pytest.raises(SensorError, match="more than"):
        await look("print('x' * 1000000)")


async def test_one_that_is_not_there_is_no_look():
    target = Target(kind="nagios", name="p", organ="heart", spec={"argv": ["/nonexistent/check_x"], "timeout": 5.0})
    with pytest.raises(SensorError, match="cannot run"):
        await look(NagiosSensor(target, SystemClock()))


async def test_it_speaks_the_language_of_figures():
    found = await look(sensor("import os; print(os.environ['LC_ALL'], os.environ['X'])", env={"X": "y"}))
    assert found["nagios.message"] == "C y"


async def test_a_figure_that_is_gone_is_unknown_at_once(tmp_path):
    said = tmp_path / "said"
    made = sensor(f"print(open({str(said)!r}).read())")
    said.write_text("OK | a=1 b=2")
    await look(made)
    said.write_text("OK | a=U")
    found = await look(made)
    assert found["nagios.perf:a"] == "the plugin cannot tell"
    assert "any more" in found["nagios.perf:b"]


async def test_garbage_is_counted_and_names_have_an_end(tmp_path):
    said = tmp_path / "said"
    made = sensor(f"print(open({str(said)!r}).read())")
    for turn in range(6):
        said.write_text("OK | " + " ".join(f"n{turn}_{number}=1" for number in range(60)) + " rubbish")
        found = await look(made)
    assert sum(name.startswith("nagios.perf:") for name in found) == MOST_NAMES
    assert found["nagios.garbage"] == 6 + 6 * 60 - MOST_NAMES


async def test_hostile_output_is_cleaned():
    found = await look(r"print('\x1b[31mred\x07 | \x1b=1 ok=1'); exit(0)")
    assert found["nagios.message"] == "[31mred"
    assert found["nagios.perf:ok"] == 1
    assert found["nagios.garbage"] == 1
