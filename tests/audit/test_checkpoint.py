"""Anchors: read strictly, written off the path, guarded against a second writer."""

from dataclasses import replace

import pytest

from audit import canonical, checkpoint
from audit.checkpoint import Anchor, Keeper
from audit.errors import Malformed, UnknownVersion, Unreadable

ANCHOR = Anchor(origin="o/1", height=3, count=9, head="a" * 64, key="b" * 64, sealed=5)


def line(**changes: object) -> bytes:
    fields = {**canonical.decode(ANCHOR.encode()[:-1]), **changes}
    return canonical.encode({name: value for name, value in fields.items() if value != "absent"}) + b"\n"


def conflict(because: str) -> None:
    raise AssertionError(because)


def test_an_anchor_reads_back(tmp_path):
    (tmp_path / "a").write_bytes(ANCHOR.encode())
    assert checkpoint.read(tmp_path / "a") == ANCHOR
    assert checkpoint.read(tmp_path / "none") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        ANCHOR.encode()[:-1],
        ANCHOR.encode() + b"\n",
        line(height=-1),
        line(height="3"),
        line(count=True),
        line(head="A" * 64),
        line(key=""),
        line(root="zz"),
        line(origin="a b"),
        line(origin=5),
        line(more=1),
        line(sealed="absent"),
    ],
)
def test_anything_else_is_malformed(data):
    with pytest.raises(Malformed):
        checkpoint.parse(data)


def test_another_version_is_told_apart():
    with pytest.raises(UnknownVersion):
        checkpoint.parse(line(v=2))


def test_a_huge_anchor_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(bytes(5000))
    with pytest.raises(Unreadable):
        checkpoint.read(tmp_path / "a")


def test_a_keeper_follows_within_a_second(tmp_path, until):
    path = tmp_path / "a"
    keeper = Keeper(path, None, conflict)
    keeper.start()
    for height in range(5):
        keeper.offer(replace(ANCHOR, height=height))
    until(lambda: checkpoint.read(path) == replace(ANCHOR, height=4), within_s=1.0)
    keeper.offer(ANCHOR)
    keeper.stop()
    assert checkpoint.read(path) == ANCHOR


def test_a_keeper_stopped_as_by_a_crash_writes_nothing(tmp_path):
    keeper = Keeper(tmp_path / "a", None, conflict)
    keeper.start()
    keeper.stop(flush=False)
    other = Keeper(tmp_path / "a", None, conflict)
    other.offer(ANCHOR)
    other.stop(flush=False)
    assert not (tmp_path / "a").exists()
    other.stop()
    assert (tmp_path / "a").exists()


def test_an_anchor_moved_by_somebody_else_is_left_alone_and_told(tmp_path):
    path, told = tmp_path / "a", []
    keeper = Keeper(path, None, told.append)
    keeper.offer(ANCHOR)
    keeper.flush()
    ahead = replace(ANCHOR, height=77)
    path.write_bytes(ahead.encode())
    keeper.offer(replace(ANCHOR, height=4))
    keeper.flush()
    assert checkpoint.read(path) == ahead
    assert "height 77" in told[0]
    assert "height 77" in keeper.because
    keeper.adopt()
    keeper.flush()
    assert checkpoint.read(path) == replace(ANCHOR, height=4)
    assert keeper.because == ""


def test_a_write_that_failed_but_arrived_is_not_taken_for_another_writer(tmp_path, monkeypatch):
    def arrive_and_fail(path, data):
        path.write_bytes(data)
        raise OSError(5, "Input/output error")

    keeper = Keeper(tmp_path / "a", None, conflict)
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "write_atomically", arrive_and_fail)
        keeper.offer(ANCHOR)
        keeper.flush()
        assert "Input/output" in keeper.because
    keeper.offer(replace(ANCHOR, height=4))
    keeper.flush()
    assert (keeper.because, checkpoint.read(tmp_path / "a").height) == ("", 4)


def test_an_anchor_out_of_reach_is_a_problem_not_a_stop(tmp_path):
    keeper = Keeper(tmp_path / "gone" / "a", None, conflict)
    keeper.flush()
    keeper.offer(ANCHOR)
    keeper.flush()
    assert "gone" in keeper.because
    (tmp_path / "gone").mkdir()
    keeper.flush()
    assert keeper.because == ""
    (tmp_path / "gone" / "a").write_bytes(b"junk")
    keeper.adopt()
