import pytest

from healer.rules.times import briefly


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.001, "1ms"), (90, "90s"), (600, "10m"), (7200, "2h"), (86400, "1d"), (0, "0s"), (2.5, "2.5s")],
)
def test_times_are_written_as_in_rules(seconds, said):
    assert briefly(seconds) == said
