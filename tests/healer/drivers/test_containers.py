"""The engine's words taken apart; a real one is in tests/integration."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers.containers import WATCHED, Event, OddError, describe, greeting, measure, nanoseconds, read_event

FOUND = {
    "Id": "0123456789abcdef", "Name": "/web", "RestartCount": 3,
    "State": {"Status": "running", "Running": True, "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": 0},
    "HostConfig": {"RestartPolicy": {"Name": "always"}},
}  # fmt: skip


def test_a_description_is_understood():
    container = describe(FOUND)
    assert (container.name, container.state, container.health, container.restarts) == ("web", "running", "none", 3)
    assert container.generation == "0123456789ab.2026-01-01T00:00:00Z"
    assert container.exit_code is None
    assert container.policy == "always"


@pytest.mark.parametrize(
    ("status", "running", "code"), [("exited", False, 7), ("created", False, None), ("restarting", True, None)]
)
def test_an_exit_code_is_of_a_run_that_ended(status, running, code):
    state = {"Status": status, "Running": running, "ExitCode": 7, "Health": {"Status": "starting"}}
    container = describe({**FOUND, "State": state})
    assert container.exit_code == code
    assert container.generation == ""
    assert container.health == "starting"


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(
            st.sampled_from(["Id", "Name", "State", "Status", "Action", "Actor", "Attributes", "cpu_stats", "usage"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)


@given(junk=st.dictionaries(st.sampled_from(["Id", "Name", "State", "HostConfig", "RestartCount"]), JUNK))
def test_any_other_description_is_an_engine_that_cannot_be_understood(junk):
    try:
        describe(junk)
    except OddError:
        return


@given(JUNK)
def test_any_junk_of_events_and_measures_is_nothing(junk):
    event = read_event(junk)
    assert event is None or event.what in WATCHED
    assert measure(junk) is None
    with pytest.raises(OddError):
        describe([junk])


def test_memory_leaves_out_the_cache_it_would_give_back():
    cpu = {"cpu_usage": {"total_usage": 1_500_000_000}}
    v2 = {"cpu_stats": cpu, "memory_stats": {"usage": 1000, "stats": {"inactive_file": 300}}}
    v1 = {"cpu_stats": cpu, "memory_stats": {"usage": 1000, "stats": {"total_inactive_file": 100}}}
    assert measure(v2).memory == 700
    assert measure(v1).memory == 900
    assert measure(v1).cpu == 1.5
    assert measure({"cpu_stats": cpu, "memory_stats": {}}) is None


def raw(action, **about):
    return {"Type": "container", "Action": action, "Actor": {"ID": "abc", "Attributes": {"name": "web", **about}}}


def test_events_are_understood():
    assert read_event(raw("die", exitCode="137")) == Event(
        what="die", id="abc", name="web", exit_code=137, container=None
    )
    assert read_event(raw("health_status: unhealthy")).what == "health_status"
    assert read_event(raw("exec_die")) is None
    assert read_event(raw("die", exitCode="²")).exit_code is None


def test_what_bounds_it_is_understood():
    host = {"NanoCpus": 5 * 10**8, "Memory": 1 << 20, "PidsLimit": None, "CpuShares": 512, "MemorySwap": -1}
    limits = describe({**FOUND, "HostConfig": host}).limits
    assert (limits.nano_cpus, limits.memory, limits.pids, limits.cpu_shares) == (5 * 10**8, 1 << 20, 0, 512)
    assert limits.memory_swap == -1


def test_the_engines_times_are_nanoseconds_and_its_year_one_is_never():
    assert nanoseconds("1970-01-01T00:00:01.5Z") == 1_500_000_000
    assert nanoseconds("1970-01-01T01:00:00.000000001+01:00") == 1
    assert nanoseconds("2026-11-20T20:09:45.112065125Z") % 10**9 == 112065125
    for never in ("0001-01-01T00:00:00Z", "", "yesterday", "2026-11-20T20:09:45"):
        assert nanoseconds(never) is None


@given(JUNK)
def test_any_junk_is_no_greeting_or_one_without_words(junk):
    try:
        hello = greeting(junk)
    except OddError:
        return
    assert isinstance(hello.engine, str)
    assert hello.at >= 0
