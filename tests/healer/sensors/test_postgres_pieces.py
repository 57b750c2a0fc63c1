import pytest

from healer.model.kinds.postgres import KIND
from healer.sensors.postgres import PostgresSensor
from healer.sensors.postgres_pieces import PIECES


@pytest.mark.parametrize("version", [120000, 130011, 140000, 150018, 160004, 170002, 180000])
@pytest.mark.parametrize("in_recovery", [False, True])
def test_every_version_is_asked_each_thing_once(version, in_recovery):
    names = [piece.name for piece in PIECES if piece.fits(version, in_recovery=in_recovery)]
    assert len(names) == len(set(names))
    assert {"sessions", "locks", "standbys", "slots", "work", "size", "age", "checkpoints", "archiver"} <= set(names)
    assert ("standby" in names) is in_recovery
    assert ("dead" in names) is not in_recovery


def test_each_piece_is_told_and_names_metrics_there_are_without_further_labels():
    plain = {metric.name for metric in KIND.metrics if metric.labels == ("target",)}
    for piece in PIECES:
        assert piece.name in PostgresSensor._tellers
        assert set(piece.series) <= plain


def test_nothing_is_asked_that_writes():
    for piece in PIECES:
        assert piece.sql.lstrip().startswith("SELECT")
        assert ";" not in piece.sql
