"""Folders of tiles: what is exported is what anybody can check, and nothing false passes or is written over."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from audit import merkle, tilefolder, tiles
from audit.ed25519 import Secret
from audit.errors import Damaged, Forged, Malformed, RolledBack, Unreadable, Unsigned
from audit.note import Note, Signer, Verifier
from audit.reader import Blocks, Log, Row, Stub
from audit.tiles import TileTree
from audit.treehead import TreeHead

TESSERA = Verifier.parse("example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx")
SIGNER = Signer("log.example/a", Secret.from_seed(bytes(32)))


class Headers(Blocks):
    """A log of which only the headers are looked at."""

    def __init__(self, *headers: object, first: int = 0) -> None:
        self.headers, self.first = headers, first

    def top(self) -> int | None:
        return len(self.headers) - 1 if self.headers else None

    def row(self, height: int) -> Row | None:
        raise NotImplementedError

    def rows(self, start: int | None = None, last: int | None = None) -> Iterator[Row]:
        raise NotImplementedError

    def close(self) -> None:
        """There is nothing to let go of."""

    def stubs(self, start: int) -> Iterator[Stub]:
        for height, header in enumerate(self.headers[start:], start + self.first):
            yield Stub(height, header, b"", b"", 0)


HEADERS = [b"header %d" % number for number in range(700)]


def checkpoint(size: int, *, origin: str = "log.example/a", headers: list[bytes] = HEADERS) -> bytes:
    root = merkle.root(merkle.leaf_hashes(headers[:size]))
    text = TreeHead(origin=origin, size=size, root=root).text()
    return Note(text=text, signatures=(SIGNER.sign(text),)).octets()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------------------------------- the published log


@pytest.fixture
def published(vectors) -> Path:
    return vectors / "tlog-tiles-tessera" / "testdata" / "log"


@pytest.mark.parametrize("size", range(16))
def test_published_checkpoints_follow_from_their_entries_and_are_signed(published, size):
    checked = tilefolder.check(published, [TESSERA], name=f"checkpoint.{size}")
    assert checked.head.size == size
    assert checked.signed_by == ("example.com/log/testdata",)
    assert tilefolder.check(published, name=f"checkpoint.{size}").signed_by == ()


@pytest.mark.parametrize("size", range(16))
def test_what_is_exported_is_what_was_published_octet_by_octet(published, tmp_path, size):
    entries = tilefolder._entries(published, 0, 15)
    note = (published / f"checkpoint.{size}").read_bytes()
    tilefolder.export(Headers(*entries), tmp_path, note)
    assert (tmp_path / "checkpoint").read_bytes() == note
    expected = [f"tile/0/000.p/{size}", f"tile/entries/000.p/{size}"] if size else []
    assert sorted(files(tmp_path)) == ["checkpoint", *expected]
    for name in expected:
        assert (tmp_path / name).read_bytes() == (published / name).read_bytes()


@pytest.mark.parametrize("name", ["tile/0/000.p/15", "tile/entries/000.p/15", "checkpoint"])
def test_every_octet_of_the_published_log_counts(published, tmp_path, name):
    folder = tmp_path / "log"
    shutil.copytree(published, folder)
    honest = (folder / name).read_bytes()
    for at in range(len(honest)):
        (folder / name).write_bytes(honest[:at] + bytes([honest[at] ^ 1]) + honest[at + 1 :])
        with pytest.raises((Damaged, Malformed, Forged, Unsigned, Unreadable)):
            tilefolder.check(folder, [TESSERA])
    (folder / name).write_bytes(honest)
    assert tilefolder.check(folder, [TESSERA]).head.size == 15


# ------------------------------------------------------------------------------------------------ our own


def test_a_real_log_is_exported_and_proofs_are_made_from_the_folder(honest, tmp_path):
    with Log.open(honest.folder) as log:
        headers = [stub.hdr for stub in log.stubs(0)]
        head = tilefolder.export(log, tmp_path, checkpoint(len(headers), headers=headers))
    checked = tilefolder.check(tmp_path, [SIGNER.verifier])
    assert checked.head == head
    assert checked.signed_by == ("log.example/a",)
    tree = TileTree(tilefolder.source(tmp_path, head.size))
    for index, header in enumerate(headers):
        proof = merkle.inclusion_proof(tree, index, head.size)
        merkle.verify_inclusion(index, head.size, merkle.leaf_hash(header), head.root, proof)


def test_a_folder_grows_and_its_full_files_stay(tmp_path):
    log = Headers(*HEADERS)
    assert tilefolder.export(log, tmp_path, checkpoint(0)).size == 0
    seen: dict[str, bytes] = {}
    for size in (0, 1, 255, 256, 257, 257, 600, 700):
        tilefolder.export(log, tmp_path, checkpoint(size))
        assert tilefolder.check(tmp_path, [SIGNER.verifier]).head.size == size
        now = files(tmp_path)
        assert all(now[name] == octets for name, octets in seen.items() if name != "checkpoint")
        seen = now
        tree = TileTree(tilefolder.source(tmp_path, size))
        assert merkle.tree_root(tree, size) == merkle.root(merkle.leaf_hashes(HEADERS[:size]))
    assert {"tile/0/000", "tile/0/001", "tile/0/002.p/188", "tile/1/000.p/2", "tile/entries/001"} <= set(seen)


def test_partial_files_may_go_once_the_full_ones_are_there(tmp_path):
    log = Headers(*HEADERS)
    tilefolder.export(log, tmp_path, checkpoint(250))
    older = (tmp_path / "checkpoint").read_bytes()
    tilefolder.export(log, tmp_path, checkpoint(600))
    shutil.rmtree(tmp_path / "tile/0/000.p")
    shutil.rmtree(tmp_path / "tile/entries/000.p")
    (tmp_path / "older").write_bytes(older)
    assert tilefolder.check(tmp_path, name="older").head.size == 250
    assert tilefolder.source(tmp_path, 250)(0, 0) == b"".join(merkle.leaf_hashes(HEADERS[:250]))


def test_a_false_file_is_never_written_over(tmp_path):
    log = Headers(*HEADERS)
    tilefolder.export(log, tmp_path, checkpoint(600))
    for name in ("tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/001", "tile/entries/002.p/88"):
        path = tmp_path / name
        honest = path.read_bytes()
        for false in (honest[:-1] + b"!", honest + b"!", b""):
            path.write_bytes(false)
            with pytest.raises(Damaged, match=name.rpartition("/")[2]):
                tilefolder.export(log, tmp_path, checkpoint(600))
            assert path.read_bytes() == false
            with pytest.raises((Damaged, Unreadable)):
                tilefolder.check(tmp_path)
        path.write_bytes(honest)
    (tmp_path / "tile/0/000").unlink()
    os.mkfifo(tmp_path / "tile/0/000")
    with pytest.raises(Damaged, match="not a regular file"):
        tilefolder.export(log, tmp_path, checkpoint(600))


def test_what_the_checkpoint_does_not_say_is_not_exported(tmp_path):
    log = Headers(*HEADERS[:300])
    forged = [*HEADERS[:299], b"another"]
    with pytest.raises(Damaged, match="do not have the root"):
        tilefolder.export(log, tmp_path, checkpoint(300, headers=forged))
    with pytest.raises(Damaged, match="300 headers in a row, the checkpoint names 301"):
        tilefolder.export(log, tmp_path, checkpoint(301))
    with pytest.raises(Damaged, match="the log has 0 headers"):
        tilefolder.export(Headers(*HEADERS, first=1), tmp_path, checkpoint(3))
    with pytest.raises(Damaged, match="the log has 1 headers"):
        tilefolder.export(Headers(b"header 0", "header 1"), tmp_path, checkpoint(2))
    with pytest.raises(Malformed):
        tilefolder.export(log, tmp_path, b"log.example/a\n300\n")
    assert files(tmp_path) == {}


def test_a_folder_is_never_turned_back_forked_or_mixed_up(tmp_path):
    tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(300))
    before = files(tmp_path)
    with pytest.raises(RolledBack, match="300 blocks already, more than the 299"):
        tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(299))
    fork = [b"fork", *HEADERS[1:]]
    with pytest.raises(Damaged, match="first 300 headers do not have the root"):
        tilefolder.export(Headers(*fork), tmp_path, checkpoint(301, headers=fork))
    with pytest.raises(Damaged, match="holds another log, log"):
        tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(300, origin="log.example/b"))
    assert files(tmp_path) == before


def test_a_crash_in_the_middle_leaves_the_older_checkpoint_true(tmp_path):
    tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(300))
    (tmp_path / "tile/entries/002.p").mkdir()
    (tmp_path / "tile/entries/002.p/88").write_bytes(b"in the way")
    with pytest.raises(Damaged):
        tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(600))
    assert tilefolder.check(tmp_path).head.size == 300
    (tmp_path / "tile/entries/002.p/88").unlink()
    tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(600))
    assert tilefolder.check(tmp_path).head.size == 600


def test_a_folder_that_lacks_something_is_told_where(tmp_path):
    with pytest.raises(Unreadable, match="checkpoint is missing"):
        tilefolder.check(tmp_path)
    tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(600))
    for name in ("tile/0/001", "tile/0/002.p/88", "tile/1/000.p/2", "tile/entries/000"):
        octets = (tmp_path / name).read_bytes()
        (tmp_path / name).unlink()
        with pytest.raises(Unreadable, match=f"{name} is missing"):
            tilefolder.check(tmp_path)
        (tmp_path / name).write_bytes(octets)
    huge = TreeHead(origin="log.example/a", size=2**63 - 1, root=bytes(32)).text()
    (tmp_path / "checkpoint").write_bytes(Note(text=huge, signatures=(SIGNER.sign(huge),)).octets())
    with pytest.raises(Unreadable, match="is missing"):
        tilefolder.check(tmp_path)


def test_a_signed_root_that_the_entries_do_not_have_is_damage(tmp_path):
    tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(300))
    lie = checkpoint(300, headers=[b"another", *HEADERS[1:]])
    (tmp_path / "checkpoint").write_bytes(lie)
    with pytest.raises(Damaged, match="do not lead to the root"):
        tilefolder.check(tmp_path, [SIGNER.verifier])


def test_a_partial_file_with_more_than_its_name_says_is_damaged(tmp_path):
    tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(10))
    tile = tmp_path / tiles.path_of(0, 0, 10)
    tile.write_bytes(tile.read_bytes() + bytes(32))
    with pytest.raises(Damaged, match="holds 11 items"):
        tilefolder.check(tmp_path)


def test_a_checkpoint_of_nobody_known_is_refused_when_a_key_is_given(tmp_path):
    tilefolder.export(Headers(*HEADERS), tmp_path, checkpoint(10))
    with pytest.raises(Unsigned):
        tilefolder.check(tmp_path, [TESSERA])
    note = Note.parse((tmp_path / "checkpoint").read_bytes())
    (tmp_path / "checkpoint").write_bytes(
        Note(text=note.text.replace("\n10\n", "\n11\n"), signatures=note.signatures).octets()
    )
    with pytest.raises(Forged):
        tilefolder.check(tmp_path, [SIGNER.verifier])
