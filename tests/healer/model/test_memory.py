"""What must not be forgotten, and in which time it is remembered."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healer.model.memory import KEPT_SECONDS, Breaker, Frame, Incident, Maintenance, Memory, Streak

BOOT, WALL = 100.0, 1_000_000.0


class Writer:
    """Entries as the core makes them, folded one after the other."""

    def __init__(self, memory=None):
        self.memory = memory or Memory()
        self.at, self.wall, self.boot, self.entries = BOOT, WALL, "boot-1", []

    def note(self, kind, **fields):
        entry = {
            "v": 1, "kind": kind, "ts": round(self.wall * 1e6), "mono": round(self.at * 1e6), "boot": self.boot,
            "node": "n", **fields,
        }  # fmt: skip
        self.entries.append(entry)
        self.memory.apply(entry)

    def wait(self, seconds):
        self.at += seconds
        self.wall += seconds

    def reboot(self, *, passed, at=5.0):
        self.boot, self.at, self.wall = f"{self.boot}+", at, self.wall + passed

    def intent(self, number=1, **more):
        self.note(
            "intent",
            **{
                "id": f"i-{number}", "corr": "r@t", "rule": "r", "target": "t", "action": "restart", "step": 0,
                "attempt": 1, "generation": "g1", **more,
            },
        )  # fmt: skip

    def outcome(self, number=1, result="done", **more):
        self.note("outcome", id=f"i-{number}", result=result, **more)

    def verdict(self, number=1, result="verified"):
        self.note("verdict", id=f"i-{number}", result=result)

    def incident(self, to, **more):
        self.note("state", subject="incident:r@t", to=to, because="b", rule="r", target="t", **more)


@pytest.fixture
def log():
    return Writer()


# The fold ------------------------------------------------------------------------------------------------------


def test_an_intent_holds_its_target_until_its_verdict(log):
    log.incident("firing")
    log.intent()
    assert log.memory.busy("t").id == "i-1"
    assert (log.memory.running(), log.memory.incidents["r@t"].phase) == (1, "acting")
    log.wait(2)
    log.outcome(generation="g2")
    assert log.memory.busy("t").generation_after == "g2"
    assert (log.memory.running(), log.memory.incidents["r@t"].phase) == (0, "verifying")
    log.verdict()
    assert log.memory.busy("t") is None
    assert log.memory.incidents["r@t"].phase == "firing"
    assert log.memory.streaks["r@t"] == Streak(actions=1, failures=0, last_end=102.0)
    assert log.memory.verdicts == {"verified": 1}


@pytest.mark.parametrize("result", ["stale", "cancelled", "refused", "skipped"])
def test_what_did_not_happen_consumes_nothing(log, result):
    log.incident("firing")
    log.intent()
    log.outcome(result=result)
    assert (log.memory.acted, log.memory.streaks, log.memory.breakers, log.memory.intents) == ([], {}, {}, {})
    assert log.memory.incidents["r@t"].phase == "firing"


@pytest.mark.parametrize("result", ["unverified", "failed-transient", "failed-permanent", "ambiguous", "interrupted"])
def test_what_failed_consumes_and_counts(log, result):
    log.intent()
    log.outcome(result=result)
    assert log.memory.intents["i-1"].ended == BOOT, "until the verdict it is held"
    log.verdict(result=result)
    assert len(log.memory.acted) == 1
    assert log.memory.breakers["restart@t"].failures == 1
    assert log.memory.streaks["r@t"].failures == 1


def test_a_success_forgets_the_failures_before_it_but_does_not_close_an_open_breaker(log):
    for number, result in enumerate(["unverified", "unverified", "verified"], 1):
        log.intent(number)
        log.outcome(number)
        log.verdict(number, result)
    assert log.memory.breakers["restart@t"].failures == 0
    assert log.memory.streaks["r@t"] == Streak(actions=3, failures=0, last_end=BOOT)
    log.note("state", subject="breaker:restart@t", to="open", because="5 failures")
    log.intent(4)
    log.outcome(4)
    log.verdict(4)
    assert log.memory.breakers["restart@t"].open
    log.note("state", subject="breaker:restart@t", to="closed", because="ack")
    assert log.memory.breakers["restart@t"] == Breaker(failures=0, open=False, changed=BOOT)


def test_quiet_verbs_consume_no_limit_but_begin_a_cooldown(log):
    log.intent(action="notify")
    log.wait(1)
    log.outcome()
    assert log.memory.acted == []
    assert log.memory.streaks["r@t"] == Streak(actions=0, failures=0, last_end=101.0)


def test_outcomes_and_verdicts_of_the_unknown_change_nothing(log):
    before = log.memory.to_json()
    log.outcome(9)
    log.verdict(9)
    after = log.memory.to_json()
    del before["frame"], after["frame"]
    assert before == after


def test_the_counter_never_goes_back(log):
    log.intent(7)
    log.intent(3)
    assert log.memory.counter == 7


def test_an_incident_keeps_its_opening_and_its_step_through_its_phases(log):
    log.incident("firing")
    log.wait(5)
    log.incident("firing", step=2)
    assert log.memory.incidents["r@t"] == Incident(
        rule="r", target="t", phase="firing", opened=BOOT, since=105.0, step=2
    )
    log.incident("given-up")
    assert (log.memory.incidents["r@t"].step, log.memory.incidents["r@t"].opened) == (2, BOOT)
    log.incident("inactive")
    assert not log.memory.incidents
    log.incident("inactive")


def test_a_gate_is_remembered_once_per_incident(log):
    log.note("withheld", corr="r@t", gate="mode")
    log.incident("firing")
    for gate in ("mode", "limit", "mode"):
        log.note("withheld", corr="r@t", gate=gate)
    assert log.memory.incidents["r@t"].withheld == ["mode", "limit"]


def test_brakes_modes_rules_and_states_are_folded(log):
    log.note("mode", scope="agent", mode="observe")
    log.note("mode", scope="organ:heart", mode="off")
    log.note("mode", scope="agent", mode="configured")
    log.note("state", subject="kill_switch", to="on", because="b")
    log.note("state", subject="safe_mode", to="on", because="3 of 4")
    log.note("state", subject="rule:r", to="disabled", because="b")
    log.note("state", subject="target:program:api", to="fault", because="b")
    log.note("state", subject="agent", to="paused", because="b")
    log.note("rules", accepted=True, hash="h1")
    log.note("rules", accepted=False, hash="h2")
    log.note("lifecycle", phase="start")
    memory = log.memory
    assert (memory.modes, memory.kill_switch, memory.safe_mode) == ({"organ:heart": "off"}, True, "3 of 4")
    assert (memory.disabled, memory.states) == ({"r": True}, {"program:api": "fault", "agent": "paused"})
    assert (memory.rules_hash, memory.clean_stop) == ("h1", False)
    log.note("state", subject="kill_switch", to="off", because="b")
    log.note("state", subject="safe_mode", to="off", because="b")
    log.note("state", subject="rule:r", to="enabled", because="b")
    log.note("lifecycle", phase="adopted")
    log.note("lifecycle", phase="stop")
    assert (memory.kill_switch, memory.safe_mode, memory.disabled, memory.clean_stop) == (False, "", {"r": False}, True)


def test_a_window_begins_and_ends(log):
    window = {"selector": {"kind": "unit"}, "owner": "ann", "reason": "why", "until_us": 5}
    log.note("maintenance", id="m-1", op="add", **window)
    assert log.memory.maintenance["m-1"] == Maintenance(**window, opened=True)
    log.note("maintenance", id="m-1", op="end", **window)
    log.note("maintenance", id="m-1", op="end", **window)
    assert not log.memory.maintenance


def test_a_streak_that_is_over_is_forgotten_but_not_when_it_ended(log):
    log.memory.streaks["r@t"] = Streak(actions=3, failures=2, last_end=50.0)
    log.note("state", subject="streak:r@t", to="0", because="healthy")
    log.note("state", subject="streak:nobody@t", to="0", because="healthy")
    assert log.memory.streaks == {"r@t": Streak(last_end=50.0)}, "a cooldown may be longer than what ends a streak"


@pytest.mark.parametrize("kind", ["heartbeat", "event", "evidence", "anchor", "never-heard-of"])
def test_entries_that_are_no_safety_state_move_only_the_clock(log, kind):
    log.wait(3)
    log.note(kind)
    assert log.memory == Memory(frame=log.memory.frame)
    assert log.memory.frame.mono_us == 103_000_000


def test_actions_older_than_any_limit_are_forgotten(log):
    log.intent(1)
    log.wait(KEPT_SECONDS + 1)
    log.intent(2)
    assert [acted.id for acted in log.memory.acted] == ["i-2"]


@pytest.mark.parametrize(
    ("scope", "times"), [("action+target", 1), ("target", 2), ("rule", 2), ("action", 3), ("host", 5)]
)
def test_what_was_taken_is_counted_by_scope(log, scope, times):
    log.intent(1)
    log.intent(2, action="stop", rule="other")
    log.intent(3, target="u", rule="other")
    log.intent(4, target="u")
    log.intent(5, target="u", rule="other", action="stop")
    taken = log.memory.taken(since=BOOT - 1, scope=scope, rule="r", target="t", action="restart")
    assert len(taken) == times
    assert log.memory.taken(since=BOOT, scope=scope, rule="r", target="t", action="restart") == []


# Time ----------------------------------------------------------------------------------------------------------


def remembering(*, boot="boot-1", mono=100.0, wall=1000.0, last_end=90.0, **frame):
    made = Frame(boot=boot, mono_us=round(mono * 1e6), wall_us=round(wall * 1e6), **frame)
    return Memory(frame=made, streaks={"r@t": Streak(actions=1, last_end=last_end)})


def rebase(memory, *, boot, mono, wall):
    memory.rebase(boot=boot, mono_us=round(mono * 1e6), wall_us=round(wall * 1e6))
    return memory.streaks["r@t"].last_end


@pytest.mark.parametrize("wall", [1.0, 1030.0, 99_999.0])
def test_a_restart_within_one_boot_moves_no_time_whatever_the_wall_clock_did(wall):
    assert rebase(remembering(), boot="boot-1", mono=130.0, wall=wall) == 90.0


def test_across_boots_the_time_in_between_is_the_difference_of_the_wall_clocks():
    last_end = rebase(remembering(), boot="boot-2", mono=5.0, wall=1060.0)
    assert last_end == pytest.approx(5.0 - 60.0 - 10.0)


def test_a_wall_clock_set_back_across_boots_makes_no_negative_time():
    assert rebase(remembering(), boot="boot-2", mono=5.0, wall=1.0) == pytest.approx(5.0 - 10.0)


def test_a_first_boot_moves_nothing():
    assert rebase(remembering(boot=""), boot="boot-1", mono=5.0, wall=1060.0) == 90.0


def test_every_time_moves_together_across_a_boot(log):
    log.incident("firing")
    log.intent(1)
    log.outcome(1)
    log.verdict(1, "unverified")
    log.intent(2)
    log.outcome(2, generation="g2")
    log.reboot(passed=60.0)
    log.note("heartbeat")
    memory, then = log.memory, 5.0 - 60.0
    assert [acted.at for acted in memory.acted] == [then, then]
    assert (memory.intents["i-2"].at, memory.intents["i-2"].ended) == (then, then)
    assert (memory.breakers["restart@t"].changed, memory.streaks["r@t"].last_end) == (then, then)
    assert (memory.incidents["r@t"].opened, memory.incidents["r@t"].since) == (then, then)


def test_a_jump_sealed_after_a_boot_takes_back_what_the_wall_clock_said_of_the_way_there(log):
    log.intent(1)
    log.outcome(1)
    log.verdict(1)
    log.reboot(passed=365 * 86400.0)  # its clock is wrong by a year
    log.note("lifecycle", phase="start")
    log.wait(1)
    log.intent(2)
    assert log.memory.acted[0].at < -3e7, "forgiven by a clock that was wrong"
    log.wall -= 365 * 86400.0
    log.wait(1)
    log.note("gap", because="the wall clock moved", data={})
    assert [acted.at for acted in log.memory.acted] == pytest.approx([5.0, 6.0])
    assert log.memory.streaks["r@t"].last_end == pytest.approx(5.0)
    log.note("gap", because="and again", data={})
    assert log.memory.acted[0].at == pytest.approx(5.0), "taken back once"


def test_after_a_sealed_jump_the_way_to_the_next_boot_counts_for_nothing(log):
    log.intent(1)
    log.wall -= 3600.0
    log.note("gap", because="the wall clock moved", data={})
    log.reboot(passed=7200.0)  # set right again at boot: nobody knows how long it took
    log.note("heartbeat")
    assert log.memory.acted[0].at == pytest.approx(5.0)
    log.reboot(passed=60.0)
    log.note("heartbeat")
    assert log.memory.acted[0].at == pytest.approx(-55.0), "the next boot had no jump"


def test_a_jump_within_one_boot_moves_no_time(log):
    log.intent(1)
    log.wall += 9999.0
    log.note("gap", because="the wall clock moved", data={})
    assert log.memory.acted[0].at == BOOT


@given(st.lists(st.tuples(st.sampled_from(["wait", "boot", "jump", "act"]), st.floats(-5000, 5000)), max_size=25))
@example([("act", 0.0), ("boot", 0.3046875), ("jump", 0.0), ("act", 0.0)])
def test_whatever_clocks_do_no_action_is_dated_in_the_future_and_their_order_stays(steps):
    log, number = Writer(), 0
    for what, amount in steps:
        if what == "wait":
            log.wait(abs(amount))
        elif what == "boot":
            log.reboot(passed=amount)
        elif what == "jump":
            log.wall += amount
            log.note("gap", because="jump", data={})
        else:
            number += 1
            log.intent(number)
        log.note("heartbeat")
        times = [acted.at for acted in log.memory.acted]
        assert times == sorted(times)
        assert all(at <= log.at + 1e-3 for at in times)


# Snapshots -----------------------------------------------------------------------------------------------------


def test_what_comes_back_from_a_snapshot_is_what_went_in(log):
    log.incident("firing")
    log.intent(1)
    log.outcome(1)
    log.verdict(1, "unverified")
    log.intent(2, action="stop")
    log.note("maintenance", id="m", op="add", selector={"all": True}, owner="a", reason="b", until_us=9)
    log.note("gap", because="jump", data={})
    written = json.loads(json.dumps(log.memory.to_json()))
    assert Memory.from_json(written) == log.memory
    assert Memory.from_json(written).to_json() == log.memory.to_json()


@pytest.mark.parametrize(
    "raw",
    [
        {"frame": {"boot": 1, "x": 2}},
        {"acted": [{"a": 1}]},
        {"more": 1},
        {"intents": [1]},
        {"acted": 5},
        {"frame": None},
    ],
)
def test_a_snapshot_of_something_else_is_refused(raw):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Memory.from_json({**Memory().to_json(), **raw})


@pytest.mark.parametrize("raw", [{}, {"frame": {}}])
def test_a_snapshot_that_lacks_a_part_is_refused(raw):
    with pytest.raises((KeyError, TypeError, ValueError)):
        Memory.from_json(raw)


@given(st.integers(0, 12))
def test_a_snapshot_in_the_middle_changes_nothing(cut):
    whole = Writer()
    whole.incident("firing")
    for number, result in enumerate(["unverified", "failed-transient", "verified"], 1):
        whole.intent(number)
        whole.wait(1)
        whole.outcome(number)
        whole.wait(1)
        whole.verdict(number, result)
    whole.incident("inactive")
    again = Memory()
    for number, entry in enumerate(whole.entries):
        if number == cut:
            again = Memory.from_json(json.loads(json.dumps(again.to_json())))
        again.apply(entry)
    assert again == whole.memory
