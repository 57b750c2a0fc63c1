import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from healer.core.sequences import GROUPS, Ear
from healer.model.trigger import Accumulate, Heard, Missing, Together, Trigger


class Listened:
    """An ear, and a clock that wakes it when it asked to be."""

    def __init__(self, **trigger):
        self.alarms, self.starts = [], []
        topic = trigger.pop("topic", "" if "together" in trigger else "a")
        self.ear = Ear(Trigger(kind="event", topic=topic, **trigger), lambda at, name: self.alarms.append((at, name)))

    def until(self, now, *, included=True):
        while ripe := [one for one in self.alarms if one[0] < now or (included and one[0] == now)]:
            at, name = min(ripe)
            self.alarms.remove((at, name))
            if start := self.ear.ripe(name, at):
                self.starts.append((at, start))

    def hear(self, now, topic="a", **data):
        self.until(now, included=False)
        if self.ear.meant(topic, data) and (start := self.ear.hear(topic, data, now)):
            self.starts.append((now, start))
        return self

    @property
    def times(self):
        return [at for at, _ in self.starts]


def test_without_more_each_event_starts_it():
    heard = Listened()
    for now in (1, 2, 3):
        heard.hear(now)
    assert heard.times == [1, 2, 3]
    assert len(heard.ear) == 0


def test_so_many_within_the_time_start_it_and_the_count_begins_anew():
    heard = Listened(accumulate=Accumulate(count=3, within=10.0))
    for now in (0, 5, 11, 12, 13, 14, 15):
        heard.hear(now)
    assert heard.times == [12, 15]  # 0 is too old at 11; 5, 11, 12 are three; then 13, 14, 15


def test_the_count_includes_what_came_exactly_so_long_ago():
    assert Listened(accumulate=Accumulate(count=2, within=10.0)).hear(0).hear(10).times == [10]
    assert Listened(accumulate=Accumulate(count=2, within=10.0)).hear(0).hear(10.001).times == []


def test_groups_are_counted_apart():
    heard = Listened(accumulate=Accumulate(count=2, within=10.0), group_by=("user",))
    heard.hear(0, user="bob").hear(1, user="eve").hear(2).hear(3, user="bob")
    assert [(at, start.group) for at, start in heard.starts] == [(3, ("bob",))]


def test_a_flood_of_groups_costs_a_bounded_memory_and_is_counted():
    heard = Listened(accumulate=Accumulate(count=2, within=1e6), group_by=("user",))
    for number in range(GROUPS + 50):
        heard.hear(number, user=f"u{number}")
    assert len(heard.ear) == GROUPS
    assert heard.ear.dropped == 50
    heard.hear(2000, user="u60")  # the newest are kept
    heard.hear(2001, user="u0")  # the oldest are not
    assert [start.group for _, start in heard.starts] == [("u60",)]


def test_a_rule_that_counts_far_remembers_fewer_groups():
    heard = Listened(accumulate=Accumulate(count=1000, within=1e6), group_by=("user",))
    for number in range(200):
        heard.hear(number, user=number)
    assert len(heard.ear) == 20


def test_it_starts_after_the_quiet_and_once_for_all_that_came():
    heard = Listened(once_after=30.0)
    heard.hear(0, n=1).hear(10, n=2).hear(35, n=3)
    heard.until(64.9)
    assert heard.times == []
    heard.until(65)
    assert heard.times == [65]
    assert heard.starts[0][1].data == {"n": 3}
    heard.until(1000)
    assert heard.times == [65]


def test_an_event_after_the_quiet_was_over_does_not_undo_it():
    assert Listened(once_after=30.0).hear(0).hear(31).times == [30]


def test_a_flood_does_not_become_a_flood_of_wake_ups():
    heard = Listened(once_after=30.0)
    for number in range(1000):
        heard.hear(number / 100)
    assert len(heard.alarms) == 1


TOGETHER = Together(events=(Heard(topic="a"), Heard(topic="b"), Heard(topic="c", filter={"n": ">= 3"})), within=10.0)


def test_all_of_them_in_any_order_start_it():
    heard = Listened(together=TOGETHER).hear(0, "c", n=3).hear(1, "a").hear(2, "b")
    assert heard.times == [2]
    assert heard.starts[0][1].data == {"n": 3}
    assert len(heard.ear) == 0


def test_one_that_does_not_fit_or_came_too_early_is_missing():
    assert Listened(together=TOGETHER).hear(0, "a").hear(1, "b").hear(2, "c", n=2).times == []
    heard = Listened(together=TOGETHER).hear(0, "a").hear(9, "b").hear(10.5, "c", n=3)
    assert heard.times == []
    assert heard.hear(11, "a").times == [11]


def test_one_event_counts_once():
    twice = Together(events=(Heard(topic="a*"), Heard(topic="a*")), within=10.0)
    assert Listened(together=twice).hear(0).times == []
    assert Listened(together=twice).hear(0).hear(1).times == [1]


MISSING = Missing(event=Heard(topic="b"), within=10.0)


def test_what_did_not_follow_starts_it_and_what_did_does_not():
    heard = Listened(missing=MISSING)
    heard.hear(0, n=1).until(9.9)
    assert heard.times == []
    heard.until(10)
    assert heard.times == [10]
    assert heard.starts[0][1].data == {"n": 1}
    assert Listened(missing=MISSING).hear(0).hear(10, "b").times == []
    late = Listened(missing=MISSING).hear(0).hear(10.1, "b")
    assert late.times == [10]


def test_the_wait_begins_at_the_first_and_is_not_prolonged():
    heard = Listened(missing=MISSING).hear(0).hear(5).hear(9)
    heard.until(100)
    assert heard.times == [10]


def test_what_follows_ends_the_wait_of_its_own_group_only():
    heard = Listened(missing=MISSING, group_by=("job",)).hear(0, job="x").hear(0, job="y").hear(1, "b", job="x")
    heard.until(100)
    assert [start.group for _, start in heard.starts] == [("y",)]


def test_a_beat_that_stays_away_is_missed():
    beat = Listened(missing=Missing(event=Heard(topic="a"), within=10.0))
    for now in (0, 8, 16):
        beat.hear(now)
    beat.until(25.9)
    assert beat.times == []
    beat.until(100)
    assert beat.times == [26]


def test_what_was_counted_goes_on_under_another_configuration():
    heard, later = Listened(missing=MISSING), Listened(missing=MISSING)
    heard.hear(0)
    later.ear.take_over(heard.ear)
    later.until(50)
    assert later.times == [10]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("ab"), st.sampled_from("xy")), max_size=30).map(
        lambda events: sorted(events, key=lambda event: event[0])
    ),
    st.integers(2, 4),
    st.integers(1, 12),
    st.integers(0, 6),
)
def test_it_is_what_counting_by_hand_says(events, count, within, quiet):
    """Groups x and y, counted by hand: the sliding count, and the quiet time after it."""
    heard = Listened(accumulate=Accumulate(count=count, within=float(within)), group_by=("g",), once_after=float(quiet))
    for now, topic, name in events:
        heard.hear(now, topic, g=name)
    heard.until(1000)
    wanted = []
    for name in "xy":
        kept, full = [], []
        for now in [now for now, topic, group in events if topic == "a" and group == name]:
            kept = [*(one for one in kept if one >= now - within), now]
            if len(kept) == count:
                full, kept = [*full, now], []
        followed = zip(full, [*full[1:], 10_000], strict=False)
        wanted += [at + quiet for at, after in followed if after > at + quiet or not quiet]
    assert sorted(heard.times) == sorted(wanted)


@pytest.mark.parametrize("data", [{"g": None}, {"g": [1]}, {}, {"g": {"a": 1}}])
def test_what_cannot_be_grouped_is_counted_with_nobody(data):
    heard = Listened(accumulate=Accumulate(count=2, within=10.0), group_by=("g",))
    assert heard.hear(0, **data).hear(1, **data).times == []
    assert len(heard.ear) == 0
