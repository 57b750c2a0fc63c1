"""Names of series as recordings write them."""

import pytest

from healer.errors import HealerError
from healer.model.observation import Series, labels
from healer.model.vocabulary import METRICS
from healer.replay.names import PREFIX, exposed, written


def test_a_series_is_written_as_in_a_rule():
    assert written('disk.used{mount="/srv x"}') == Series("disk.used", labels(mount="/srv x"))
    assert written("cpu.used") == Series("cpu.used", ())


@pytest.mark.parametrize(
    "text", ["", "cpu.used > 1", "max(disk.used)", 'disk.used{mount=~"/*"}', "program.up{target}", "a b", "cpu.usd"]
)
def test_what_names_no_one_series_is_refused(text):
    with pytest.raises(HealerError):
        written(text)


def test_every_metric_comes_back_from_how_it_is_exposed():
    for name in METRICS:
        found = exposed(PREFIX + name.replace(".", "_").replace("-", "_"), {"__name__": "x", "job": "j", "a": "b"})
        assert found == Series(name, labels(a="b"))
    assert exposed("node_load1", {}) is None
