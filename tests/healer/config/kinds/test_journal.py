"""Keys of what is followed in the journal."""

import pytest

from healer.config.targets import TARGET
from healer.model.kinds.journal import PRIORITIES
from healer.yamldoc import document
from healer.yamldoc.mark import Problems
from healer.yamldoc.shape import Bad


def read(text, tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text(text)
    problems = Problems()
    try:
        return TARGET.read(document.read(path, problems).root, problems).spec
    except Bad:
        return None


def test_without_filters_everything_counts(tmp_path):
    spec = read("{kind: journal, name: x}", tmp_path)
    assert (spec["units"], spec["identifiers"], spec["priority"]) == ((), (), "debug")


@pytest.mark.parametrize("priority", PRIORITIES)
def test_filters_are_those_of_journalctl(tmp_path, priority):
    spec = read(f"{{kind: journal, name: x, units: ssh, identifiers: [a, b], priority: {priority}}}", tmp_path)
    assert (spec["units"], spec["identifiers"], spec["priority"]) == (("ssh",), ("a", "b"), priority)


@pytest.mark.parametrize("keys", ["units: 'a/b'", "units: ''", "priority: error", "directory: here", "identifiers: 3"])
def test_what_cannot_be_meant_is_refused(tmp_path, keys):
    assert read(f"{{kind: journal, name: x, {keys}}}", tmp_path) is None
