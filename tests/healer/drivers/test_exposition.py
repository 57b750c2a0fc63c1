"""Expositions good and bad: what was asked for is read, what is none is refused, and size costs little."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.drivers import exposition
from healer.drivers.exposition import Garbage, read

TEXT = b"""# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"} 3 1395066363000
# TYPE odd gauge
odd{path="C:\\\\DIR\\\\",error="Cannot \\"find\\" # {file}"} 1.458255915e9
metric_without_timestamp 12.47
metric_without_timestamp_and_more 7
inf +Inf
nan NaN
# TYPE lat histogram
lat_bucket{le="0.05"} 24054
lat_bucket{le="+Inf"} 144320
lat_sum 53423
lat_count 144320
"""


def values(found, metric):
    return [sample.value for sample in found[metric]]


def test_what_was_asked_for_is_read_and_nothing_else():
    found = read(TEXT, {"http_requests_total", "metric_without_timestamp", "lat_count", "none"})
    assert values(found, "http_requests_total") == [1027, 3]
    assert found["http_requests_total"][0].labels == {"method": "post", "code": "200"}
    assert found["http_requests_total"][0].at == 1395066363.0
    assert values(found, "metric_without_timestamp") == [12.47]
    assert (values(found, "lat_count"), found["none"]) == ([144320], [])
    assert set(found) == {"http_requests_total", "metric_without_timestamp", "lat_count", "none"}


def test_labels_are_unescaped():
    assert read(TEXT, {"odd"})["odd"][0].labels == {"path": "C:\\DIR\\", "error": 'Cannot "find" # {file}'}


def test_what_is_no_ordinary_number_is_passed_on_as_such():
    found = read(TEXT, {"inf", "nan"})
    assert values(found, "inf") == [float("inf")]
    assert str(values(found, "nan")[0]) == "nan"


def test_the_newer_format_tells_seconds_and_exemplars():
    text = b'# TYPE a counter\na_total{x="1"} 17.0 1520879607.789 # {id="oHg5"} 0.67\n# EOF\n'
    (sample,) = read(text, {"a_total"}, newer=True)["a_total"]
    assert (sample.value, sample.at) == (17.0, 1520879607.789)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<html><body>502 Bad Gateway</body></html>",
        b"\xff\xfe\x00",
        b"a x\n",
        b'a{x="1 7\n',
        b"a \n",
        b"a{ 7\n",
        b"a 1 2 3 4\n# TYPE a gauge\na{} {}\n",
    ],
)
def test_what_is_no_exposition_is_refused(octets):
    with pytest.raises(Garbage):
        read(octets, {"a"})


@given(st.binary(max_size=200))
def test_no_octets_end_in_anything_but_samples_or_garbage(octets):
    for made in (octets, b"# TYPE a gauge\na" + octets, b"a{" + octets):
        try:
            read(made, {"a"})
        except Garbage:
            continue


def test_too_many_series_are_refused_and_those_not_asked_for_cost_little():
    lines = b"".join(b'big{n="%d"} 1\n' % number for number in range(60_000))
    text = b"# TYPE big gauge\n" + lines + b"small 2\n"
    start = time.perf_counter()
    assert values(read(text, {"small"}), "small") == [2]
    assert time.perf_counter() - start < 1.0
    with pytest.raises(Garbage, match="10000"):
        read(text, {"big"})


def test_no_library_is_loaded_before_the_first_scrape():
    code = "import sys, healer.drivers.exposition; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert exposition.ACCEPT.startswith("text/plain")
