"""A log goes from key to key and stays one log, also through a crash at any step of it."""

import os
from pathlib import Path

import pytest

from audit import keyring, keys
from audit.errors import Damaged, KeyRefused, Malformed, Poisoned
from audit.keys import SealingKey
from audit.reader import Log
from audit.verifier import Ask, verify
from audit.writer import Writer


@pytest.fixture(scope="session")
def third_key() -> SealingKey:
    return SealingKey.generate()


@pytest.fixture
def state(tmp_path, key):
    """A state folder whose log has begun, with its key in it."""
    folder = tmp_path / "s"
    with opened(folder, signer=key) as writer:
        writer.append({"kind": "lifecycle", "phase": "start"})
    (folder / "keys").mkdir(mode=0o700, exist_ok=True)
    (folder / "keys" / "seal.pem").write_bytes(key.pem())
    (folder / "keys" / "seal.pem").chmod(0o600)
    (folder / "keys" / "seal.pub").write_bytes(key.public.pem)
    return folder


def opened(folder: Path, **more: object) -> Writer:
    return Writer.open(folder, **{"node": "n", "reserve_bytes": 0, "inline": True, **more})


def proves(folder: Path, tmp_path: Path, pinned: SealingKey) -> None:
    pin = tmp_path / "pinned.pub"
    pin.write_bytes(pinned.public.pem)
    report = verify(Ask(log=folder, key=pin, deep=True))
    assert report.exit_code == 0, report.text()
    assert verify(Ask(log=folder, deep=True)).exit_code == 0


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "keys").iterdir()} - {"ratchet", "note.key", "note.pub"}


@pytest.mark.parametrize("inline", [True, False])
def test_a_log_goes_on_under_its_new_key(state, tmp_path, key, other_key, event, inline):
    with opened(state, inline=inline) as writer:
        before = [writer.submit([event(number)]) for number in range(5)]
        receipt = writer.rotate(other_key, because="yearly")
        after = [writer.submit([event(number)]) for number in range(5)]
        assert writer.public == other_key.public
    assert max(future.result()[0].height for future in before) < receipt.height
    assert min(future.result()[0].height for future in after) > receipt.height
    old = f"old-{key.public.fingerprint[:16]}.pub"
    assert names(state) == {"seal.pem", "seal.pub", "first.pub", old}
    assert keys.load(state / "keys").public == other_key.public
    assert (state / "keys" / "first.pub").read_bytes() == (state / "keys" / old).read_bytes() == key.public.pem
    with opened(state) as writer:
        writer.append(event())
    proves(state, tmp_path, key)
    with Log.open(state) as log:
        row = log.row(receipt.height)
    assert (row.n, len(row.sig)) == (1, 768)


def test_two_rotations_among_the_last_blocks_are_followed(state, tmp_path, key, other_key, third_key, event):
    with opened(state) as writer:
        writer.rotate(other_key, because="first")
        writer.append(event())
        writer.rotate(third_key, because="second")
    with opened(state) as writer:
        writer.append(event())
    proves(state, tmp_path, key)
    assert (state / "keys" / "first.pub").read_bytes() == key.public.pem


def test_a_rotation_long_ago_is_no_matter(state, tmp_path, key, other_key, event):
    with opened(state) as writer:
        writer.rotate(other_key, because="yearly")
        for number in range(40):
            writer.append(event(number))
    for path in (state / "keys").glob("old-*"):
        path.unlink()
    with opened(state) as writer:
        writer.append(event())
    proves(state, tmp_path, key)


def test_a_damaged_old_public_key_matters_only_while_it_is_needed(state, tmp_path, key, other_key, event):
    with opened(state) as writer:
        writer.rotate(other_key, because="yearly")
    (old,) = (state / "keys").glob("old-*.pub")
    old.write_bytes(b"junk")
    with pytest.raises(Damaged, match="not signed by the sealing key"):
        opened(state)
    old.write_bytes(key.public.pem)
    with opened(state) as writer:
        for number in range(40):
            writer.append(event(number))
    old.write_bytes(b"junk")
    with opened(state) as writer:
        writer.append(event())
    proves(state, tmp_path, key)


def test_the_old_key_cannot_go_on(state, key, other_key, event):
    with opened(state) as writer:
        writer.rotate(other_key, because="yearly")
    with pytest.raises(Damaged, match=r"the key in force is .*, not the sealing key"):
        opened(state, signer=key)


def test_a_rotation_to_a_key_in_force_before_is_refused(state, key, other_key):
    with opened(state) as writer:
        with pytest.raises(KeyRefused, match="in force in this log already"):
            writer.rotate(key, because="x")
        writer.rotate(other_key, because="x")
        with pytest.raises(KeyRefused, match="in force in this log already"):
            writer.rotate(key, because="x")
    assert not (state / "keys" / "next.pem").exists()


def test_a_new_key_that_cannot_sign_is_refused_before_anything_is_written(state, key, other_key, third_key):
    class Liar:
        public = other_key.public

        def sign(self, message: bytes) -> bytes:
            return third_key.sign(message)

    with opened(state) as writer, pytest.raises(KeyRefused, match="does not make good signatures"):
        writer.rotate(Liar(), because="x")
    assert names(state) == {"seal.pem", "seal.pub"}


@pytest.mark.parametrize("trusted_to", [-1, 1, 2**60])
def test_a_revocation_names_a_block_that_is_there(state, other_key, trusted_to):
    with opened(state) as writer, pytest.raises(Malformed, match="cannot be trusted up to"):
        writer.rotate(other_key, because="x", trusted_to=trusted_to)


def test_a_rotation_cannot_be_submitted(state):
    with opened(state) as writer, pytest.raises(Malformed, match=r"Writer\.rotate alone"):
        writer.append({"kind": "rotate", "because": "x", "data": {}})


def test_a_key_from_elsewhere_leaves_no_private_key_behind(state, tmp_path, key, other_key, event):
    class Elsewhere:
        public = other_key.public
        sign = other_key.sign

    with opened(state) as writer:
        writer.rotate(Elsewhere(), because="into the token")
    assert names(state) == {"seal.pub", "first.pub", f"old-{key.public.fingerprint[:16]}.pub"}
    with pytest.raises(KeyRefused, match="missing"):
        opened(state)
    with opened(state, signer=Elsewhere()) as writer:
        writer.append(event())
    proves(state, tmp_path, key)


class Died(BaseException):
    """What kill -9 looks like from inside."""


STEPS = ("stage:first", "stage:old", "stage:next", "sealing", "sealed", "promote:pub", "promote:pem")


def dying_at(step: str, monkeypatch, writer) -> None:
    """Make a rotation end at a step, as if the process had been killed."""
    write = keyring.write_atomically
    after = {"stage:first": "first.pub", "stage:old": "old-", "stage:next": "next.pem", "promote:pub": "seal.pub"}

    def write_then_die(path, data, **more):
        write(path, data, **more)
        if path.name.startswith(after.get(step, "-")):
            raise Died

    monkeypatch.setattr(keyring, "write_atomically", write_then_die)
    if step == "sealing":
        monkeypatch.setattr(writer, "_submit", lambda *_, **__: die())
    if step == "sealed":
        monkeypatch.setattr(keyring, "promote", lambda *_: die())
    if step == "promote:pem":
        monkeypatch.setattr(keyring, "sync_folder", lambda *_: die())


def die() -> None:
    raise Died


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_any_step_leaves_one_key_and_one_log(state, tmp_path, key, other_key, event, step):
    writer = opened(state)
    with pytest.MonkeyPatch.context() as patch:
        dying_at(step, patch, writer)
        with pytest.raises(Died):
            writer.rotate(other_key, because="yearly")
    writer.abandon()
    rotated = step in {"sealed", "promote:pub", "promote:pem"}
    assert verify(Ask(log=state, deep=True)).exit_code == 0, "a verifier must not need the files to be tidy"
    with opened(state) as writer:
        assert writer.public == (other_key if rotated else key).public
        writer.append(event())
    assert not (state / "keys" / "next.pem").exists()
    assert keys.load(state / "keys").public == (other_key if rotated else key).public
    proves(state, tmp_path, key)
    if not rotated:
        with opened(state) as writer:
            writer.rotate(other_key, because="again")
        proves(state, tmp_path, key)


def test_a_head_that_only_names_the_new_key_does_not_cost_the_old_one(state, key, other_key):
    """Whoever can write to the log, but has no key, must not be able to make the agent drop its own."""
    keyring.stage(state / "keys", key.public, other_key)
    with Log.open(state) as log:
        row = log.row(0)
    keyring.finish(state / "keys", None, (other_key.public.fingerprint, row.hdr, row.sig))
    assert not (state / "keys" / "next.pem").exists()
    assert keys.load(state / "keys").public == key.public


def test_a_staged_key_that_cannot_be_used_is_named(state):
    (state / "keys" / "next.pem").write_bytes(b"junk")
    (state / "keys" / "next.pem").chmod(0o600)
    with pytest.raises(KeyRefused, match=r"next\.pem") as caught:
        opened(state)
    assert "a change that did not end" in caught.value.hint


def test_an_unsealed_rotation_poisons_and_decides_at_the_next_start(state, key, other_key, event):
    class Fails:
        public = other_key.public
        left = 1

        def sign(self, message: bytes) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError("the token is gone")
            return other_key.sign(message)

    writer = opened(state)
    with pytest.raises(Poisoned, match="the token is gone"):
        writer.rotate(Fails(), because="x")
    writer.close()
    with opened(state) as writer:
        assert writer.public == key.public
        writer.append(event())


# ------------------------------------------------------------------------------------- where a key comes from


def lend(folder: Path, key: SealingKey, passphrase: bytes | None = None) -> Path:
    folder.mkdir(mode=0o700)
    (folder / "healer-seal.pem").write_bytes(key.pem(passphrase))
    (folder / "healer-seal.pem").chmod(0o400)
    if passphrase:
        (folder / "healer-seal-passphrase").write_bytes(passphrase + b"\n")
        (folder / "healer-seal-passphrase").chmod(0o400)
    return folder


@pytest.mark.parametrize("passphrase", [None, b"open sesame"])
def test_a_key_that_systemd_lends_comes_first_and_stays_where_it_is(tmp_path, other_key, event, passphrase):
    lent = lend(tmp_path / "lent", other_key, passphrase)
    for _ in range(2):
        with opened(tmp_path / "s", credentials=lent) as writer:
            assert writer.public == other_key.public
            writer.append(event())
    assert names(tmp_path / "s") == {"seal.pub"}
    assert verify(Ask(log=tmp_path / "s", deep=True)).exit_code == 0


def test_a_folder_of_credentials_without_a_key_changes_nothing(state, tmp_path, key):
    (tmp_path / "lent").mkdir()
    with opened(state, credentials=tmp_path / "lent") as writer:
        assert writer.public == key.public


def test_a_lent_key_that_is_not_the_logs_is_refused(state, tmp_path, other_key):
    with pytest.raises(Damaged, match="not signed by the sealing key"):
        opened(state, credentials=lend(tmp_path / "lent", other_key))
    assert keys.load_public(state / "keys" / "seal.pub") != other_key.public


def test_a_change_to_a_lent_key_is_finished_by_whoever_opens_the_log_with_it(state, tmp_path, key, other_key, event):
    class Elsewhere:
        public = other_key.public
        sign = other_key.sign

    writer = opened(state)
    with pytest.MonkeyPatch.context() as patch:
        dying_at("sealed", patch, writer)
        with pytest.raises(Died):
            writer.rotate(Elsewhere(), because="lent from now on")
    writer.abandon()
    assert (state / "keys" / "seal.pem").exists()
    with opened(state, credentials=lend(tmp_path / "lent", other_key)) as writer:
        writer.append(event())
    assert not (state / "keys" / "seal.pem").exists()
    assert keys.load_public(state / "keys" / "seal.pub") == other_key.public
    proves(state, tmp_path, key)


def test_a_public_key_that_was_never_in_force_is_not_replaced(state, other_key):
    (state / "keys" / "seal.pub").write_bytes(other_key.public.pem)
    with pytest.raises(KeyRefused, match="not the public half"):
        keyring.settle(state / "keys", keys.load_private(state / "keys" / "seal.pem").public)


def test_a_given_up_change_leaves_no_key_behind_when_another_follows(state, key, other_key, third_key):
    keyring.stage(state / "keys", key.public, other_key)

    class Elsewhere:
        public = third_key.public
        sign = third_key.sign

    with opened(state, signer=key) as writer:
        writer.rotate(Elsewhere(), because="x")
    assert names(state) == {"seal.pub", "first.pub", f"old-{key.public.fingerprint[:16]}.pub"}


def test_a_first_key_made_with_a_passphrase_needs_it_for_ever(tmp_path, event):
    with opened(tmp_path / "s", passphrase=b"one") as writer:
        writer.append(event())
    with pytest.raises(KeyRefused, match="there is no passphrase"):
        opened(tmp_path / "s")
    with pytest.raises(KeyRefused, match="does not open"):
        opened(tmp_path / "s", passphrase=b"two")
    with opened(tmp_path / "s", passphrase=b"one") as writer:
        writer.append(event())


def test_a_lent_passphrase_opens_the_key_in_the_folder(tmp_path, key):
    folder, lent = tmp_path / "keys", tmp_path / "lent"
    keys.make(folder, b"sesame")
    lent.mkdir()
    (lent / "healer-seal-passphrase").write_bytes(b"sesame\n")
    (lent / "healer-seal-passphrase").chmod(0o400)
    assert keyring.load(folder, keyring.lent_passphrase(lent)) is not None
    assert keyring.lent_passphrase(None) is None
    assert keyring.lent_passphrase(folder) is None


@pytest.mark.parametrize(
    ("content", "mode", "because"),
    [
        (b"", 0o400, "holds no passphrase"),
        (b"\n", 0o400, "holds no passphrase"),
        (b"x" * 2000, 0o400, "holds no"),
        (b"x", 0o444, "open to others"),
        (b"x", 0o640 if os.geteuid() else 0o604, "open to others"),
    ],
)
def test_an_open_or_empty_passphrase_is_refused(tmp_path, content, mode, because):
    (tmp_path / "healer-seal-passphrase").write_bytes(content)
    (tmp_path / "healer-seal-passphrase").chmod(mode)
    with pytest.raises(KeyRefused, match=because) as caught:
        keyring.lent_passphrase(tmp_path)
    assert caught.value.hint


def test_a_public_key_alone_says_that_a_log_was_begun(state):
    (state / "audit.db").unlink()
    (state / "keys" / "seal.pem").unlink()
    (state / "anchor").unlink()
    with pytest.raises(Damaged, match="missing or empty"):
        opened(state)
