"""Series are read where they are written, and a mistake in one is told there."""

import pytest

from healer.config.load import load_config
from healer.errors import ConfigError

MAIN = {"kind": "prometheus", "name": "x", "url": "http://127.0.0.1:9100/metrics", "series": {"load": "node_load1"}}


def one(**more):
    return load_config({"version": 1, "targets": [MAIN | more]}, environ={}).targets[0]


def problems(**more):
    with pytest.raises(ConfigError) as caught:
        one(**more)
    return " ".join(caught.value.problems)


def test_series_are_kept_as_they_were_written():
    series = {"load": "node_load1", "all": 'sum(a{x="1"})'}
    assert one(series=series).spec["series"] == series


@pytest.mark.parametrize("series", ["a{", "rate(a)", "a b", "1a"])
def test_a_series_that_names_none_is_a_mistake(series):
    assert "series" in problems(series={"load": series}) or "one of: sum" in problems(series={"load": series})


def test_an_exporter_without_series_would_tell_nothing_and_is_refused():
    with pytest.raises(ConfigError) as caught:
        load_config({"version": 1, "targets": [{"kind": "prometheus", "name": "x", "url": "http://h/"}]}, environ={})
    assert "series" in " ".join(caught.value.problems)
