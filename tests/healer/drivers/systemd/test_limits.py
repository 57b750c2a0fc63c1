"""Limits and weights: what they become, within bounds, and how they are put back."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers.systemd import limits
from healer.drivers.systemd.limits import noted, planned, put_back
from healer.drivers.systemd.unit import UNSET
from healer.errors import ActionError
from healer.model.change import parse

MIB = 2**20


def plan(now=(), used=None, **changes):
    return planned({name: parse(text) for name, text in changes.items()}, dict(now), memory_used=used)


@pytest.fixture(autouse=True)
def host(monkeypatch):
    monkeypatch.setattr(limits.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(limits.psutil, "virtual_memory", lambda: type("M", (), {"total": 1024 * MIB}))


def test_amounts_become_systemd_s_numbers():
    assert plan(cpu="50%") == {"CPUQuotaPerSecUSec": 500_000}
    assert plan(cpu="2") == {"CPUQuotaPerSecUSec": 2_000_000}
    assert plan(memory="256MiB") == {"MemoryMax": 256 * MIB}
    assert plan(memory="25%") == {"MemoryMax": 256 * MIB}
    assert plan(weight="50%", io_weight="300", tasks="40") == {"CPUWeight": 50, "IOWeight": 300, "TasksMax": 40}


def test_changes_by_an_amount_start_from_what_is():
    assert plan([("CPUQuotaPerSecUSec", 500_000)], cpu="+20%") == {"CPUQuotaPerSecUSec": 600_000}
    assert plan([("CPUWeight", UNSET)], weight="+20%") == {"CPUWeight": 120}
    with pytest.raises(ActionError, match="MemoryMax= of it is not set") as caught:
        plan([("MemoryMax", UNSET)], memory="+20%")
    assert not caught.value.transient


def test_bounds_hold_on_both_sides():
    assert plan(cpu="1000%") == {"CPUQuotaPerSecUSec": 4_000_000}
    assert plan(cpu="0") == {"CPUQuotaPerSecUSec": 50_000}
    assert plan(memory="9TiB") == {"MemoryMax": 1024 * MIB}
    assert plan(memory="1B", tasks="0") == {"MemoryMax": 16 * MIB, "TasksMax": 16}
    assert plan(weight="99999", io_weight="0") == {"CPUWeight": 10000, "IOWeight": 1}


def test_what_was_declared_is_the_most():
    changes = {name: parse("+100%") for name in ("cpu", "memory", "memory_high", "tasks")}
    now = {"CPUQuotaPerSecUSec": 10**6, "MemoryMax": 100 * MIB, "MemoryHigh": 100 * MIB, "TasksMax": 50}
    bounds = {"cpu": 1.5, "memory": 128.0 * MIB, "tasks": 60}
    found = planned(changes, now, memory_used=None, bounds=bounds)
    assert found == {
        "CPUQuotaPerSecUSec": 1_500_000, "MemoryMax": 128 * MIB, "MemoryHigh": 128 * MIB, "TasksMax": 60
    }  # fmt: skip


def test_a_limit_below_what_it_uses_would_kill_it_and_is_refused():
    with pytest.raises(ActionError, match="would kill it"):
        plan(used=300 * MIB, memory="256MiB")
    assert plan(used=200 * MIB, memory="256MiB")
    assert plan(used=300 * MIB, memory_high="256MiB")  # that only slows it down


def test_former_values_are_put_back_unless_somebody_else_changed_them():
    former, new = {"CPUWeight": 100, "MemoryMax": UNSET}, {"CPUWeight": 120, "MemoryMax": 256 * MIB}
    note = noted(former, new)
    assert UNSET not in note.values()  # the log holds no such number
    assert put_back(note, new) == ({"CPUWeight": 100, "MemoryMax": UNSET}, [])
    assert put_back(note, {**new, "CPUWeight": 7}) == ({"MemoryMax": UNSET}, ["CPUWeight"])


@pytest.mark.parametrize("value", ["much", -1, True, None, 1.5, UNSET, [1]])
def test_a_note_that_is_none_is_refused(value):
    with pytest.raises(ActionError, match="no former value"):
        put_back({"CPUWeight": value}, {})


def test_a_note_touches_nothing_but_limits():
    assert put_back({"ExecStart": "x", "Description": 5}, {}) == ({}, [])


@given(
    st.sampled_from(sorted(limits.SETTINGS)),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 10**15 - 1),
    st.sampled_from(["", "%", "TiB"]),
    st.integers(0, UNSET),
)
def test_whatever_is_asked_stays_within_bounds(name, sign, amount, unit, now):
    setting = limits.SETTINGS[name]
    try:
        (value,) = plan([(setting.property, now)], **{name: f"{sign}{amount}{unit}"}).values()
    except ActionError:
        return
    assert setting.least * setting.per <= value <= (UNSET if math.isinf(setting.most) else setting.most * setting.per)
