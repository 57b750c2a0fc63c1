import re

import pytest

from healer.model.kinds.catalog import KINDS
from healer.model.kinds.matching import MATCHED_IN, PATTERN_NAME, matching


@pytest.mark.parametrize("kind", MATCHED_IN)
def test_kinds_whose_patterns_have_names_tell_of_each(kind):
    assert set(matching(kind)) <= set(KINDS[kind].metrics)
    assert {metric.labels for metric in matching(kind)} == {("target", "pattern"), ("target", "pattern", "name")}


def test_a_name_can_be_a_label_and_is_no_pattern():
    assert re.fullmatch(PATTERN_NAME, "failed-login_2")
    assert not re.fullmatch(PATTERN_NAME, "Failed password")
