from types import SimpleNamespace

import pytest

from audit.reader import Log
from audit.writer import Writer
from healer.app.keeping import Keeping
from healer.config.values import Retention
from healer.record import AuditClock, recall
from healer.testing import FakeClock

DAY = 86400.0


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def writer(tmp_path, clock):
    with Writer.open(tmp_path / "s", node="here", clock=AuditClock(clock), reserve_bytes=0) as made:
        for _ in range(5):
            made.append({"kind": "heartbeat"})
        clock.at += 3 * DAY
        made.append({"kind": "heartbeat"})
        yield made


def keeping(writer, *, height, keep=DAY, **more):
    snapshot = None if height is None else SimpleNamespace(height=height)
    policy = Retention(keep=keep, because="policy 12") if keep else None
    return Keeping(writer=writer, state_dir=writer.folder, policy=policy, latest_snapshot=lambda: snapshot, **more)


def bare(writer):
    with Log.open(writer.folder) as log:
        return [row.height for row in log.rows() if not row.body]


async def test_what_is_old_goes_into_an_archive_a_start_can_find(writer):
    kept = keeping(writer, height=5)
    await kept.prune()
    assert kept.trouble == ""
    assert bare(writer) == [1, 2, 3, 4]
    assert [path.name for path in (writer.folder / "archive").iterdir()] == ["archive-1-4.sealed"]
    assert (writer.folder / "archive").stat().st_mode & 0o777 == 0o700
    _, folded = recall(writer.folder, None)
    assert folded == 7


async def test_without_a_written_policy_nothing_is_ever_pruned(writer):
    await keeping(writer, height=5, keep=0).prune()
    assert bare(writer) == []


async def test_what_no_snapshot_covers_stays(writer):
    await keeping(writer, height=None).prune()
    assert bare(writer) == []
    await keeping(writer, height=2).prune()
    assert bare(writer) == [1, 2]


async def test_bodies_wait_for_the_witness(writer):
    await keeping(writer, height=5, witnessed=lambda _: False).prune()
    assert bare(writer) == []
    await keeping(writer, height=6, witnessed=lambda _: True).prune()
    assert bare(writer) == [1, 2, 3, 4]


async def test_a_folder_that_cannot_be_used_is_told_and_tried_again(writer, tmp_path):
    kept = keeping(writer, height=5)
    (writer.folder / "archive").write_text("not a folder")
    await kept.prune()
    assert "archive" in kept.trouble
    assert bare(writer) == []
    (writer.folder / "archive").unlink()
    await kept.prune()
    assert kept.trouble == ""
    assert bare(writer)
