"""Time-stamp tokens: the published ones, and everything that must not pass for one."""

import base64
import os
import subprocess
import sys
from hashlib import new, sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import DNSName, NameConstraints
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import der, timestamp, x509
from audit.errors import AuditError, KeyRefused, Malformed, Undated, UnknownVersion
from audit.timestamp import check

IMPRINT = sha256(b"a checkpoint").digest()
TIME_US = 1_798_859_045_500_000  # 2027-01-02 03:04:05.5
HOUR = 3_600_000_000


# ----------------------------------------------------------------------------------- published tokens


@pytest.fixture
def fixtures(vectors) -> Path:
    return vectors / "rfc3161" / "test" / "fixtures"


def pinned(folder: Path) -> list[x509.Certificate]:
    octets = (folder / "ts_chain.pem").read_bytes()
    # One of the files called .pem is DER.
    return x509.from_pem(octets) if octets.startswith(b"-") else [x509.parse(octets)]


VALID = {
    "identrust/issue-104": ("sha512", "C=US, O=IdenTrust, CN=TrustID Timestamp Authority", None),
    "sigstage/response-no-embedded-cert": ("sha256", "O=sigstore.dev, CN=sigstore-tsa", 1_000_000),
    "sigstage/response-sha256": ("sha256", "O=sigstore.dev, CN=sigstore-tsa", 1_000_000),
    "sigstage/response-sha384": ("sha384", "O=sigstore.dev, CN=sigstore-tsa", 1_000_000),
    "sigstage/response-sha512": ("sha512", "O=sigstore.dev, CN=sigstore-tsa", 1_000_000),
    "sigstore.mock/response-expired": ("sha256", "CN=tsa signing, O=sigstore.mock", 1_000_000),
    "test_tsa/response": ("sha512", "O=local, CN=Test TSA Timestamping", 1_000_000),
}


def published(fixtures: Path, name: str, hashed: str) -> tuple[bytes, bytes, list[x509.Certificate]]:
    path = (fixtures / name).with_suffix(".tsr")
    payload = path.with_name("payload")
    message = payload.read_bytes() if payload.exists() else b"hello"
    return path.read_bytes(), new(hashed, message).digest(), pinned(path.parent)


@pytest.mark.parametrize("name", VALID)
def test_published_tokens_are_accepted(fixtures, name):
    hashed, authority, accuracy = VALID[name]
    token, imprint, roots = published(fixtures, name, hashed)
    stamp = check(token, imprint, roots)
    assert (stamp.authority, stamp.accuracy_us) == (authority, accuracy)
    assert check(token, imprint, roots, nonce=stamp.nonce) == stamp
    with pytest.raises(Undated, match="another message"):
        check(token, new(hashed, b"other").digest(), roots)
    with pytest.raises(Undated, match="nonce"):
        check(token, imprint, roots, nonce=1)


def test_the_figures_of_a_published_token_are_those_openssl_prints(fixtures):
    stamp = check(*published(fixtures, "sigstage/response-sha256", "sha256"))
    assert stamp.time_us == 1_746_791_935_000_000  # May  9 11:58:55 2025 GMT
    assert (stamp.policy, stamp.ordered) == ("1.3.6.1.4.1.57264.2", False)
    assert stamp.serial == 0x784B4C5E57AAA63B570F15CBA4DF95251668AE9E
    assert stamp.nonce == 0x051708B19A1D2E209C2236FFC3238BF24DCECC40


def test_a_token_outlives_its_certificate_and_is_judged_at_its_own_time(fixtures):
    token, imprint, roots = published(fixtures, "sigstore.mock/response-expired", "sha256")
    stamp = check(token, imprint, roots)
    with pytest.raises(Undated, match="was not valid at that time"):
        check(token, imprint, roots, at=stamp.time_us + 2 * 365 * 24 * HOUR)


def test_a_published_token_with_a_broken_signature_is_refused(fixtures):
    with pytest.raises(Undated, match="the signature is not that of the certificate"):
        check(*published(fixtures, "sigstage/response-invalid-signature", "sha256"))


def test_a_published_token_of_another_chain_is_refused(fixtures):
    with pytest.raises(Undated, match="no pinned certificate stands behind"):
        check(*published(fixtures, "test_tsa/other_response", "sha512"))


def test_certificates_injected_into_the_bag_speak_for_nobody(fixtures):
    """The bag is not signed: a spoofed authority first in it is neither named nor believed, nor of use as a pin."""
    token, imprint, roots = published(fixtures, "test_tsa/response-injected-certs", "sha512")
    assert check(token, imprint, roots).authority == "O=local, CN=Test TSA Timestamping"
    bag = timestamp._read_signed(timestamp._granted(token)).bag
    assert bag[0].name == "CN=Spoofed TSA"
    for spoofed in bag[:2]:
        with pytest.raises(Undated, match="no pinned certificate stands behind O=local"):
            check(token, imprint, [spoofed])


def test_what_a_token_lacks_must_be_pinned(fixtures):
    token, imprint, roots = published(fixtures, "sigstage/response-no-embedded-cert", "sha256")
    with pytest.raises(Undated, match="neither in the token nor pinned"):
        check(token, imprint, roots[-1:])
    token, imprint, roots = published(fixtures, "test_tsa/response", "sha512")
    with pytest.raises(Undated, match="no pinned certificate stands behind"):
        check(token, imprint, roots[-1:])
    assert check(token, imprint, roots[1:2])


def test_an_auditor_needs_nothing_but_python(fixtures):
    token, imprint, roots = published(fixtures, "sigstage/response-sha256", "sha256")
    code = (
        "import sys, base64; sys.path.insert(0, sys.argv[1]); from audit import timestamp, x509;"
        "token, imprint, root = (base64.b64decode(one) for one in sys.argv[2:]);"
        "print(timestamp.check(token, imprint, [x509.parse(root)]).time_us, 'cryptography' in sys.modules)"
    )
    arguments = [base64.b64encode(one).decode() for one in (token, imprint, roots[-1].der)]
    root = str(Path(timestamp.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, root, *arguments], capture_output=True, text=True, check=True
    )
    assert done.stdout == "1746791935000000 False\n"


# ------------------------------------------------------------------------------------- what is stamped


def test_the_text_of_a_note_is_stamped_without_its_signatures():
    note = b"origin\n3\nroot\n\n\xe2\x80\x94 web AAAAAAAA\n"
    assert timestamp.imprint_of(note) == sha256(b"origin\n3\nroot\n").digest()
    assert timestamp.imprint_of(note + b"\xe2\x80\x94 peer AAAAAAAA\n") == timestamp.imprint_of(note)
    for bad in (b"", b"\n\n", b"text\n", b"text\n\n", b"text\n\nno signature\n", b"\xff\n\n\xe2\x80\x94 w AAAAAAAA\n"):
        with pytest.raises(Malformed):
            timestamp.imprint_of(bad)


# -------------------------------------------------------------------------------------- what is proven


def test_an_honest_token_says_time_accuracy_and_who(stamper):
    stamp = check(stamper.token(IMPRINT), IMPRINT, stamper.roots, nonce=7)
    assert (stamp.time_us, stamp.accuracy_us, stamp.serial, stamp.nonce) == (TIME_US, 1_005_000, 9, 7)
    assert (stamp.authority, stamp.policy) == ("O=Test, CN=Stamper", "1.2.3.4")


def test_a_pinned_signer_needs_no_root(stamper):
    leaf = x509.parse(stamper.leaf.public_bytes(Encoding.DER))
    assert check(stamper.token(IMPRINT, bag=[]), IMPRINT, [leaf])


def test_nothing_pinned_is_nothing_proven(stamper):
    with pytest.raises(Undated, match="no pinned certificate"):
        check(stamper.token(IMPRINT), IMPRINT, [])


@pytest.mark.parametrize("bits", [2048, 3072])
def test_rsa_authorities_are_checked_too(stamp_with, bits):
    one = stamp_with(rsa.generate_private_key(65537, bits))
    assert check(one.token(IMPRINT), IMPRINT, one.roots)
    with pytest.raises(Undated, match="signature"):
        check(one.token(IMPRINT, signature=bytes(bits // 8)), IMPRINT, one.roots)


def test_weak_keys_are_refused(stamp_with):
    for key in (rsa.generate_private_key(65537, 1024), rsa.generate_private_key(3, 2048)):
        one = stamp_with(key)
        with pytest.raises(KeyRefused, match="is refused"):
            check(one.token(IMPRINT), IMPRINT, one.roots)
    one = stamp_with(ec.generate_private_key(ec.SECP521R1()))
    with pytest.raises(KeyRefused, match="another curve"):
        check(one.token(IMPRINT), IMPRINT, one.roots)


def test_pss_signatures_are_checked_too(stamp_with, monkeypatch):
    one = stamp_with(rsa.generate_private_key(65537, 2048))
    pss = padding.PSS(padding.MGF1(SHA256()), 32)
    hashed = der.encode(0x30, der.oid("2.16.840.1.101.3.4.2.1"), der.NULL)
    mask = der.encode(0x30, der.oid("1.2.840.113549.1.1.8"), hashed)
    fields = [der.encode(0xA0, hashed), der.encode(0xA1, mask), der.encode(0xA2, der.integer(32))]
    algorithm = der.encode(0x30, der.oid("1.2.840.113549.1.1.10"), der.encode(0x30, *fields))
    monkeypatch.setattr(one, "sign", lambda message: (algorithm, one.key.sign(message, pss, SHA256())))
    assert check(one.token(IMPRINT), IMPRINT, one.roots)
    monkeypatch.setattr(one, "sign", lambda message: (algorithm, one.key.sign(message, padding.PKCS1v15(), SHA256())))
    with pytest.raises(Undated, match="signature"):
        check(one.token(IMPRINT), IMPRINT, one.roots)


SHA1, SHA384_OID = "1.3.14.3.2.26", "2.16.840.1.101.3.4.2.2"
TYPE, DIGEST, PIN, OLD_PIN = (
    "1.2.840.113549.1.9.3",
    "1.2.840.113549.1.9.4",
    "1.2.840.113549.1.9.16.2.47",
    "1.2.840.113549.1.9.16.2.12",
)


@pytest.mark.parametrize(
    ("changes", "error", "because"),
    [
        ({"signers": 0}, Malformed, "0 signers"),
        ({"signers": 2}, Malformed, "2 signers"),
        ({"version": der.integer(1)}, UnknownVersion, "another version than 3"),
        ({"signer_version": der.integer(3)}, UnknownVersion, "not named by issuer"),
        ({"type": "1.2.840.113549.1.7.1"}, Malformed, "not about a time-stamp"),
        ({"sid": der.encode(0x30, der.encode(0x30), der.integer(1), der.NULL)}, Malformed, "after the end"),
        ({"hash": SHA1}, UnknownVersion, "hash 1.3.14.3.2.26 is not accepted"),
        ({"hash": SHA384_OID}, Undated, "the hash of another content"),
        ({"attributes": {TYPE: None}}, Malformed, "do not name content type"),
        ({"attributes": {DIGEST: None}}, Malformed, "do not name content type"),
        ({"attributes": {PIN: None}}, Malformed, "do not name the signer's certificate"),
        ({"attributes": {TYPE: der.oid("1.2.840.113549.1.7.1")}}, Malformed, "another type of content"),
        ({"attributes": {DIGEST: der.encode(4, bytes(32))}}, Undated, "hash of another content"),
        ({"attributes": {PIN: der.oid("1.2")}}, Malformed, "not a sequence"),
        ({"content": b"\x30\x00"}, Undated, "hash of another content"),
        ({"signature": b""}, Undated, "signature"),
        ({"signature": der.encode(0x30, der.integer(0), der.integer(0))}, Undated, "signature"),
        ({"algorithm": der.encode(0x30, der.oid("1.2.840.10045.4.1"))}, UnknownVersion, "10045.4.1"),
        ({"algorithm": der.encode(0x30, der.oid("1.2.840.10045.4.3.3"))}, Malformed, "sha384 for a message"),
        ({"algorithm": der.encode(0x30, der.oid("1.2.840.113549.1.1.11"), der.NULL)}, KeyRefused, "not RSA"),
        ({"bag": []}, Undated, "neither in the token nor pinned"),
        ({"status": der.encode(0x30, der.integer(1))}, Undated, "granted with changes"),
        ({"status": der.encode(0x30, der.integer(99))}, Undated, "status 99"),
        ({"status": der.encode(0x30, der.encode(2, b"\xff"))}, Undated, "status -1"),
        ({"info": der.encode(0x30, der.integer(2))}, UnknownVersion, "another version than 1"),
    ],
)
def test_every_part_that_must_hold_is_checked(stamper, changes, error, because):
    with pytest.raises(error, match=because):
        check(stamper.token(IMPRINT, **changes), IMPRINT, stamper.roots)


def test_a_rejection_is_told_in_words_that_move_no_cursor(stamper):
    texts = der.encode(0x30, der.encode(0x0C, b"try \x1b[2Jlater"))
    status = der.encode(0x30, der.integer(2), texts, der.encode(3, b"\x06\x80\x40"))
    with pytest.raises(Undated, match=r"rejected, try \?\[2Jlater, the algorithm is not supported"):
        check(der.encode(0x30, status), IMPRINT, stamper.roots)


def test_an_attribute_twice_or_with_two_values_is_refused(stamper):
    again = der.encode(0x30, der.oid(TYPE), der.encode(0x31, der.oid(TYPE)))
    two = der.encode(0x30, der.oid("1.2.3"), der.encode(0x31, der.NULL, der.NULL))
    for odd in (again, two):
        with pytest.raises(Malformed, match="more than once"):
            check(stamper.token(IMPRINT, more=[odd]), IMPRINT, stamper.roots)


@pytest.mark.parametrize("oid", [PIN, OLD_PIN])
def test_the_signer_is_the_certificate_whose_hash_was_signed(stamper, certify, oid):
    """Same key, same name, same issuer: another certificate all the same."""
    twin = certify("CN=Stamper,O=Test", stamper.key, (stamper.root, stamper.root_key))
    octets = twin.public_bytes(Encoding.DER)
    digest = new("sha1" if oid == OLD_PIN else "sha256", octets).digest()
    pin = der.encode(0x30, der.encode(0x30, der.encode(0x30, der.encode(4, digest))))
    attributes = {PIN: None, oid: pin}
    both = [stamper.leaf, twin]
    assert check(stamper.token(IMPRINT, attributes=attributes, leaf=twin, bag=both), IMPRINT, stamper.roots)
    for leaf, bag in ((stamper.leaf, both), (twin, [stamper.leaf])):
        with pytest.raises(Undated, match="neither in the token nor pinned"):
            check(stamper.token(IMPRINT, attributes=attributes, leaf=leaf, bag=bag), IMPRINT, stamper.roots)


def test_both_pins_must_agree_where_there_are_two(stamper):
    wrong = der.encode(0x30, der.encode(0x30, der.encode(0x30, der.encode(4, bytes(20)))))
    with pytest.raises(Undated, match="neither in the token nor pinned"):
        check(stamper.token(IMPRINT, attributes={OLD_PIN: wrong}), IMPRINT, stamper.roots)


def test_the_pin_may_name_its_hash(stamper):
    digest = new("sha384", stamper.leaf.public_bytes(Encoding.DER)).digest()
    hashed = der.encode(0x30, der.oid(SHA384_OID))
    pin = der.encode(0x30, der.encode(0x30, der.encode(0x30, hashed, der.encode(4, digest))))
    assert check(stamper.token(IMPRINT, attributes={PIN: pin}), IMPRINT, stamper.roots)


@pytest.mark.parametrize(
    ("leaf", "because"),
    [
        ({"purposes": ()}, "not for time-stamping alone"),
        ({"critical": False}, "not for time-stamping alone"),
        ({"purposes": (ExtendedKeyUsageOID.CODE_SIGNING,)}, "not for time-stamping alone"),
        ({"purposes": (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING)}, "alone"),
        ({"purposes": (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,)}, "not for time-stamping alone"),
        ({"authority": True, "usage": None}, "may issue certificates"),
        ({"authority": True}, "may issue certificates"),
        ({"usage": False}, "may not sign"),
        ({"years": (2028, 2036)}, "was not valid at that time"),
        ({"years": (2024, 2027)}, "was not valid at that time"),
        ({"more": [(NameConstraints([DNSName("a")], None), True)]}, "not known here"),
    ],
)
def test_a_key_that_is_not_for_stamping_alone_stamps_nothing(stamp_with, leaf, because):
    one = stamp_with(**leaf)
    with pytest.raises(Undated, match=because):
        check(one.token(IMPRINT), IMPRINT, one.roots)
    with pytest.raises(Undated, match=because):  # pinned or not
        check(one.token(IMPRINT), IMPRINT, [x509.parse(one.leaf.public_bytes(Encoding.DER))])


def info_with(stamper, tail: bytes = b"", **changes: object) -> bytes:
    return stamper.token(IMPRINT, info=stamper.info(IMPRINT, tail=tail, **changes))


@pytest.mark.parametrize(
    ("tail", "error", "because"),
    [
        (der.encode(0xA0, der.encode(0xA4, der.encode(0x30))), Undated, "names another authority"),
        (der.encode(0xA1, der.encode(0x30, der.oid("1.2"), b"\x01\x01\xff", der.encode(4))), UnknownVersion, "insists"),
        (
            der.encode(
                0xA1,
                der.encode(0x30, der.oid("1.2"), b"\x01\x01\xff", der.encode(4)),
                der.encode(0x30, der.oid("1.3"), der.encode(4)),
            ),
            UnknownVersion,
            "insists",
        ),
        (der.integer(8), Malformed, "after the end"),
        (b"\x00", Malformed, r"ends where|after the end"),
    ],
)
def test_what_follows_in_a_time_stamp_is_checked(stamper, tail, error, because):
    with pytest.raises(error, match=because):
        check(info_with(stamper, tail), IMPRINT, stamper.roots)


def rewritten(stamper, number: int, element: bytes) -> bytes:
    """Stamp with another element at this place of the TSTInfo."""
    parts = [one.der for one in der.only(stamper.info(IMPRINT)).reader().rest()]
    parts[number] = element
    return stamper.token(IMPRINT, info=der.encode(0x30, *parts))


def test_the_imprint_must_be_of_the_hash_it_names_and_nothing_more(stamper):
    digest, end = der.encode(4, IMPRINT), der.encode(0x30, der.oid("2.16.840.1.101.3.4.2.1"))
    other = der.encode(0x30, der.oid(SHA384_OID))
    with pytest.raises(Undated, match="another message"):
        check(rewritten(stamper, 2, der.encode(0x30, other, digest)), IMPRINT, stamper.roots)
    with pytest.raises(Malformed, match="after the end"):
        check(rewritten(stamper, 2, der.encode(0x30, end, digest, der.NULL)), IMPRINT, stamper.roots)
    assert check(rewritten(stamper, 2, der.encode(0x30, end, digest)), IMPRINT, stamper.roots)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([], 0),
        ([der.integer(0)], 0),
        ([b"\x80\x02\x03\xe7", b"\x81\x01\x01"], 999_001),
        ([der.integer(60), b"\x81\x02\x03\xe7"], 60_000_999),
        ([b"\x80\x01\x00"], None),
        ([b"\x80\x02\x03\xe8"], None),
        ([b"\x81\x01\xff"], None),
        ([der.encode(2, b"\xff")], None),
        ([b"\x81\x01\x01", b"\x80\x01\x01"], None),
    ],
)
def test_an_accuracy_is_a_sum_within_its_bounds(stamper, parts, expected):
    token = rewritten(stamper, 5, der.encode(0x30, *parts))
    if expected is None:
        with pytest.raises(Malformed):
            check(token, IMPRINT, stamper.roots)
    else:
        assert check(token, IMPRINT, stamper.roots).accuracy_us == expected


def test_an_accuracy_nobody_gave_is_not_zero(stamper):
    assert check(rewritten(stamper, 5, b""), IMPRINT, stamper.roots).accuracy_us is None


def test_content_that_is_not_signed_data_is_refused(stamper):
    token = stamper.token(IMPRINT).replace(der.oid("1.2.840.113549.1.7.2"), der.oid("1.2.840.113549.1.7.3"))
    with pytest.raises(Malformed, match="not signed data"):
        check(token, IMPRINT, stamper.roots)


def test_harmless_additions_are_read_over(stamper):
    name = der.encode(0xA0, der.encode(0xA4, stamper.leaf.subject.public_bytes()))
    extra = der.encode(0xA1, der.encode(0x30, der.oid("1.2"), der.encode(4)))
    assert check(info_with(stamper, name + extra), IMPRINT, stamper.roots).nonce == 7
    other = der.encode(0xA0, der.encode(0x82, b"tsa.example"))
    assert check(info_with(stamper, other), IMPRINT, stamper.roots)


@pytest.mark.parametrize("time", [b"20270102030405Z", b"20270102030405.500001Z", b"20270102030405.5000019Z"])
def test_fractions_of_a_second_are_kept_to_the_microsecond(stamper, time):
    stamp = check(info_with(stamper, time=time), IMPRINT, stamper.roots)
    assert stamp.time_us == TIME_US + {15: -500_000, 22: 1, 23: 1}[len(time)]


@pytest.mark.parametrize(
    "time", [b"20270102030405.50Z", b"20270102030405", b"20270230030405Z", b"20270102030460Z", b""]
)
def test_times_that_der_or_the_calendar_do_not_know_are_refused(stamper, time):
    with pytest.raises(Malformed, match="time"):
        check(info_with(stamper, time=time), IMPRINT, stamper.roots)


def test_another_message_nonce_or_size_of_imprint_is_refused(stamper):
    token = stamper.token(IMPRINT)
    for other in (sha256(b"other").digest(), new("sha384", b"a checkpoint").digest()):
        with pytest.raises(Undated, match="another message"):
            check(token, other, stamper.roots)
    with pytest.raises(Malformed, match="31 octets"):
        check(token, IMPRINT[1:], stamper.roots)
    with pytest.raises(Undated, match="nonce"):
        check(token, IMPRINT, stamper.roots, nonce=8)
    with pytest.raises(Undated, match="nonce"):
        check(stamper.token(IMPRINT, None), IMPRINT, stamper.roots, nonce=0)


# --------------------------------------------------------------------------------------- hostile octets


def test_half_a_token_none_or_too_much_of_one_is_malformed(stamper):
    token = stamper.token(IMPRINT)
    for bad in (b"", b"\x30", token[: len(token) // 2], token[:-1], token + b"\x00", token + token):
        with pytest.raises(Malformed):
            check(bad, IMPRINT, stamper.roots)
    with pytest.raises(Malformed, match="more than 65536 bytes"):
        check(stamper.token(IMPRINT, signature=bytes(65_536)), IMPRINT, stamper.roots)


def test_the_indefinite_lengths_of_ber_are_refused(stamper):
    token = der.only(stamper.token(IMPRINT))
    with pytest.raises(Malformed, match="shortest definite"):
        check(b"\x30\x80" + token.content + b"\x00\x00", IMPRINT, stamper.roots)


class Raw:
    """Something in the bag that is not a certificate of ours."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def public_bytes(self, _: Encoding) -> bytes:
        return self.octets


def test_old_and_odd_certificates_may_travel_along_but_nonsense_may_not(stamper):
    version_1 = der.encode(0x30, der.encode(0x30, der.integer(5)), der.encode(0x30), der.encode(3, b"\x00"))
    odd = [Raw(version_1), stamper.leaf, Raw(der.encode(0xA1, b"attributes"))]
    assert check(stamper.token(IMPRINT, bag=odd), IMPRINT, stamper.roots)
    with pytest.raises(Malformed):
        check(stamper.token(IMPRINT, bag=[stamper.leaf, Raw(der.encode(0x30))]), IMPRINT, stamper.roots)


def test_a_bag_without_end_is_refused(stamper):
    with pytest.raises(Malformed, match="17 certificates"):
        check(stamper.token(IMPRINT, bag=[stamper.leaf] * 17), IMPRINT, stamper.roots)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused_with_a_sentence(stamper, noise):
    for octets in (noise, der.encode(0x30, noise), der.encode(0x30, der.encode(0x30, der.integer(0)), noise)):
        with pytest.raises(AuditError):
            check(octets, IMPRINT, stamper.roots)


def test_no_flipped_bit_gives_a_token_another_meaning(stamper):
    """What nobody signed, such as the list of hash algorithms, may change; what the token says may not."""
    step = int(os.environ.get("HEALER_TORTURE_STEP", "37"))
    token = stamper.token(IMPRINT)
    honest = check(token, IMPRINT, stamper.roots)
    accepted = 0
    for place in range(0, 8 * len(token), step):
        changed = bytearray(token)
        changed[place // 8] ^= 1 << place % 8
        try:
            assert check(bytes(changed), IMPRINT, stamper.roots) == honest, place
            accepted += 1
        except AuditError:
            pass
    assert accepted <= 8 * len(token) / step / 20
