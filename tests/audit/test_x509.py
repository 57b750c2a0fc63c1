"""Certificates, and which of them an authority's can be traced to."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography import x509 as other
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from audit import der, x509
from audit.errors import AuditError, KeyRefused, Malformed, Undated

NOW = 1_800_000_000_000_000  # January 2027
CODE = (ExtendedKeyUsageOID.CODE_SIGNING,)


def new_key():
    return ec.generate_private_key(ec.SECP256R1())


def ours(certificate) -> x509.Certificate:
    return x509.parse(certificate.public_bytes(Encoding.DER))


@pytest.fixture
def chain(certify):
    """Build root, as many issuers as there are sets of changes, and a leaf; return them from the leaf up."""

    def build(*issuers: dict[str, object], root: dict[str, object] | None = None, **leaf: object):
        key = new_key()
        made = [(certify("CN=Root", key, authority=True, **{"purposes": (), **(root or {})}), key)]
        for number, changes in enumerate(issuers):
            key = new_key()
            fields = {"authority": True, "purposes": (), **changes}
            made.append((certify(f"CN=Issuer {number}", key, made[-1], **fields), key))
        key = new_key()
        made.append((certify("CN=Leaf", key, made[-1], **leaf), key))
        return [ours(one) for one, _ in reversed(made)]

    return build


def test_what_a_certificate_says_is_read_as_another_implementation_reads_it(certify):
    key = new_key()
    made = certify("CN=Zeit-Stempel Grüße,O=Test\\, Inc.,C=DE", key, authority=True, path_length=3)
    read = ours(made)
    assert (read.serial, read.signature, read.signed) == (
        made.serial_number,
        made.signature,
        made.tbs_certificate_bytes,
    )
    assert (read.issuer, read.subject) == (made.issuer.public_bytes(), made.subject.public_bytes())
    assert read.not_before_us == made.not_valid_before_utc.timestamp() * 1_000_000
    assert read.not_after_us == made.not_valid_after_utc.timestamp() * 1_000_000
    assert (read.authority, read.path_length) == (True, 3)
    assert read.purposes == (x509.TIME_STAMPING,)
    assert read.name == "C=DE, O=Test, Inc., CN=Zeit-Stempel Grüße"


def test_years_after_2049_are_read_too(certify):
    read = ours(certify("CN=a", new_key(), years=(2049, 2051)))
    assert read.not_after_us == datetime(2051, 1, 1, tzinfo=UTC).timestamp() * 1_000_000


def test_a_name_moves_no_cursor(certify):
    assert ours(certify("CN=a\x1b[2Jb\u202ec", new_key())).name == "CN=a?[2Jb?c"


# --------------------------------------------------------------------------------------------- tracing


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_leaf_is_traced_to_the_root_or_to_anything_pinned_on_the_way(chain, count):
    leaf, *others, root = chain(*[{}] * count)
    for order in (others, others[::-1]):
        x509.trace(leaf, order, [root], NOW)
    for pin in (leaf, *others):
        x509.trace(leaf, others, [pin], NOW)
    for missing in others:
        with pytest.raises(Undated, match="no pinned certificate stands behind CN=Leaf"):
            x509.trace(leaf, [one for one in others if one != missing], [root], NOW)


def test_a_root_that_travels_with_the_token_is_not_trusted_for_it(chain, certify):
    leaf, issuer, root = chain({})
    stranger = ours(certify("CN=Root", new_key(), authority=True, purposes=()))
    for pins in ([], [stranger]):
        with pytest.raises(Undated, match="no pinned certificate"):
            x509.trace(leaf, [issuer, root], pins, NOW)
    x509.trace(leaf, [issuer, stranger], [stranger, root], NOW)


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"authority": False, "usage": None}, "is not one that issues"),
        ({"usage": False}, "is not one that issues"),
        ({"purposes": CODE}, "is not one that issues"),
        ({"years": (2020, 2027)}, "CN=Issuer 0 was not valid at that time"),
        ({"years": (2030, 2035)}, "CN=Issuer 0 was not valid at that time"),
        ({"more": [(other.NameConstraints([other.DNSName("a")], None), True)]}, "insists on 2.5.29.30"),
    ],
)
def test_an_issuer_that_may_not_issue_proves_nothing(chain, changes, because):
    leaf, issuer, root = chain(changes)
    for pins in ([root], [issuer]):
        with pytest.raises(Undated, match=because):
            x509.trace(leaf, [issuer], pins, NOW)


def test_the_pinned_root_must_have_been_valid_then_too(chain):
    leaf, root = chain(root={"years": (2020, 2026)})
    with pytest.raises(Undated, match="CN=Root was not valid at that time"):
        x509.trace(leaf, [], [root], NOW)


def test_purposes_that_include_stamping_are_fine_on_the_way(chain):
    for purposes in ((ExtendedKeyUsageOID.TIME_STAMPING,), (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, *CODE)):
        leaf, issuer, root = chain({"purposes": purposes})
        x509.trace(leaf, [issuer], [root], NOW)


def test_path_lengths_are_kept(chain):
    leaf, *others, root = chain({}, {}, root={"path_length": 2})
    x509.trace(leaf, others, [root], NOW)
    for build in (
        chain({}, {}, root={"path_length": 1}),
        chain({"path_length": 0}, {}),
        chain({"path_length": 5}, {}, root={"path_length": 1}),
    ):
        leaf, *others, root = build
        with pytest.raises(Undated, match="no pinned certificate"):
            x509.trace(leaf, others, [root], NOW)


def test_a_renewed_root_of_the_same_name_and_key_does_for_the_old_one(certify):
    key, leaf_key = new_key(), new_key()
    old = certify("CN=Root", key, authority=True, purposes=(), years=(2020, 2026))
    renewed = certify("CN=Root", key, authority=True, purposes=())
    leaf = ours(certify("CN=Leaf", leaf_key, (old, key)))
    for pins in ([old, renewed], [renewed, old]):
        x509.trace(leaf, [], [ours(one) for one in pins], NOW)


def test_a_bag_of_strangers_costs_one_check_each(chain, certify, monkeypatch):
    leaf, issuer, root = chain({})
    key = new_key()
    strangers = [ours(certify("CN=Root", key, authority=True, purposes=())) for _ in range(14)]
    calls = []
    real = x509.algorithms.verify
    monkeypatch.setattr(x509.algorithms, "verify", lambda *args: calls.append(1) or real(*args))
    x509._is_signed.cache_clear()
    x509.trace(leaf, [*strangers, issuer], [root], NOW)
    assert len(calls) <= 16


def test_an_issuer_with_an_unknown_algorithm_is_a_stranger(certify, chain):
    key = ec.generate_private_key(ec.SECP521R1())
    root = certify("CN=Root", key, authority=True, purposes=())
    leaf = ours(certify("CN=Leaf", new_key(), (root, key)))
    with pytest.raises(Undated, match="no pinned certificate"):
        x509.trace(leaf, [], [ours(root)], NOW)


# ------------------------------------------------------------------------------------------------ pins


def test_pins_are_read_from_pem_in_order(certify):
    made = [certify(f"CN={name}", new_key()) for name in "ab"]
    pem = b"".join(one.public_bytes(Encoding.PEM) for one in made)
    assert x509.from_pem(b"a comment\n" + pem) == [ours(one) for one in made]


def test_anything_but_certificates_is_refused_as_a_pin(certify):
    key = new_key()
    pem = certify("CN=a", key).public_bytes(Encoding.PEM)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(KeyRefused, match="private key"):
        x509.from_pem(pem + private)
    damaged = pem.replace(b"MII", b"M=I", 1) if b"MII" in pem else pem.replace(b"MIIB", b"M", 1)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    for bad in (
        b"",
        b"junk",
        pem + public,
        pem[:-30],
        pem * 17,
        pem.replace(b"CERTIFICATE", b"TRUSTED CERTIFICATE"),
        damaged,
    ):
        with pytest.raises(KeyRefused):
            x509.from_pem(bad)
    empty = b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"
    with pytest.raises(KeyRefused, match="cannot be read"):
        x509.from_pem(pem + empty)


# ------------------------------------------------------------------------------------------ bad octets


def reassemble(made, **changes: bytes) -> bytes:
    """Write a certificate again, with other fields; its signature is no longer good."""
    outer = der.only(made.public_bytes(Encoding.DER)).reader()
    body, algorithm, signature = outer.take(), outer.take(), outer.take()
    names = ("version", "serial", "algorithm", "issuer", "validity", "subject", "spki", "extensions")
    fields = dict(zip(names, (one.der for one in body.reader().rest()), strict=True))
    fields.update(changes)
    return der.encode(0x30, der.encode(0x30, *fields.values()), algorithm.der, signature.der)


def extension(oid: str, content: bytes, *, critical: bytes = b"") -> bytes:
    return der.encode(0x30, der.oid(oid), critical, der.encode(4, content))


def extensions(*each: bytes) -> bytes:
    return der.encode(0xA3, der.encode(0x30, *each))


BASIC = "2.5.29.19"


@pytest.mark.parametrize(
    ("changes", "because"),
    [
        ({"version": b""}, "version 3"),
        ({"version": der.encode(0xA0, der.integer(1))}, "version 3"),
        ({"algorithm": der.encode(0x30, der.oid("1.2.840.10045.4.3.3"))}, "two signature algorithms"),
        ({"validity": der.encode(0x30)}, "two times"),
        ({"validity": der.encode(0x30, der.integer(1), der.integer(2))}, "tag 0x02"),
        ({"extensions": extensions(extension("1.2", b""), extension("1.2", b""))}, "extension 1.2 twice"),
        ({"extensions": extensions(extension(BASIC, b""))}, "ends where"),
        ({"extensions": extensions(extension(BASIC, b"\x30\x00", critical=b"\x01\x01\x01"))}, "neither FALSE nor TRUE"),
        ({"extensions": extensions(extension(BASIC, der.encode(0x30, der.encode(2, b"\xff"))))}, "below zero"),
        ({"extensions": extensions(extension("2.5.29.15", b"\x03\x01\x00"))}, "without a bit"),
        ({"extensions": extensions() + b"\x05\x00"}, "after the end"),
    ],
)
def test_nonsense_in_a_certificate_is_refused(certify, changes, because):
    with pytest.raises(Malformed, match=because):
        x509.parse(reassemble(certify("CN=a", new_key()), **changes))


def test_rewriting_alone_changes_nothing(certify):
    made = certify("CN=a", new_key())
    assert x509.parse(reassemble(made)) == ours(made)
    assert x509.parse(reassemble(made, extensions=b"")).purposes is None


def test_an_empty_list_of_purposes_is_not_every_purpose(chain):
    issuer = chain({})[1]
    assert "is not one that issues" in x509._unfit(replace(issuer, purposes=()), NOW)
    assert x509._unfit(issuer, NOW) == ""


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_breaks_the_signature(stamper, data):
    good = stamper.leaf.public_bytes(Encoding.DER)
    octets = bytearray(good)
    place = data.draw(st.integers(0, 8 * len(good) - 1))
    octets[place // 8] ^= 1 << place % 8
    try:
        leaf = x509.parse(bytes(octets))
        leaf.name.encode()
        with pytest.raises(AuditError):
            x509.trace(leaf, [], stamper.roots, NOW)
    except Malformed:
        pass


def test_rsa_issuers_work_as_well(certify):
    key = rsa.generate_private_key(65537, 2048)
    root = certify("CN=Root", key, authority=True, purposes=(), hash=SHA256())
    x509.trace(ours(certify("CN=Leaf", new_key(), (root, key))), [], [ours(root)], NOW)
