"""What every action must say of itself."""

import pytest

from healer.actions.interface import Action, Done


def test_an_action_without_act_and_would_cannot_be_made():
    class Half(Action):
        verb = "half"

    with pytest.raises(TypeError, match="abstract"):
        Half()


def test_done_and_order_are_values(order):
    for value in (Done(because="x"), order()):
        with pytest.raises(AttributeError):
            value.because = "y"
