import inspect

import pytest

from healer import errors
from healer.errors import ActionError, AmbiguousError, ConfigError, HealerError


def test_every_error_has_the_one_root():
    found = [one for _, one in inspect.getmembers(errors, inspect.isclass)]
    assert all(issubclass(one, HealerError) for one in found)


@pytest.mark.parametrize(("hint", "text"), [("", "it broke"), ("mend it", "it broke (mend it)")])
def test_an_error_says_what_happened_and_what_to_do(hint, text):
    error = HealerError("it broke", hint=hint)
    assert (str(error), error.message, error.hint) == (text, "it broke", hint)


def test_an_action_may_be_tried_again_unless_it_says_otherwise():
    assert ActionError("x").transient
    assert not ActionError("x", transient=False).transient


def test_what_nobody_can_tell_is_never_tried_again():
    assert not AmbiguousError("the reply was lost").transient


def test_a_configuration_s_mistakes_come_with_it():
    assert ConfigError("2 mistakes", problems=("a:1:1: x", "b:2:2: y")).problems == ("a:1:1: x", "b:2:2: y")
