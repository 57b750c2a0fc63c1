"""The sealing key: made once, refused when anything is odd, with the command that repairs it."""

import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from audit import keys
from audit.errors import KeyRefused
from audit.keys import SealingKey

PKCS8 = PrivateFormat.PKCS8


@pytest.fixture
def folder(tmp_path, key):
    """A key folder as ``make`` leaves it, without the wait for a new key."""
    place = tmp_path / "keys"
    place.mkdir(mode=0o700)
    (place / "seal.pem").write_bytes(key.pem())
    (place / "seal.pem").chmod(0o600)
    (place / "seal.pub").write_bytes(key.public.pem)
    return place


def put(folder, pem: bytes) -> None:
    (folder / "seal.pem").write_bytes(pem)


def test_a_made_key_is_closed_and_loads_again(tmp_path):
    folder = tmp_path / "keys"
    made = keys.make(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "seal.pem").stat().st_mode) == 0o600
    assert sorted(path.name for path in folder.iterdir()) == ["seal.pem", "seal.pub"]
    loaded = keys.load(folder)
    assert loaded.public == made.public
    assert made.public.verify(loaded.sign(b"m"), b"m")
    assert keys.load_public(folder / "seal.pub") == made.public


def test_a_key_is_never_replaced(folder):
    before = (folder / "seal.pem").read_bytes()
    with pytest.raises(KeyRefused, match="exists already"):
        keys.make(folder)
    assert (folder / "seal.pem").read_bytes() == before


def test_a_dangling_link_counts_as_a_key(folder):
    (folder / "seal.pem").unlink()
    (folder / "seal.pem").symlink_to("nowhere")
    assert keys.exists(folder)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777])
def test_a_loose_key_is_refused_with_the_command(folder, mode):
    (folder / "seal.pem").chmod(mode)
    with pytest.raises(KeyRefused, match="open to others") as caught:
        keys.load(folder)
    assert caught.value.hint == f"run: chmod 600 {folder / 'seal.pem'}"


def test_a_loose_folder_is_refused_with_the_command(folder):
    folder.chmod(0o755)
    with pytest.raises(KeyRefused) as caught:
        keys.load(folder)
    assert caught.value.hint == f"run: chmod 700 {folder}"


def test_a_key_of_another_user_is_refused(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(folder / "seal.pem", 65534, 65534)
    with pytest.raises(KeyRefused, match="belongs to user 65534") as caught:
        keys.load(folder)
    assert caught.value.hint == f"run: chown 0 {folder / 'seal.pem'}"


def test_a_link_is_not_followed(folder, tmp_path):
    (folder / "seal.pem").rename(tmp_path / "elsewhere")
    (folder / "seal.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(KeyRefused, match="not a regular file"):
        keys.load(folder)


def test_a_linked_folder_is_not_followed(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(KeyRefused, match="not a folder"):
        keys.load(tmp_path / "link")


def test_fifo_and_folder_are_refused(folder):
    (folder / "seal.pem").unlink()
    os.mkfifo(folder / "seal.pem", 0o600)
    with pytest.raises(KeyRefused, match="not a regular file"):
        keys.load(folder)
    (folder / "seal.pem").unlink()
    (folder / "seal.pem").mkdir(0o600)
    with pytest.raises(KeyRefused, match="not a regular file"):
        keys.load(folder)


def test_missing_key_and_folder_say_where_they_belong(folder, tmp_path):
    (folder / "seal.pem").unlink()
    with pytest.raises(KeyRefused, match="missing"):
        keys.load(folder)
    with pytest.raises(KeyRefused, match="missing"):
        keys.load(tmp_path / "nothing")
    with pytest.raises(KeyRefused, match="missing"):
        keys.load_public(tmp_path / "nothing.pub")


def test_two_keys_in_one_file_are_refused(folder, key, other_key):
    put(folder, key.pem() + other_key.pem())
    with pytest.raises(KeyRefused, match="exactly one key"):
        keys.load(folder)


def test_encrypted_garbage_and_empty_files_are_refused(folder, key):
    encrypted = key._private.private_bytes(Encoding.PEM, PKCS8, BestAvailableEncryption(b"secret"))
    for pem in (encrypted, b"", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", bytes(70_000)):
        put(folder, pem)
        with pytest.raises(KeyRefused):
            keys.load(folder)


def test_a_public_key_in_place_of_the_private_one_is_refused(folder, key):
    put(folder, key.public.pem)
    with pytest.raises(KeyRefused, match="unencrypted private key"):
        keys.load(folder)


@pytest.mark.parametrize(
    ("private", "because"),
    [
        (lambda: ec.generate_private_key(ec.SECP256R1()), "not RSA"),
        (lambda: rsa.generate_private_key(65537, 2048), "2048 bits"),
        (lambda: rsa.generate_private_key(3, 3072), "exponent 3 "),
    ],
)
def test_keys_of_the_wrong_kind_are_refused(folder, private, because):
    put(folder, private().private_bytes(Encoding.PEM, PKCS8, NoEncryption()))
    with pytest.raises(KeyRefused, match=because):
        keys.load(folder)


def test_the_public_half_is_written_again_after_a_crash(folder, key):
    (folder / "seal.pub").unlink()
    keys.load(folder)
    assert (folder / "seal.pub").read_bytes() == key.public.pem


def test_a_replaced_public_half_is_refused(folder, other_key):
    (folder / "seal.pub").write_bytes(other_key.public.pem)
    with pytest.raises(KeyRefused, match="not the public half"):
        keys.load(folder)


def test_a_damaged_public_key_is_named(tmp_path):
    (tmp_path / "x.pub").write_bytes(b"junk")
    with pytest.raises(KeyRefused, match=r"x\.pub"):
        keys.load_public(tmp_path / "x.pub")


def test_a_loose_folder_is_refused_before_a_key_is_made(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(KeyRefused, match="open to others"):
        keys.make(tmp_path / "keys")


def test_generated_keys_have_3072_bits():
    assert SealingKey.generate().public.modulus.bit_length() == 3072
