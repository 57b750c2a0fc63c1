import pytest

from healer.model.trigger import Accumulate, Heard, Missing, Together, Trigger


@pytest.mark.parametrize(
    ("trigger", "says"),
    [
        (Trigger(), "auto"),
        (Trigger(kind="manual"), "manual"),
        (Trigger(kind="schedule", cron="30 3 * * 7", tz="UTC"), "schedule 30 3 * * 7 (UTC)"),
        (
            Trigger(kind="event", topic="a.*", group_by=("x", "y"), accumulate=Accumulate(count=3, within=60.0)),
            "event a.*, 3 within 60s, by x and y",
        ),
        (
            Trigger(kind="event", together=Together(events=(Heard(topic="a"), Heard(topic="b")), within=5.0)),
            "event a and b, within 5s",
        ),
        (
            Trigger(kind="event", topic="a", missing=Missing(event=Heard(topic="b"), within=5.0), once_within=9.0),
            "event a, without b within 5s, once within 9s",
        ),
    ],
)
def test_it_says_what_it_waits_for(trigger, says):
    assert str(trigger) == says


def test_what_is_heard_is_the_event_or_each_of_several():
    both = (Heard(topic="a"), Heard(topic="b"))
    assert Trigger(kind="event", together=Together(events=both, within=5.0)).heard == both
    assert Trigger(kind="event", topic="a", filter={"n": 1}).heard == (Heard(topic="a", filter={"n": 1}),)
    assert Trigger(kind="manual").heard == ()
