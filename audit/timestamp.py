"""Time-stamp tokens (RFC 3161 in CMS, RFC 5652), checked against certificates the auditor pinned.

A token dates a checkpoint: it proves that an authority, which knows nothing but a hash, had that hash at that time.
Nothing in a token chooses what is checked: the signer's certificate is the one whose hash is under the signature, and
the bag of certificates beside it, which nobody signs, is only a place to find it in.
"""

import contextlib
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from audit import algorithms, der, x509
from audit.errors import Malformed, Undated, UnknownVersion
from audit.note import Note
from audit.x509 import Certificate

MAX_TOKEN: Final = 65_536
IMPRINTS: Final = {32: "sha256", 48: "sha384", 64: "sha512"}
_SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
_MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
_SIGNING_CERTIFICATE: Final = "1.2.840.113549.1.9.16.2.12"
_SIGNING_CERTIFICATE_V2: Final = "1.2.840.113549.1.9.16.2.47"
_STATUS: Final = ("granted", "granted with changes", "rejected", "waiting", "revocation warning", "revoked")
_FAILURES: Final = {
    0: "the algorithm is not supported",
    2: "the request is not permitted",
    5: "the request is malformed",
    14: "its source of time is not available",
    15: "the policy is not supported",
    16: "the extension is not supported",
    17: "the information asked for is not available",
    25: "its system failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What a token proves: the hash existed at ``time_us``, says ``authority``."""

    time_us: int
    """Microseconds since 1970-01-01 UTC, by the authority's clock."""
    accuracy_us: int | None
    """How far that clock may be off, either way; None where the authority does not say."""
    authority: str
    """The subject of the certificate that signed."""
    policy: str
    serial: int
    """The authority's number for this token."""
    nonce: int | None
    ordered: bool
    """Whether the authority lets its tokens be ordered by time alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Signed:
    """The parts of a SignedData that matter."""

    content: bytes
    bag: list[Certificate]
    issuer: bytes
    serial: int
    digest: str
    attributes: bytes
    algorithm: bytes
    signature: bytes


def imprint_of(note: bytes) -> bytes:
    """Return what is stamped: SHA-256 of a checkpoint's text, its signatures left out; raises ``Malformed``.

    The text ends with the newline before the blank line (c2sp.org/signed-note): cosignatures may come later without
    a new token.
    """
    return hashlib.sha256(Note.parse(note).text.encode()).digest()


def check(
    token: bytes, imprint: bytes, roots: Sequence[Certificate], *, at: int | None = None, nonce: int | None = None
) -> Stamp:
    """Prove that ``token`` (a TimeStampResp, as in a ``.tsr`` file) dates ``imprint``, or raise.

    ``imprint`` is a hash of 32, 48 or 64 octets. ``roots`` are trusted as they are: authorities' roots, or signing
    certificates. Those on the way must have been valid at the token's own time, or at ``at`` (µs since 1970). ``nonce``
    is what was asked with, where that is known. Raises ``Malformed`` (``UnknownVersion`` among it) for what is not a
    token that this code reads, ``KeyRefused`` for a weak key and ``Undated`` for a token that proves nothing.
    """
    if len(imprint) not in IMPRINTS:
        raise Malformed(f"an imprint of {len(imprint)} octets")
    signed = _read_signed(_granted(token))
    leaf = _signer(signed, [*signed.bag, *roots])
    message = der.encode(der.SET, signed.attributes)  # it is sent as [0], and signed as the SET it is
    if not algorithms.verify(leaf.spki, signed.algorithm, signed.signature, message, hashed_with=signed.digest):
        raise Undated("the signature is not that of the certificate it names")
    x509.check_stamper(leaf)
    stamp = _read_info(signed.content, imprint, leaf)
    if nonce is not None and stamp.nonce != nonce:
        raise Undated("the token answers another request: its nonce is not ours")
    x509.trace(leaf, signed.bag, roots, stamp.time_us if at is None else at)
    return stamp


def _granted(token: bytes) -> der.Element:
    """Return the ContentInfo of a response that was granted without changes."""
    if len(token) > MAX_TOKEN:
        raise Malformed(f"a token of more than {MAX_TOKEN} bytes")
    reader = der.only(token).reader()
    status = reader.take(der.SEQUENCE).reader()
    number = status.take(der.INTEGER).number()
    if number != 0:
        raise Undated(f"the authority did not grant it: {_refusal(number, status)}")
    content = reader.take(der.SEQUENCE)
    reader.end()
    return content


def _refusal(number: int, status: der.Reader) -> str:
    """Put a PKIStatusInfo in words; what the authority wrote itself is printed, and cannot move a cursor."""
    words = [_STATUS[number] if 0 <= number < len(_STATUS) else f"status {number}"]
    if texts := status.optional(der.SEQUENCE):
        said = b" ".join(one.content for one in texts.reader().rest()).decode("utf-8", "replace")[:200]
        words.append("".join(char if char.isprintable() else "?" for char in said))
    if failure := status.optional(der.BIT_STRING):
        bits = failure.content[1:5].ljust(4, b"\0")
        words += [said for bit, said in _FAILURES.items() if bits[bit // 8] & 0x80 >> bit % 8]
    return ", ".join(words)


def _explicit(element: der.Element, tag: int) -> der.Element:
    return der.only(element.content, tag)


def _read_signed(content: der.Element) -> _Signed:
    """Read ContentInfo, SignedData and its only SignerInfo."""
    reader = content.reader()
    if reader.take(der.OID).oid() != _SIGNED_DATA:
        raise Malformed("a token that is not signed data")
    data = _explicit(reader.take(der.context(0)), der.SEQUENCE).reader()
    reader.end()
    if data.take(der.INTEGER).number() != 3:
        raise UnknownVersion("signed data of another version than 3")
    data.take(der.SET)  # digestAlgorithms, which the SignerInfo repeats
    inner = data.take(der.SEQUENCE).reader()
    if inner.take(der.OID).oid() != _TST_INFO:
        raise Malformed("signed data that is not about a time-stamp")
    octets = _explicit(inner.take(der.context(0)), der.OCTET_STRING).content
    inner.end()
    certificates = data.optional(der.context(0))
    data.optional(der.context(1))  # revocation lists are not read: docs/timestamps.md
    signers = data.take(der.SET).reader().rest(der.SEQUENCE)
    data.end()
    if len(signers) != 1:
        raise Malformed(f"a token with {len(signers)} signers instead of one")
    return _read_signer(signers[0].reader(), octets, _read_bag(certificates))


def _read_bag(certificates: der.Element | None) -> list[Certificate]:
    found = certificates.reader().rest() if certificates else []
    if len(found) > x509.MAX_CERTIFICATES:
        raise Malformed(f"a token with {len(found)} certificates")
    bag = []
    for one in found:
        # Old roots of version 1 travel along in some tokens, and certificates of kinds that nobody uses.
        with contextlib.suppress(UnknownVersion):
            bag += [x509.parse(one.der)] if one.tag == der.SEQUENCE else []
    return bag


def _read_signer(reader: der.Reader, content: bytes, bag: list[Certificate]) -> _Signed:
    if reader.take(der.INTEGER).number() != 1:
        raise UnknownVersion("a signer that is not named by issuer and serial number")
    name = reader.take(der.SEQUENCE).reader()
    issuer, serial = name.take(der.SEQUENCE).der, name.take(der.INTEGER).number()
    name.end()
    digest = algorithms.hash_name(reader.take(der.SEQUENCE))
    attributes = reader.take(der.context(0)).content
    algorithm, signature = reader.take(der.SEQUENCE).der, reader.take(der.OCTET_STRING).content
    reader.optional(der.context(1))  # unsigned attributes: nobody stands behind them
    reader.end()
    return _Signed(
        content=content,
        bag=bag,
        issuer=issuer,
        serial=serial,
        digest=digest,
        attributes=attributes,
        algorithm=algorithm,
        signature=signature,
    )


def _attributes(content: bytes) -> dict[str, der.Element]:
    """Return the one value of each signed attribute."""
    found: dict[str, der.Element] = {}
    for one in der.Reader(content).rest(der.SEQUENCE):
        reader = one.reader()
        oid, values = reader.take(der.OID).oid(), reader.take(der.SET).reader().rest()
        reader.end()
        if oid in found or len(values) != 1:
            raise Malformed(f"the signed attribute {oid} more than once, or without its one value")
        found[oid] = values[0]
    return found


def _signer(signed: _Signed, candidates: Sequence[Certificate]) -> Certificate:
    """Return the certificate that the signed attributes pin, once they are known to speak of this content."""
    found = _attributes(signed.attributes)
    if not {_CONTENT_TYPE, _MESSAGE_DIGEST} <= found.keys():
        raise Malformed("the signed attributes do not name content type and digest")
    if found[_CONTENT_TYPE].der != der.oid(_TST_INFO):
        raise Malformed("the signed attributes speak of another type of content")
    digest = der.encode(der.OCTET_STRING, hashlib.new(signed.digest, signed.content).digest())
    if not hmac.compare_digest(found[_MESSAGE_DIGEST].der, digest):
        raise Undated("what was signed is the hash of another content")
    pins = [_pin(found[oid], oid) for oid in (_SIGNING_CERTIFICATE, _SIGNING_CERTIFICATE_V2) if oid in found]
    if not pins:
        raise Malformed("the signed attributes do not name the signer's certificate (RFC 5816)")
    for one in candidates:
        named = one.issuer == signed.issuer and one.serial == signed.serial
        if named and all(hashlib.new(name, one.der).digest() == expected for name, expected in pins):
            return one
    raise Undated("the signer's certificate is neither in the token nor pinned", hint="pin it beside the root")


def _pin(value: der.Element, oid: str) -> tuple[str, bytes]:
    """Return hash and digest of the first ESSCertID or ESSCertIDv2, which is the signer's (RFC 2634, RFC 5035)."""
    first = _explicit_first(value)
    # The older form has SHA-1 and no choice. It is enough: a second certificate with this digest would have to be one
    # that a pinned authority issued too, under the same name and serial number, for time-stamping.
    name = "sha1"
    if oid == _SIGNING_CERTIFICATE_V2:
        name = algorithms.hash_name(first.take(der.SEQUENCE)) if first.tag == der.SEQUENCE else "sha256"
    return name, first.take(der.OCTET_STRING).content


def _explicit_first(value: der.Element) -> der.Reader:
    """Return a reader of the first element of SigningCertificate.certs."""
    if value.tag != der.SEQUENCE:
        raise Malformed("a signing certificate attribute that is not a sequence")
    return value.reader().take(der.SEQUENCE).reader().take(der.SEQUENCE).reader()


def _read_info(content: bytes, imprint: bytes, leaf: Certificate) -> Stamp:
    """Read a TSTInfo and refuse one about something else."""
    reader = der.only(content).reader()
    if reader.take(der.INTEGER).number() != 1:
        raise UnknownVersion("a time-stamp of another version than 1")
    policy = reader.take(der.OID).oid()
    stamped = reader.take(der.SEQUENCE).reader()
    name, digest = algorithms.hash_name(stamped.take(der.SEQUENCE)), stamped.take(der.OCTET_STRING).content
    stamped.end()
    if name != IMPRINTS[len(imprint)] or not hmac.compare_digest(digest, imprint):
        raise Undated("the token dates another message")
    serial, time_us = reader.take(der.INTEGER).number(), reader.take(der.GENERALIZED_TIME).time_us()
    accuracy, ordered = reader.optional(der.SEQUENCE), reader.optional(der.BOOLEAN)
    nonce, name_of = reader.optional(der.INTEGER), reader.optional(der.context(0))
    extra = reader.optional(der.context(1))
    reader.end()
    if name_of and name_of.content[:1] == b"\xa4" and _explicit(name_of, der.context(4)).content != leaf.subject:
        raise Undated("the token names another authority than its certificate")
    if extra and any(critical for critical, _ in x509.extensions(extra).values()):
        raise UnknownVersion("a time-stamp that insists on an extension not known here")
    return Stamp(
        time_us=time_us,
        accuracy_us=_accuracy(accuracy) if accuracy else None,
        authority=leaf.name,
        policy=policy,
        serial=serial,
        nonce=nonce.number() if nonce else None,
        ordered=ordered is not None and ordered.boolean(),
    )


def _accuracy(element: der.Element) -> int:
    """Return the sum of seconds, milliseconds and microseconds, in microseconds."""
    reader, total = element.reader(), 0
    for tag, scale in ((der.INTEGER, 1_000_000), (0x80, 1000), (0x81, 1)):
        if part := reader.optional(tag):
            value = part.number()
            if value < 0 or (tag != der.INTEGER and not 0 < value < 1000):
                raise Malformed("an accuracy beyond its bounds")
            total += value * scale
    reader.end()
    return total
