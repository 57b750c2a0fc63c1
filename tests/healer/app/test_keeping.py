from types import SimpleNamespace

import pytest

from audit.errors import AuditError
from audit.reader import Log
from audit.writer import Writer
from healer.app.keeping import Keeping
from healer.clock import SystemClock
from healer.config.values import Retention
from healer.record import AuditClock, recall
from healer.testing import FakeClock
from tests.healer.app.conftest import until

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


def test_an_agent_prunes_what_its_snapshot_covers_and_starts_again(place):
    past = FakeClock(offset=SystemClock().wall() - 9 * DAY)
    with Writer.open(place.state, node="here", clock=AuditClock(past), reserve_bytes=0) as made:
        for _ in range(3):
            made.append({"kind": "heartbeat"})
    config = {"retention": {"keep": "2d", "because": "policy 12"}, "conceal": ["data.*"]}
    with place.agent(audit=config, store={"snapshot_every": "1s"}) as agent:
        until(agent._agent._kept.latest_snapshot)
        keeping = agent._agent.keeping
        done = keeping._prune(keeping.policy)
        assert (done.order.first, done.order.last) == (1, 2)
        assert agent.verify()["verified"]
        assert agent.status()["degraded"] == []
    for path in (place.state / "archive").iterdir():
        path.unlink()
    with place.agent(audit=config) as agent:
        assert agent.verify()["verified"]
    for name in place.state.glob("state.db*"):
        name.unlink()
    with pytest.raises(AuditError, match=r"archive-1-2\.sealed"), place.agent(audit=config):
        pass
