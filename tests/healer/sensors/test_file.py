"""Files of every kind, also those that are none."""

import hashlib
import os
import socket

import pytest

from healer.errors import SensorError
from healer.model.observation import Unknown
from healer.model.target import Target
from healer.sensors import file as module
from healer.sensors.file import FileSensor
from healer.sensors.procfs import count_fds


class Noon:
    def now(self):
        return 1.0

    def wall(self):
        return 1_000_000.0


def sensor(path, **spec):
    return FileSensor(Target(kind="file", name="f", organ="stomach", spec={"path": str(path), **spec}), Noon())


async def look(path, **spec):
    return told(await sensor(path, **spec).look(1.0))


def told(readings):
    assert all(reading.labels == (("target", "file:f"),) for reading in readings)
    return {reading.metric: None if isinstance(reading, Unknown) else reading.value for reading in readings}


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "f"
    made.write_text("all is well\n")
    made.chmod(0o640)
    os.utime(made, (999_940.0, 999_940.0))
    return made


async def test_a_file_is_described(path):
    seen = await look(path)
    assert seen.pop("file.owner").count(":") == 1
    assert seen == {"file.exists": 1, "file.size": 12, "file.age": 60, "file.mode": "0640"}


async def test_a_missing_file_is_a_fact_and_what_is_in_it_is_unknown(tmp_path):
    for missing in (tmp_path / "none", tmp_path / "none" / "below"):
        seen = await look(missing, match="x", checksum=True)
        assert seen.pop("file.exists") == 0
        assert set(seen.values()) == {None}
        assert {"file.match", "file.checksum", "file.size"} <= set(seen)


async def test_below_a_file_there_is_nothing(path):
    assert (await look(path / "x"))["file.exists"] == 0


async def test_its_checksum_is_that_of_its_content_and_follows_it(path):
    looking = sensor(path, checksum=True)
    first = told(await looking.look(1.0))["file.checksum"]
    path.write_text("all is ill\n")
    second = told(await looking.look(2.0))["file.checksum"]
    assert first == hashlib.sha256(b"all is well\n").hexdigest()
    assert second == hashlib.sha256(b"all is ill\n").hexdigest()


async def test_an_unchanged_file_is_not_hashed_twice(path, monkeypatch):
    looking = sensor(path, checksum=True)
    await looking.look(1.0)
    monkeypatch.setattr(module, "_sha256", lambda *_: pytest.fail("hashed again"))
    assert told(await looking.look(2.0))["file.checksum"]


async def test_a_file_larger_than_allowed_has_no_checksum_but_is_searched_as_far_as_that(tmp_path):
    big = tmp_path / "big"
    big.write_bytes(b"needle" + b"." * 5000 + b"thread")
    seen = await look(big, checksum=True, match="needle", max_size=1000)
    assert seen["file.checksum"] is None
    assert seen["file.match"] == 1
    assert (await look(big, match="thread", max_size=1000))["file.match"] == 0
    assert (await look(big, match="thread"))["file.match"] == 1


async def test_a_sparse_terabyte_costs_no_more_than_the_bound(tmp_path):
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as file:
        file.truncate(1 << 40)
    seen = await look(sparse, checksum=True, match="x")
    assert seen["file.size"] == 1 << 40
    assert seen["file.checksum"] is None
    assert seen["file.match"] == 0


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
async def test_a_text_is_found_where_two_reads_meet(path, monkeypatch, chunk):
    monkeypatch.setattr(module, "_CHUNK", chunk)
    assert (await look(path, match="is well"))["file.match"] == 1
    assert (await look(path, match="a"))["file.match"] == 1
    assert (await look(path, match="is ill"))["file.match"] == 0


async def test_a_fifo_does_not_hang_and_a_folder_or_socket_has_no_content(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "sock"))
        for name in ("fifo", ".", "sock"):
            seen = await look(tmp_path / name, match="x", checksum=True)
            assert seen["file.exists"] == 1
            assert seen["file.match"] is None
            assert seen["file.checksum"] is None


async def test_a_device_is_not_touched():
    seen = await look("/dev/zero", match="x")
    assert seen["file.match"] is None
    assert seen["file.exists"] == 1


async def test_a_link_is_followed_unless_told_not_to(tmp_path, path):
    link = tmp_path / "link"
    link.symlink_to(path)
    assert (await look(link, match="well"))["file.match"] == 1
    seen = await look(link, match="well", follow=False)
    assert seen["file.exists"] == 1
    assert seen["file.match"] is None


async def test_a_link_that_leads_nowhere_does_not_exist_and_a_loop_is_unknown(tmp_path):
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    assert (await look(tmp_path / "dangling"))["file.exists"] == 0
    with pytest.raises(SensorError, match="symbolic links"):
        await look(tmp_path / "loop")


async def test_a_file_from_the_future_has_no_age(path):
    os.utime(path, (2_000_000.0, 2_000_000.0))
    looking = sensor(path)
    assert told(await looking.look(1.0))["file.age"] is None
    assert looking.garbage == 1


async def test_a_file_nobody_owns_is_told_by_number(path, monkeypatch):
    monkeypatch.setattr(module.pwd, "getpwuid", {}.__getitem__)
    monkeypatch.setattr(module.grp, "getgrgid", {}.__getitem__)
    assert (await look(path))["file.owner"] == f"{os.getuid()}:{path.stat().st_gid}"


async def test_what_may_not_be_looked_at_is_unknown_not_absent(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    looking = sensor(path, match="x")
    monkeypatch.setattr(looking, "_open", refuse)
    with pytest.raises(SensorError, match="Permission denied"):
        await looking.look(1.0)


async def test_content_that_may_not_be_read_is_unknown_and_the_rest_is_told(path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    looking = sensor(path, match="x")
    monkeypatch.setattr(looking, "_read", refuse)
    seen = told(await looking.look(1.0))
    assert seen["file.match"] is None
    assert seen["file.size"] == 12


async def test_no_descriptor_is_left_open(path):
    looking = sensor(path, match="x", checksum=True)
    await looking.look(1.0)
    before = count_fds(os.getpid())
    await looking.look(2.0)
    assert count_fds(os.getpid()) == before
