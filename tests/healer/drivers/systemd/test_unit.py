"""What systemd says of a unit, read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers.systemd import unit as units
from healer.drivers.systemd.unit import UNSET, NoSense, describe

SAID = {"Id": "a.service", "LoadState": "loaded", "ActiveState": "active", "SubState": "running", "Restart": "no"}


def told(**changed):
    return describe({**SAID, **changed})


@pytest.mark.parametrize(
    ("changed", "standing"),
    [
        ({}, True),
        ({"ActiveState": "reloading"}, True),
        ({"ActiveState": "failed"}, False),
        ({"ActiveState": "inactive"}, False),
        ({"LoadState": "not-found", "ActiveState": "inactive"}, False),
        ({"LoadState": "masked", "ActiveState": "active"}, False),
        ({"ActiveState": "inactive", "Type": "oneshot"}, True),
        ({"ActiveState": "inactive", "Type": "oneshot", "RemainAfterExit": True}, False),
        ({"ActiveState": "activating", "Type": "oneshot"}, True),
        ({"ActiveState": "failed", "Type": "oneshot"}, False),
    ],
)
def test_it_is_up_or_down(changed, standing):
    assert told(**changed).standing() is standing


@pytest.mark.parametrize(
    ("changed", "because"),
    [
        ({"ActiveState": "activating"}, "it is activating"),
        ({"ActiveState": "deactivating"}, "it is deactivating"),
        ({"ActiveState": "activating", "SubState": "auto-restart"}, "about to start it again"),
        ({"ActiveState": "inactive", "Job": (7, "/j")}, "has a job for it"),
        ({"ActiveState": "failed", "Job": [7, "/j"]}, "has a job for it"),
        ({"ActiveState": "inactive", "TriggeredBy": ["a.socket"]}, "a.socket starts it"),
        ({"ActiveState": "inactive", "ConditionResult": False, "ConditionTimestamp": 5}, "conditions"),
    ],
)
def test_in_transition_or_at_rest_nobody_can_say(changed, because):
    assert because in told(**changed).standing()


def test_a_failure_with_a_job_under_way_is_none_yet():
    assert told(ActiveState="failed").failed
    assert not told(ActiveState="failed", Job=[7, "/j"]).failed


def test_whether_systemd_starts_it_again_is_open_after_a_death_under_a_policy():
    assert told(ActiveState="failed", Restart="always").open
    assert not told(ActiveState="failed", Restart="always", Result="start-limit-hit").open
    assert not told(ActiveState="failed").open
    assert not told(ActiveState="active", Restart="always").open


def test_an_incarnation_lasts_as_long_as_the_run():
    run = bytes(range(16))
    assert told(InvocationID=run).generation == run.hex()
    assert told(InvocationID=list(run)).generation == run.hex()
    assert told(InvocationID=run, ActiveState="failed").generation == ""
    for nonsense in (b"", b"\0" * 16, b"1" * 15, "text", [1] * 16 + [999], [1, "x"], None, 7):
        assert told(InvocationID=nonsense).generation == ""


def test_numbers_that_are_none_are_unknown():
    found = told(
        CPUUsageNSec=UNSET, MemoryCurrent=UNSET, TasksCurrent=True, NRestarts=-1, MainPID="x", LastTriggerUSec=0
    )
    assert (found.cpu, found.memory, found.tasks, found.restarts, found.pid) == (None, None, None, None, 0)
    assert found.triggered is found.since is None
    assert told(CPUUsageNSec=1_500_000_000).cpu == 1.5
    assert told(LastTriggerUSec=2_000_000).triggered == 2.0


def test_how_it_ended_is_one_number():
    assert told(ExecMainCode=1, ExecMainStatus=3).exit_code == 3
    assert told(ExecMainCode=2, ExecMainStatus=9).exit_code == 137
    assert told(ExecMainCode=3, ExecMainStatus=11).exit_code == 139
    assert told(ExecMainCode=0, ExecMainStatus=0).exit_code is None


@pytest.mark.parametrize("name", ["Id", "LoadState", "ActiveState", "SubState"])
@pytest.mark.parametrize("value", [None, 7, "", b"active", ["active"]])
def test_what_lacks_what_every_unit_has_makes_no_sense(name, value):
    with pytest.raises(NoSense):
        told(**{name: value})


@given(
    st.dictionaries(st.sampled_from(units.KEPT), st.none() | st.booleans() | st.integers() | st.text() | st.binary())
)
def test_whatever_is_said_is_read_or_makes_no_sense(said):
    try:
        found = describe({**SAID, **said})
    except NoSense:
        return
    assert isinstance(found.standing(), bool | str)
    assert isinstance(found.generation, str)


def test_names_have_an_ending_and_a_path():
    assert units.full("nginx") == "nginx.service"
    assert units.full("web@1") == "web@1.service"
    assert units.full("org.example.thing") == "org.example.thing.service"
    assert units.full("a.timer") == "a.timer"
    assert units.path("a-b@1.service") == "/org/freedesktop/systemd1/unit/a_2db_401_2eservice"
    assert units.path("7up.service").endswith("/_37up_2eservice")


def test_templates_and_their_instances_are_told_apart():
    assert units.template("web@1.service") == units.template("web@.service") == "web@.service"
    assert units.is_template("web@.service")
    assert not units.is_template("web@1.service")
    assert units.template("web.service") == units.template("@.service") == ""
    assert not units.is_template("web.service")
    assert units.instance("web@.service", 3) == "web@3.service"
