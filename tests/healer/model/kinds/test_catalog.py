"""Every kind of target is declared alike: its flag, its labels, its names; and a kind that is not is refused."""

from dataclasses import replace

import pytest

from healer.errors import ConfigError
from healer.model.kinds import catalog
from healer.model.kinds.catalog import KINDS
from healer.model.organism import ORGANS
from healer.model.unit import Unit
from healer.model.vocabulary import METRICS


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_says_how_its_targets_are_judged(name):
    kind = KINDS[name]
    declared = {metric.name: metric for metric in kind.metrics}
    assert kind.name == name
    assert kind.organ in ORGANS
    assert declared[kind.up].unit is Unit.FLAG
    assert declared[kind.up].labels == ("target",)
    assert all(metric.name.startswith(f"{name}.") for metric in kind.metrics)
    assert all(metric.labels[0] == "target" for metric in kind.metrics)
    assert len(declared) == len(kind.metrics), "a metric is declared twice"
    assert all(METRICS[metric] == replace(one, falls=METRICS[metric].falls) for metric, one in declared.items())


@pytest.mark.parametrize("name", sorted(KINDS))
def test_what_a_kind_promises_it_has(name):
    kind = KINDS[name]
    declared = {metric.name for metric in kind.metrics}
    if kind.uses:
        assert {f"{name}.cpu", f"{name}.memory"} <= declared
    if kind.counts_restarts:
        assert f"{name}.restarts" in declared


def test_a_kind_joins_and_leaves():
    fresh = replace(KINDS["tcp"], name="port", up="port.ok", metrics=(replace(METRICS["tcp.ok"], name="port.ok"),))
    catalog.join(fresh)
    try:
        assert KINDS["port"] is fresh
        with pytest.raises(ConfigError, match="already"):
            catalog.join(fresh)
    finally:
        catalog.leave("port")
    assert "port" not in KINDS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"up": "port.up"}, "declare port.up among them"),
        ({"metrics": (METRICS["cpu.used"],)}, "cpu.used"),
        ({"metrics": (replace(METRICS["tcp.ok"], name="port.ok", labels=()),)}, "without the label target"),
    ],
)
def test_a_kind_that_is_not_its_own_is_refused(change, told):
    sound = {"name": "port", "up": "port.ok", "metrics": (replace(METRICS["tcp.ok"], name="port.ok"),)}
    with pytest.raises(ConfigError) as caught:
        catalog.join(replace(KINDS["tcp"], **(sound | change)))
    assert told in str(caught.value)
    assert "port" not in KINDS
