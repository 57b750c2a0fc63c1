"""The agent's own history as a recording."""

from healer.model.observation import Series, labels
from healer.replay.stored import Stored
from healer.store.archive import Archive
from healer.store.kept import Keep, Sample
from healer.store.store import Store

BEGIN = 1_700_006_400


def test_what_was_kept_comes_in_stretches_packed_or_not(tmp_path):
    store = Store(tmp_path / "state.db")
    series = Series("disk.used", labels(mount="/"))
    store.record(
        Sample(metric=series.metric, labels=series.labels, at=float(BEGIN + at), value=at / 1e5)
        for at in range(0, 6 * 3600, 600)
    )
    list(store.upkeep(BEGIN + 5 * 3600.0, Keep()))
    store.close()
    with Archive(tmp_path) as archive:
        found = Stored(archive, BEGIN + 600, BEGIN + 5 * 3600)
        assert found.extent.series == (series,)
        stretches = list(found.stretches())
    times = [at for stretch in stretches for track in stretch for at in track.times]
    assert len(stretches) == 3
    assert (times[0], times[-1], len(times)) == (BEGIN + 600, BEGIN + 18000, 30)
    assert times == sorted(times)
