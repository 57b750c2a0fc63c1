"""The ratchet: one key per block, used once; a crash shows, and so does everything else."""

from dataclasses import replace

import pytest

from audit import block, ratchet
from audit.ed25519 import Secret
from audit.reader import Log
from audit.writer import Writer


def rows(folder):
    with Log.open(folder) as log:
        return [(block.parse_header(row.hdr), row) for row in log.rows()]


def test_every_block_but_the_first_is_signed_by_the_key_the_one_before_it_named(honest):
    previous = None
    for header, row in rows(honest.folder):
        assert ratchet.check(header, row.hdr, row.rsig, previous) == ""
        assert bool(row.rsig) == (header.height > 0)
        assert len(bytes.fromhex(header.next)) == 32
        previous = header


def test_no_key_serves_twice(honest):
    keys = [header.next for header, _ in rows(honest.folder)]
    assert len(set(keys)) == len(keys)


def test_each_rule_has_its_sentence(honest):
    (first, _), (second, row) = rows(honest.folder)[:2]
    unratcheted = replace(first, next="")
    restart = replace(second, why="restart")
    assert "missing" in ratchet.check(second, row.hdr, b"", first)
    assert "where there was none" in ratchet.check(restart, row.hdr, b"", unratcheted)
    assert "no block before it announced" in ratchet.check(second, row.hdr, row.rsig, unratcheted)
    assert "no block before it announced" in ratchet.check(first, row.hdr, row.rsig, None)
    assert "is signed by it" in ratchet.check(restart, row.hdr, row.rsig, first)
    assert "does not fit" in ratchet.check(second, row.hdr + b" ", row.rsig, first)
    assert "does not fit" in ratchet.check(second, row.hdr, row.rsig, replace(first, next="00" * 31))
    assert ratchet.check(restart, row.hdr, b"", first) == "", "a break is allowed, and reported by the verifier"


def test_a_signature_of_the_ratchet_never_passes_for_one_of_the_seal():
    assert ratchet.signed_octets(b"h") != block.signed_octets(b"h")


def test_a_clean_stop_keeps_the_secret_and_the_next_start_takes_it(tmp_path, key, event):
    for _ in range(3):
        with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0) as writer:
            assert not (tmp_path / "s/keys/ratchet").exists(), "taken before it is used"
            assert writer.broke_at is None
            writer.append(event())
        kept = tmp_path / "s/keys/ratchet"
        assert kept.stat().st_mode & 0o777 == 0o600
    assert [header.why for header, _ in rows(tmp_path / "s")] == ["commit"] * 3


def test_a_crash_loses_the_secret_and_the_next_block_says_so(tmp_path, key, event):
    writer = Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0, inline=True)
    writer.append(event())
    writer.abandon()
    with Writer.open(tmp_path / "s", node="n", signer=key, reserve_bytes=0, inline=True) as writer:
        writer.append(event())
        writer.append(event())
        assert writer.broke_at == 1
    whole = rows(tmp_path / "s")
    assert [header.why for header, _ in whole] == ["commit", "restart", "commit"]
    assert [bool(row.rsig) for _, row in whole] == [False, False, True]


@pytest.mark.parametrize("octets", [b"", b"short", bytes(33), bytes(32), bytes(70)])
def test_a_kept_secret_that_is_another_or_none_is_a_crash(tmp_path, octets):
    secret = Secret.generate()
    (tmp_path / "ratchet").write_bytes(octets)
    assert ratchet.take(tmp_path, secret.public.hex()) is None
    assert not (tmp_path / "ratchet").exists()


def test_a_secret_is_taken_once(tmp_path):
    secret = Secret.generate()
    ratchet.keep(tmp_path / "keys", secret)
    taken = ratchet.take(tmp_path / "keys", secret.public.hex())
    assert taken is not None
    assert taken.public == secret.public
    assert ratchet.take(tmp_path / "keys", secret.public.hex()) is None


def test_without_a_maker_of_keys_there_is_no_ratchet(tmp_path, key, event):
    with Writer.open(tmp_path / "s", node="n", signer=key, fresh=None, inline=True, reserve_bytes=0) as writer:
        writer.append(event())
        writer.append(event())
    assert [(header.next, row.rsig, header.why) for header, row in rows(tmp_path / "s")] == [("", b"", "commit")] * 2


def test_a_ratchet_may_begin_and_end_in_the_middle(tmp_path, key, event):
    for fresh in (None, Secret.generate, None, Secret.generate):
        with Writer.open(tmp_path / "s", node="n", signer=key, fresh=fresh, inline=True, reserve_bytes=0) as writer:
            writer.append(event())
            writer.append(event())
    previous = None
    for header, row in rows(tmp_path / "s"):
        assert ratchet.check(header, row.hdr, row.rsig, previous) == ""
        previous = header
