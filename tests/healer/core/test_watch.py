import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.core.watch import Economy, HarmonyWatch, Latch
from healer.errors import HealerError


def walk(watch, *harmonies):
    return [watch.step(harmony) for harmony in harmonies]


def test_harmony_warns_then_balances_then_recovers_each_once():
    watch = HarmonyWatch()
    assert walk(watch, 95, 79.9, 75, 69.9, 50, 71, 79, 84.9, 85, 99) == [
        [], ["harmony.warning"], [], ["harmony.balancing"], [], [], [], [], ["harmony.recovered"], [],
    ]  # fmt: skip


def test_a_fall_through_both_bounds_at_once_says_both():
    assert walk(HarmonyWatch(), 10) == [["harmony.warning", "harmony.balancing"]]


def test_the_bounds_themselves_are_still_good():
    assert walk(HarmonyWatch(), 80, 79.999, 70, 85) == [[], ["harmony.warning"], [], ["harmony.recovered"]]


def test_balancing_lasts_until_recovered():
    watch = HarmonyWatch()
    lasting = []
    for harmony in (60, 72, 81, 84, 85, 84):
        watch.step(harmony)
        lasting.append(watch.balancing)
    assert lasting == [True, True, True, True, False, False]


@pytest.mark.parametrize("unseen", [None, math.nan])
def test_unknown_harmony_moves_nothing(unseen):
    watch = HarmonyWatch()
    assert watch.step(unseen) == []
    watch.step(60)
    assert watch.step(unseen) == []
    assert watch.balancing


def test_a_restart_with_the_kept_state_does_not_warn_again():
    before = HarmonyWatch()
    before.step(75)
    assert HarmonyWatch(state=before.state).step(75) == []


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_warnings_and_recoveries_take_turns(harmonies):
    watch = HarmonyWatch()
    said = [word for harmony in harmonies for word in watch.step(harmony) if word != "harmony.balancing"]
    assert said[::2] == ["harmony.warning"] * len(said[::2])
    assert said[1::2] == ["harmony.recovered"] * len(said[1::2])


@pytest.mark.parametrize("bounds", [(60, 70, 85), (80, 70, 75), (80, 0, 85), (80, 70, 101), (math.nan, 70, 85)])
def test_bounds_in_no_order_are_refused(bounds):
    warn, balance, recovered = bounds
    with pytest.raises(HealerError, match="no order"):
        HarmonyWatch(warn=warn, balance=balance, recovered=recovered)


def held(latch, value, start, seconds):
    return [latch.step(value, float(at)) for at in range(start, start + seconds + 1)]


def test_a_latch_sets_only_after_holding_high():
    latch = Latch(high=0.6, low=0.4, set_after=10, clear_after=20)
    assert held(latch, 0.7, 0, 10) == [False] * 10 + [True]


def test_a_moment_of_relief_starts_the_wait_again():
    latch = Latch(high=0.6, low=0.4, set_after=10, clear_after=20)
    held(latch, 0.7, 0, 9)
    latch.step(0.6, 9.5)
    assert not any(held(latch, 0.7, 10, 9))


def test_a_latch_clears_only_after_holding_low():
    latch = Latch(high=0.6, low=0.4, set_after=0, clear_after=20)
    assert latch.step(0.7, 0.0)
    assert all(held(latch, 0.5, 1, 100))
    assert held(latch, 0.3, 102, 20) == [True] * 20 + [False]


@pytest.mark.parametrize("unseen", [None, math.nan])
def test_unknown_neither_sets_nor_clears(unseen):
    latch = Latch(high=0.6, low=0.4, set_after=10, clear_after=10)
    held(latch, 0.7, 0, 9)
    latch.step(unseen, 9.5)
    assert not latch.step(0.7, 10.0)
    latch.on = True
    assert all(held(latch, unseen, 20, 100))


def test_a_starved_host_sends_the_agent_into_economy_and_back():
    economy = Economy()
    said = [economy.step(float(at), cpu_pressure=0.9, own_cpu=0.01) for at in range(61)]
    assert said[-1] == ["profile.economy"]
    assert not any(said[:-1])
    assert economy.because == "CPU pressure of the host stayed above 60%"
    said = [economy.step(float(at), cpu_pressure=0.1, own_cpu=0.01) for at in range(61, 362)]
    assert said[-1] == ["profile.restored"]
    assert economy.because == ""


def test_an_agent_over_its_own_budget_makes_itself_small_also_without_psi():
    economy = Economy(budget=0.1)
    for at in range(61):
        economy.step(float(at), cpu_pressure=None, own_cpu=0.2)
    assert economy.on
    assert "more than 10% of a core" in economy.because
    for at in range(61, 362):
        economy.step(float(at), cpu_pressure=None, own_cpu=0.09)
    assert economy.on  # smaller, but only because it is in economy
    for at in range(362, 663):
        economy.step(float(at), cpu_pressure=None, own_cpu=0.01)
    assert not economy.on


def test_economy_lasts_until_both_causes_are_gone():
    economy = Economy(enter=0, leave=10)
    assert economy.step(0.0, cpu_pressure=0.9, own_cpu=0.9) == ["profile.economy"]
    assert " and " in economy.because
    said = [economy.step(float(at), cpu_pressure=0.0, own_cpu=0.9) for at in range(1, 30)]
    assert not any(said)
    assert economy.on
