"""The sealing key: made once, refused when anything is odd, with the command that repairs it."""

import base64
import functools
import os
import stat
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from audit import keys, signature
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


def test_a_key_in_somebody_elses_folder_is_refused_without_advice_to_close_that(folder):
    folder.chmod(0o755)
    with pytest.raises(KeyRefused, match="open to others") as caught:
        keys.load_private(folder / "seal.pem")
    assert "chmod" not in caught.value.hint
    assert "a folder of its own" in caught.value.hint
    with pytest.raises(KeyRefused, match="nothing is missing"):
        keys.load_private(folder / "nothing")


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


def secret(key, passphrase: bytes = b"secret") -> bytes:
    return key.pem(passphrase)


def pkcs8(private) -> bytes:
    return private.private_bytes(Encoding.PEM, PKCS8, NoEncryption())


def traditional(key) -> bytes:
    return key._private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def certificate(key) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "n")])
    day = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key._private.public_key(), 1, day, day)
    return builder.sign(key._private, SHA256()).public_bytes(Encoding.PEM)


def oversized(bits: int) -> bytes:
    """A key of that many bits whose numbers are nonsense: a real one takes minutes to make."""
    n = (1 << (bits - 1)) | 1
    numbers = b"".join(signature._integer(value) for value in (0, n, 65537, 5, 5, 5, 5, 5, 5))
    private = signature._tlv(0x04, signature._tlv(0x30, numbers))
    der = signature._tlv(0x30, signature._integer(0) + signature._RSA_ENCRYPTION + private)
    text = base64.encodebytes(der).replace(b"\n", b"")
    lines = b"\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return b"-----BEGIN PRIVATE KEY-----\n" + lines + b"\n-----END PRIVATE KEY-----\n"


@functools.cache
def weak(bits: int, exponent: int) -> bytes:
    return pkcs8(rsa.generate_private_key(exponent, bits))


NEW = "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072"
BACKUP = "restore it from your backup"


@pytest.mark.parametrize(
    ("pem", "because", "fix"),
    [
        (lambda key, _: b"", "is empty", BACKUP),
        (lambda key, _: bytes(2000), "is not a PEM file", BACKUP),
        (lambda key, _: bytes(70_000), "larger than 65536", BACKUP),
        (lambda key, _: key.pem()[:900], "ends in the middle", BACKUP),
        (lambda key, _: key.pem()[:808] + key.pem()[873:], "damaged", BACKUP),
        (lambda key, _: key.pem().replace(b"MII", b"MIJ", 1), "damaged", BACKUP),
        (lambda key, _: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged", BACKUP),
        (lambda key, _: b"# my key\n" + key.pem(), "something else around", "remove that"),
        (lambda key, _: key.pem() + b"\n", "something else around", "remove that"),
        (lambda key, _: key.pem().replace(b"\n", b"\r\n"), "line ends", "run: sed -i 's/\\r$//' {path}"),
        (lambda key, other: key.pem() + other.pem(), "exactly one key", "remove"),
        (lambda key, _: key.pem() + key.public.pem, "exactly one key", "remove"),
        (lambda key, _: key.public.pem, "a public key, not a private key", NEW),
        (lambda key, _: certificate(key), "a certificate, not a private key", NEW),
        (lambda key, _: pkcs8(ec.generate_private_key(ec.SECP256R1())), "not RSA", NEW),
        (lambda key, _: pkcs8(ed25519.Ed25519PrivateKey.generate()), "not RSA", NEW),
        (lambda key, _: DSA, "not RSA in PKCS#8", NEW),
        (lambda key, _: traditional(key), "not PKCS#8", "run: openssl pkcs8 -topk8 -nocrypt -in {path}"),
        (lambda key, _: weak(2048, 65537), "2048 bits", NEW),
        (lambda key, _: oversized(16_392), "16392 bits", NEW),
        (lambda key, _: weak(3072, 3), "exponent 3 ", NEW),
        (lambda key, _: secret(key), "is encrypted, and there is no passphrase", "healer-seal-passphrase"),
    ],
)
def test_what_is_not_one_good_key_is_refused_with_the_fix(folder, key, other_key, pem, because, fix):
    put(folder, pem(key, other_key))
    with pytest.raises(KeyRefused, match=because) as caught:
        keys.load(folder)
    assert fix.format(path=folder / "seal.pem") in caught.value.hint
    assert str(folder / "seal.pem") in caught.value.message


DSA = b"-----BEGIN DSA PRIVATE KEY-----\nAAAA\n-----END DSA PRIVATE KEY-----\n"


@pytest.mark.parametrize("exponent", [1, 2])
def test_an_exponent_that_is_no_rsa_is_refused(folder, exponent):
    hurt = oversized(3072).replace(b"\n", b"")
    body = base64.b64decode(hurt[27:-25]).replace(
        bytes.fromhex("0203010001"), bytes.fromhex("02030000") + bytes([exponent])
    )
    text = base64.encodebytes(body)
    put(folder, b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n")
    with pytest.raises(KeyRefused) as caught:
        keys.load(folder)
    assert caught.value.hint


def test_an_encrypted_key_opens_with_its_passphrase_only(folder, key):
    put(folder, secret(key, "päss".encode()))
    assert keys.load(folder, "päss".encode()).public == key.public
    with pytest.raises(KeyRefused, match="does not open") as caught:
        keys.load(folder, b"wrong")
    assert "healer-seal-passphrase" in caught.value.hint
    assert "wrong" not in str(caught.value)


def test_a_key_made_with_a_passphrase_is_encrypted(tmp_path):
    made = keys.make(tmp_path / "keys", b"secret")
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "keys" / "seal.pem").read_bytes()
    assert keys.load(tmp_path / "keys", b"secret").public == made.public


def test_a_damaged_encrypted_key_is_refused(folder, key):
    pem = secret(key)
    put(folder, pem[:500] + (b"A" if pem[500:501] != b"A" else b"B") + pem[501:])
    with pytest.raises(KeyRefused):
        keys.load(folder, b"secret")


@pytest.mark.parametrize(
    ("mode", "good"), [(0o400, True), (0o440, True), (0o600, False), (0o444, False), (0o460, False)]
)
def test_a_credential_is_read_only_and_root_may_lend_it(tmp_path, key, mode, good):
    if os.geteuid() != 0:
        pytest.skip("only root makes files of the group root")
    path = tmp_path / "healer-seal.pem"
    path.write_bytes(key.pem())
    path.chmod(mode)
    if good:
        assert keys.load_credential(path).public == key.public
        return
    with pytest.raises(KeyRefused, match="open to others, or to writing") as caught:
        keys.load_credential(path)
    assert caught.value.hint == f"run: chmod 400 {path}"


def test_a_credential_that_any_other_group_may_read_is_refused(tmp_path, key):
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = tmp_path / "healer-seal.pem"
    path.write_bytes(key.pem())
    path.chmod(0o440)
    os.chown(path, 0, 65534)
    with pytest.raises(KeyRefused, match="open to others"):
        keys.load_credential(path)
    path.chmod(0o400)
    os.chown(path, 65534, 0)
    with pytest.raises(KeyRefused, match="belongs to user"):
        keys.load_credential(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(KeyRefused, match="not a regular file"):
        keys.load_credential(path)


def test_the_public_half_is_written_again_after_a_crash(folder, key):
    (folder / "seal.pub").unlink()
    keys.load(folder)
    assert (folder / "seal.pub").read_bytes() == key.public.pem


def test_a_replaced_public_half_is_refused(folder, other_key):
    (folder / "seal.pub").write_bytes(other_key.public.pem)
    with pytest.raises(KeyRefused, match="not the public half"):
        keys.load(folder)


def spki(bits: int, exponent: int) -> bytes:
    modulus = (1 << (bits - 1)) | 1
    pair = signature._tlv(0x30, signature._integer(modulus) + signature._integer(exponent))
    der = signature._tlv(0x30, signature._RSA_ENCRYPTION + signature._tlv(0x03, b"\0" + pair))
    return b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) + b"-----END PUBLIC KEY-----\n"


def of_curve() -> bytes:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


AGAIN = "copy keys/seal.pub"


@pytest.mark.parametrize(
    ("pem", "because", "fix"),
    [
        (lambda key, _: b"", "not exactly one PEM block", AGAIN),
        (lambda key, _: b"junk", "not exactly one PEM block", AGAIN),
        (lambda key, _: bytes(70_000), "larger than 65536", "small file"),
        (lambda key, _: key.public.pem[:300], "not exactly one PEM block", AGAIN),
        (lambda key, other: key.public.pem + other.public.pem, "not exactly one PEM block", AGAIN),
        (lambda key, _: b"# mine\n" + key.public.pem, "not exactly one PEM block", AGAIN),
        (lambda key, _: key.pem(), "this is a private key", "seal.pub"),
        (lambda key, _: certificate(key), "this is a certificate", "openssl x509 -in FILE -pubkey -noout"),
        (lambda key, _: of_curve(), "not an RSA key", AGAIN),
        (lambda key, _: spki(2048, 65537), "2048 bits", NEW),
        (lambda key, _: spki(16_392, 65537), "16392 bits", NEW),
        (lambda key, _: spki(3072, 1), "exponent 1 ", NEW),
        (lambda key, _: spki(3072, 3), "exponent 3 ", NEW),
    ],
)
def test_what_is_not_one_good_public_key_is_refused_with_the_fix(tmp_path, key, other_key, pem, because, fix):
    path = tmp_path / "x.pub"
    path.write_bytes(pem(key, other_key))
    with pytest.raises(KeyRefused, match=because) as caught:
        keys.load_public(path)
    assert fix in caught.value.hint
    assert str(path) in caught.value.message


def test_a_public_key_that_went_through_a_mail_is_read(tmp_path, key):
    path = tmp_path / "x.pub"
    path.write_bytes(key.public.pem.replace(b"\n", b"\r\n") + b"\r\n")
    assert keys.load_public(path) == key.public


def test_a_loose_folder_is_refused_before_a_key_is_made(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o755)
    with pytest.raises(KeyRefused, match="open to others"):
        keys.make(tmp_path / "keys")


def test_generated_keys_have_3072_bits():
    assert SealingKey.generate().public.modulus.bit_length() == 3072
