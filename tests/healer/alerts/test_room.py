"""Conversations with the room: this is wrong now, so that is told to those, once."""

import dataclasses
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from healer.alerts import box as boxes
from healer.alerts import case as cases
from healer.alerts.room import Room
from healer.model.alert import Message, Policy, Trouble


def down(name, severity="warning", about="failure", **more):
    return Trouble(
        key=f"target:{name}", about=about, severity=severity, says=f"{name} is down: refused", target=name, **more
    )


class Talk:
    """A room with a clock: what it wants told is delivered at once, unless somebody says otherwise."""

    def __init__(self, others=(), **policies):
        self.room = Room({name: policy or Policy() for name, policy in policies.items()}, others)
        self.now = 1000.0
        self.wrong: dict[str, Trouble] = {}
        self.dead: set[str] = set()
        """Channels that deliver nothing."""
        self.said: list[tuple[float, str, str]] = []
        self.messages = []

    def is_wrong(self, *troubles):
        self.wrong |= {one.key: one for one in troubles}

    def is_well(self, *names):
        for name in names:
            self.wrong.pop(f"target:{name}", None)

    def passes(self, seconds, **how):
        """Time passes, with a look every two seconds; returns what was said meanwhile."""
        before = len(self.said)
        until = self.now + seconds
        while self.now < until:
            self.now += 2.0
            self.look(**how)
        return [(channel, says) for _, channel, says in self.said[before:]]

    def look(self, **how):
        for flight in self.room.step(self.wrong, self.now, **how):
            self._send(flight)

    def _send(self, flight):
        while flight is not None:
            if flight.channel not in self.dead:
                self.said.append((self.now, flight.channel, flight.message.says))
                self.messages.append(flight.message)
                self.room.delivered(flight.message.id, self.now)
                return
            flight = self.room.failed(flight.message.id, "no answer", self.now)


@pytest.fixture
def talk():
    return Talk(oncall=Policy())


def test_one_trouble_is_one_message_and_its_end_is_another(talk):
    talk.is_wrong(down("web"))
    assert talk.passes(3600) == [("oncall", "web is down: refused")]
    talk.is_well("web")
    assert talk.passes(3600) == [("oncall", "over after 60 min: web is down: refused")]
    assert talk.room.cases == {}


def test_what_comes_and_goes_faster_than_the_wait_is_told_all_the_same(talk):
    for _ in range(5):
        talk.is_wrong(down("web"))
        talk.passes(6)
        talk.is_well("web")
        talk.passes(6)
    assert [says for _, _, says in talk.said] == ["it comes and goes: web is down: refused"]


def test_what_comes_within_the_wait_is_one_message(talk):
    talk.is_wrong(down("a"))
    talk.passes(4)
    talk.is_wrong(down("b"), down("c", "critical"))
    assert talk.passes(60) == [("oncall", "3 targets failed: c, a, b")]
    assert talk.messages[0].severity == "critical"
    assert talk.messages[0].lines[0].startswith("critical: c is down: refused (for ")


def test_what_is_over_within_the_wait_is_not_told(talk):
    talk.is_wrong(down("web"))
    talk.passes(6)
    talk.is_well("web")
    assert talk.passes(600) == []


def test_what_is_back_before_its_end_was_told_never_ended(talk):
    talk.is_wrong(down("web"))
    assert len(talk.passes(60)) == 1
    talk.is_well("web")
    talk.passes(4)
    talk.is_wrong(down("web"))
    assert talk.passes(600) == []


def test_only_what_gets_worse_is_told_again(talk):
    talk.is_wrong(down("web"))
    talk.passes(60)
    talk.is_wrong(down("web", "critical"))
    assert talk.passes(60) == [("oncall", "worse: web is down: refused")]
    talk.is_wrong(down("web", "warning"))
    assert talk.passes(60) == []


def test_a_channel_hears_what_it_asked_for_and_nothing_else():
    talk = Talk(
        pager=Policy(least="critical"), discs=Policy(about=("exhaustion",)), quiet=Policy(resolved=False, wait=0.0)
    )
    talk.is_wrong(down("web"), down("db", "critical"), down("disk", about="exhaustion"))
    said = talk.passes(60)
    assert [one for one in said if one[0] == "pager"] == [("pager", "db is down: refused")]
    assert [one for one in said if one[0] == "discs"] == [("discs", "disk is down: refused")]
    talk.is_well("web", "db", "disk")
    assert {channel for channel, _ in talk.passes(60)} == {"pager", "discs"}


def test_it_is_told_again_until_somebody_knows(talk):
    talk.is_wrong(down("web"))
    assert len(talk.passes(4 * 3600 + 60)) == 2
    assert talk.said[-1][2] == "still, for 4 h: web is down: refused"
    assert talk.room.ack("web", "uid:0") == 1
    assert talk.passes(86400) == []
    talk.is_well("web")
    assert len(talk.passes(60)) == 1  # that it is over is still told


def test_what_nobody_acknowledges_goes_to_the_next_and_what_somebody_does_does_not():
    talk = Talk(mail=Policy(), boss=Policy(after=900.0))
    talk.is_wrong(down("web"), down("db"))
    assert [channel for channel, _ in talk.passes(800)] == ["mail"]
    talk.room.ack("target:web", "uid:0")
    assert talk.passes(300) == [("boss", "db is down: refused")]
    talk.is_well("web", "db")
    assert [channel for channel, _ in talk.passes(60)] == ["mail", "boss"]


def test_an_acknowledgement_lasts_as_long_as_the_trouble(talk):
    talk.is_wrong(down("web"))
    talk.passes(60)
    talk.room.ack("alerts", "uid:0")
    talk.is_well("web")
    talk.passes(600)
    talk.is_wrong(down("web"))
    assert talk.passes(60) == [("oncall", "web is down: refused")]
    assert not talk.room.knows("nothing")
    assert talk.room.knows("web")


def test_what_comes_and_goes_is_told_as_that_and_then_left_in_peace(talk):
    for _ in range(20):
        talk.is_wrong(down("web"))
        talk.passes(40)
        talk.is_well("web")
        talk.passes(40)
    assert "it comes and goes: web is down: refused" in [says for _, _, says in talk.said]
    assert len(talk.said) <= 8  # two each until it is found out, and then none
    assert talk.passes(cases.CALM + 600)[-1][1].startswith("over after ")


def test_ten_thousand_that_fail_within_a_minute_are_one_message():
    talk = Talk(oncall=Policy(), pager=Policy(least="critical", wait=0.0))
    for batch in range(30):
        talk.is_wrong(*(down(f"http:site-{batch}-{number}") for number in range(334)))
        talk.passes(2)
    talk.passes(12)
    assert [says for _, _, says in talk.said] == [
        "10020 targets failed: http:site-0-0, http:site-0-1, http:site-0-10 and 10017 more"
    ]
    (message,) = talk.messages
    assert len(message.text) < 6000
    assert message.lines[20] == "and 10000 more: 10000 http"
    talk.wrong.clear()
    talk.passes(14)
    assert [says for _, _, says in talk.said[1:]] == [
        "10020 are well again: http:site-0-0, http:site-0-1, http:site-0-10 and 10017 more"
    ]
    talk.now += cases.FLAP_WINDOW
    talk.passes(4)
    assert talk.room.cases == {}


def test_ten_thousand_troubles_fit_into_little_memory():
    wrong = {one.key: one for one in (down(f"http:site-{number}") for number in range(10_000))}
    room = Room({"oncall": Policy(wait=0.0)})
    tracemalloc.start()
    try:
        flights = [flight for now in (0.0, 5.0) for flight in room.step(wrong, now)]
        room.delivered(flights[0].message.id, 6.0)
        assert tracemalloc.get_traced_memory()[1] < 16_000_000
    finally:
        tracemalloc.stop()


def test_more_troubles_than_there_is_room_for_are_counted(talk, monkeypatch):
    monkeypatch.setattr("healer.alerts.room.MOST_CASES", 200)
    talk.is_wrong(*(down(f"x{number}") for number in range(205)))
    talk.passes(16)
    assert len(talk.room.cases) == 200
    assert "and 5 more that there is no room for" in talk.messages[0].lines


def test_a_trickle_of_failures_is_told_less_and_less_often(talk):
    for number in range(240):
        talk.is_wrong(down(f"t{number}"))
        talk.passes(15)
    assert len(talk.said) <= 14  # in an hour


def test_a_channel_that_fails_hands_over_and_then_to_the_journal():
    talk = Talk(mail=None, chat=Policy(least="critical"), others=("sms",))
    talk.dead = {"mail"}
    talk.is_wrong(down("web"))
    assert talk.passes(60) == [("chat", "web is down: refused")]
    assert talk.messages[0].lines[-1] == "mail was not told: no answer"
    talk.dead = {"mail", "chat"}
    talk.is_wrong(down("db"))
    assert talk.passes(60) == [("sms", "db is down: refused")]


def test_the_journal_alone_is_nobody_and_it_is_tried_again():
    talk = Talk(mail=None)
    talk.dead = {"mail"}
    talk.is_wrong(down("web"))
    assert talk.passes(60) == [("journal", "web is down: refused")]
    assert 3 <= len(talk.passes(3600)) <= 8  # again, and less and less often
    talk.dead = set()
    assert talk.passes(boxes.LONGEST_RETRY + 10) == [("mail", "web is down: refused")]
    assert talk.passes(3600) == []


def test_who_was_told_anyway_is_not_told_for_another():
    talk = Talk(mail=None, chat=None)
    talk.dead = {"mail"}
    talk.is_wrong(down("web"))
    assert talk.passes(3600) == [("chat", "web is down: refused")]


def test_nobody_at_all_to_tell_is_tried_again_later():
    talk = Talk(mail=None)
    talk.dead = {"mail", "journal"}
    talk.is_wrong(down("web"))
    assert talk.passes(60) == []
    talk.dead = set()
    assert talk.passes(120) == [("mail", "web is down: refused")]


def test_a_channel_is_not_told_of_itself():
    talk = Talk(mail=None, chat=None)
    talk.is_wrong(Trouble(key="channel:mail", about="sight", severity="warning", says="mail delivers nothing"))
    assert talk.passes(60) == [("chat", "mail delivers nothing")]


def test_maintenance_mutes_what_it_covers_and_tells_afterwards_what_is_still_bad(talk):
    covered = {"web", "db"}
    talk.is_wrong(down("web"), down("db"), down("mail"))
    how = {"muted": lambda trouble: trouble.target in covered}
    assert talk.passes(600, **how) == [("oncall", "mail is down: refused")]
    talk.is_well("db")
    talk.passes(60, **how)
    covered.clear()
    assert talk.passes(60, **how) == [("oncall", "web is down: refused")]


def test_what_nobody_can_see_any_more_is_not_over(talk):
    talk.is_wrong(down("web"))
    talk.passes(60)
    talk.is_well("web")
    assert talk.passes(600, unknown={"target:web"}) == []
    assert len(talk.passes(60)) == 1


def test_what_flutters_is_no_trouble_until_it_lasts(talk):
    talk.is_wrong(down("organ", settle=30.0))
    assert talk.passes(30) == []
    assert len(talk.passes(30)) == 1


def test_under_the_kill_switch_only_that_is_told(talk):
    switch = Trouble(key="brakes:kill", about="brakes", severity="warning", says="the switch is on", unsealed=True)
    talk.is_wrong(down("web"), switch)
    flights = []
    for _ in range(20):
        talk.now += 2.0
        flights += talk.room.step(talk.wrong, talk.now, silent=True)
    assert [(one.message.says, one.direct) for one in flights] == [("the switch is on", True)]
    talk.room.delivered(flights[0].message.id, talk.now)
    talk.wrong.pop("brakes:kill")
    assert len(talk.passes(60)) == 1
    assert "web is down" in talk.said[0][2]


def test_a_message_on_its_way_is_not_sent_again(talk):
    talk.is_wrong(down("web"))
    (flight,) = [one for _ in range(20) for one in talk.room.step(talk.wrong, talk.now + _ * 2)]
    assert talk.room.step(talk.wrong, talk.now + 600) == []
    assert talk.room.overdue(talk.now + 600, 120.0) == [flight.message.id]
    talk.room.failed("no such message", "", talk.now)
    talk.room.delivered("no such message", talk.now)


def test_all_of_one_trouble_is_one_thread(talk):
    talk.is_wrong(down("web"), down("db"))
    talk.passes(60)
    talk.is_wrong(down("web", "critical"))
    talk.passes(60)
    talk.is_well("web")
    talk.passes(60)
    first, second, third = talk.messages
    assert first.thread == ()
    assert second.thread == (first.id,)
    assert third.thread == (first.id, second.id)
    assert len({one.id for one in talk.messages}) == 3


def test_a_rule_that_told_of_it_has_told_of_it(talk):
    talk.is_wrong(down("web"))
    talk.passes(4)
    talk.room.told_by_rule("oncall", "target:web", "warning", "leaf", talk.now)
    assert talk.passes(600) == []
    talk.is_well("web")
    assert len(talk.passes(60)) == 1
    assert talk.messages[0].thread == ("leaf",)


def test_what_a_rule_said_before_it_was_seen_here_counts_and_how_loud_it_was(talk):
    talk.room.told_by_rule("oncall", "target:web", "critical", "leaf", talk.now)
    talk.room.told_by_rule("nobody", "target:web", "critical", "leaf", talk.now)
    talk.is_wrong(down("web"))
    assert talk.passes(60) == []
    talk.is_wrong(down("web", "critical"))
    assert talk.passes(60) == []
    talk.is_wrong(down("db"))
    assert len(talk.passes(60)) == 1
    talk.room.told_by_rule("oncall", "target:db", "critical", "leaf2", talk.now)
    talk.is_wrong(down("db", "critical"))
    assert talk.passes(60) == []
    for number in range(5000):
        talk.room.told_by_rule("oncall", f"target:{number}", "critical", "leaf", talk.now)
    assert len(talk.room._early) == 1000
    talk.now += 61.0
    talk.is_wrong(down("4999"))
    assert len(talk.passes(60)) == 1  # said too long ago to be about this


def test_a_restart_tells_nothing_again_and_forgets_no_acknowledgement(talk):
    talk.is_wrong(down("web"), down("db"))
    talk.passes(60)
    talk.room.ack("db", "uid:0")
    kept = json.loads(json.dumps(talk.room.kept(talk.now)))
    after = Talk(oncall=Policy())
    after.now = 5.0  # another boot
    after.room.take_up(kept, after.now, 120.0)
    after.is_wrong(*talk.wrong.values())
    assert after.passes(3600) == []
    assert after.passes(4 * 3600) == [("oncall", "still, for 4 h: web is down: refused")]
    after.is_well("web", "db")
    assert len(after.passes(60)) == 1
    assert len({one.id for one in (*talk.messages, *after.messages)}) == 3


def test_of_a_mass_only_so_much_is_written_down(talk):
    talk.is_wrong(*(down(f"x{number}") for number in range(5000)))
    talk.passes(16)
    assert len(talk.room.kept(talk.now)["cases"]) == 2000


@pytest.mark.parametrize(
    "raw", [{}, {"count": "x", "cases": {}}, {"count": 1, "cases": []}, {"count": 1, "cases": {"k": {"trouble": 3}}}]
)
def test_what_cannot_be_read_back_is_told_again(talk, raw):
    talk.room.take_up(raw, talk.now, 0.0)
    talk.is_wrong(down("web"))
    assert len(talk.passes(60)) == 1


def test_a_severity_nobody_knows_is_not_taken_up(talk):
    talk.is_wrong(down("web"))
    talk.passes(60)
    kept = talk.room.kept(talk.now)
    kept["cases"]["target:web"]["trouble"]["severity"] = "apocalyptic"
    after = Talk(oncall=Policy())
    after.room.take_up(kept, after.now, 0.0)
    assert after.room.cases == {}


def test_a_reload_goes_on_where_it_was(talk):
    talk.is_wrong(down("web"))
    talk.passes(60)
    talk.room.renew({"oncall": Policy(wait=30.0), "chat": Policy()})
    assert talk.passes(60) == [("chat", "web is down: refused")]
    talk.room.renew({"chat": Policy()})
    talk.is_well("web")
    assert [channel for channel, _ in talk.passes(60)] == ["chat"]


def test_what_is_open_is_reported_with_who_knows(talk):
    talk.is_wrong(down("web"), down("db", "critical"))
    talk.passes(60)
    talk.room.ack("web", "uid:0")
    report = talk.room.report(talk.now)
    assert [(one["key"], one["acked"], one["told"]) for one in report] == [
        ("target:db", "", ["oncall"]),
        ("target:web", "uid:0", ["oncall"]),
    ]


NAMES = st.sampled_from("abc")
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("wrong"), NAMES, st.sampled_from(("warning", "critical"))),
        st.tuples(st.just("well"), NAMES),
        st.tuples(st.just("passes"), st.integers(1, 400)),
        st.tuples(st.just("ack"), NAMES),
        st.tuples(st.just("dead"), st.booleans()),
    ),
    max_size=25,
)


@hypothesis_settings(max_examples=30, deadline=None)
@given(MOVES)
def test_whatever_happens_who_was_told_it_is_bad_is_told_it_is_over(moves):
    talk = Talk(oncall=Policy(repeat=0.0))
    for move, *what in moves:
        if move == "wrong":
            talk.is_wrong(down(*what))
        elif move == "well":
            talk.is_well(*what)
        elif move == "ack":
            talk.room.ack(what[0], "me")
        elif move == "dead":
            talk.dead = {"oncall"} if what[0] else set()
        else:
            talk.passes(what[0])
    talk.dead = set()
    talk.wrong.clear()
    talk.passes(4000)
    assert all(told.over for case in talk.room.cases.values() for told in case.told.values())
    assert talk.room.report(talk.now) == []
    talk.is_wrong(down("a"))
    assert talk.passes(3000)  # and what comes then is told


def test_a_trouble_is_a_value():
    with pytest.raises(dataclasses.FrozenInstanceError):
        down("x").key = "y"


def message(number, severity="warning"):
    return Message(id=f"r{number}", severity=severity, says=f"t{number} is down")


def test_what_rules_say_too_fast_goes_out_as_one_and_is_handed_over():
    talk = Talk(others=("hook", "other"))
    for number in range(1000):
        talk.room.collect("hook", message(number, "critical" if number == 7 else "warning"), talk.now)
    assert talk.passes(58) == []
    assert talk.passes(10) == [("hook", "rules said 1000 things within a minute, the first: t0 is down")]
    (one,) = talk.messages
    assert (one.severity, one.lines[-1], len(one.lines)) == ("critical", "and 980 more", 21)
    talk.dead = {"hook"}
    talk.room.collect("hook", message(1), talk.now)
    assert [channel for channel, _ in talk.passes(70)] == ["other"]
    talk.dead = {"hook", "other"}
    talk.room.collect("hook", message(1), talk.now)
    assert [channel for channel, _ in talk.passes(70)] == ["journal"]
    assert talk.passes(600) == []
    assert talk.room.overdue(talk.now + 1e6, 1.0) == []
