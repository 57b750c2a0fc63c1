"""Every kind with keys of its own is a kind of target, and its keys say what they are for."""

import pytest

from healer.config.kinds.catalog import OWN
from healer.config.targets import TARGET
from healer.model.kinds.catalog import KINDS
from healer.yamldoc.parsers import Duration


@pytest.mark.parametrize("kind", sorted(OWN))
def test_its_keys_are_documented_and_none_hides_one_that_all_have(kind):
    own = OWN[kind]
    assert kind in KINDS
    names = [field.name for field in own.fields]
    assert len(names) == len(set(names))
    assert all(field.doc for field in own.fields)
    assert not {"kind", "name", "organ", "labels", "groups", "requires", "mode", "every", "timeout"} & set(names)
    assert Duration.parse(own.shown) == own.every


def test_whatever_can_be_declared_is_known_by_both():
    assert set(TARGET.kinds) == set(KINDS) - {"program"}
