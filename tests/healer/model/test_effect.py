import dataclasses
import typing

import pytest

from healer.model.effect import Act, Cancel, Effect, Look, Note, Publish, Snapshot, Withhold


def test_everything_the_core_can_want_is_in_the_union():
    assert set(typing.get_args(Effect)) == {Act, Look, Withhold, Note, Publish, Cancel, Snapshot}


def test_an_effect_cannot_be_changed_once_it_is_wanted():
    for effect in (Look(target="t", because="b"), Note(kind="state", fields={}), Publish(topic="a.b"), Snapshot()):
        with pytest.raises((dataclasses.FrozenInstanceError, TypeError, AttributeError)):
            effect.because = "x"


def test_a_note_is_silent_unless_it_has_a_topic():
    assert Note(kind="state", fields={}).topic == ""
    assert dict(Publish(topic="a.b").data) == {}
