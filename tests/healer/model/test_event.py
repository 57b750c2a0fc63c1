import typing

from healer.model.decision import Outcome, Result
from healer.model.event import Asked, Event, Finished, Happened, Looked, Sealed, Tick


def test_everything_the_core_can_hear_is_in_the_union():
    assert set(typing.get_args(Event)) == {Looked, Sealed, Finished, Asked, Tick, Happened}


def test_what_happens_is_not_our_own_doing_unless_it_says():
    assert not Happened(topic="deploy.done", at=1.0).own
    assert dict(Happened(topic="deploy.done", at=1.0).data) == {}


def test_a_look_that_came_back_failed_for_no_reason():
    assert Looked(sensor="host", at=1.0).because == ""
    outcome = Outcome(id="i-1", result=Result.DONE, because="", at=1.0, took=0.0)
    assert Finished(outcome=outcome).outcome.rc is None
