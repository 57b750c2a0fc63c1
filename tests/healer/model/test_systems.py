"""The verbs for systems of their own say whom they touch, and how what they change is put back."""

import pytest

from healer.model.kinds.catalog import KINDS
from healer.model.systems import VERBS


@pytest.mark.parametrize("name", sorted(VERBS))
def test_a_verb_touches_kinds_there_are_and_its_parameters_mean_something_to_some_of_them(name):
    verb = VERBS[name]
    assert set(verb.kinds) <= set(KINDS)
    for param in verb.params.values():
        assert set(param.kinds) <= set(verb.kinds)


def test_what_changes_a_target_for_a_time_can_be_given_its_former_values():
    assert all("back" in VERBS[name].params for name in ("adjust", "failover", "quarantine"))
