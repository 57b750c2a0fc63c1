"""Certificates of time-stamp authorities, and the way from one to a certificate the auditor pinned (RFC 5280)."""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from audit import algorithms, der
from audit.errors import KeyRefused, Malformed, Undated, UnknownVersion

TIME_STAMPING: Final = "1.3.6.1.5.5.7.3.8"
MAX_CERTIFICATES: Final = 16
_BASIC, _USAGE, _PURPOSES, _ANY_PURPOSE = "2.5.29.19", "2.5.29.15", "2.5.29.37", "2.5.29.37.0"
_DIGITAL_SIGNATURE, _NON_REPUDIATION, _SIGN_CERTIFICATES = 0x80, 0x40, 0x04
_NAMES: Final = {"2.5.4.3": "CN", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST", "2.5.4.10": "O", "2.5.4.11": "OU"}
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_UNLIMITED: Final = 99


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a certificate says; who stands behind it is for ``trace`` to tell."""

    der: bytes
    signed: bytes
    """The octets its issuer signed."""
    algorithm: bytes
    signature: bytes
    serial: int
    issuer: bytes
    """The issuer's name in DER: compared, never shown."""
    subject: bytes
    not_before_us: int
    not_after_us: int
    spki: bytes
    authority: bool = False
    path_length: int = _UNLIMITED
    usage: int | None = None
    """First octet of keyUsage; None where the key is for everything."""
    purposes: tuple[str, ...] | None = None
    purposes_critical: bool = False
    unknown_critical: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The subject for people, ``CN=…, O=…``, with nothing in it that moves a cursor."""
        parts = []
        for group in der.only(self.subject).reader().rest(der.SET):
            for pair in group.reader().rest(der.SEQUENCE):
                reader = pair.reader()
                oid, value = reader.take(der.OID).oid(), reader.take().content.decode("utf-8", "replace")
                shown = "".join(char if char.isprintable() else "?" for char in value[:100])
                parts.append(f"{_NAMES.get(oid, oid)}={shown}")
        return ", ".join(parts)

    def check_at(self, when_us: int) -> None:
        """Refuse a certificate that was not valid then, or asks for something this code does not know."""
        if not self.not_before_us <= when_us <= self.not_after_us:
            raise Undated(f"the certificate of {self.name} was not valid at that time")
        if self.unknown_critical:
            raise Undated(f"the certificate of {self.name} insists on {self.unknown_critical[0]}, not known here")


def from_pem(pem: bytes) -> list[Certificate]:
    """Read the auditor's pins: one or more ``CERTIFICATE`` blocks; raises ``KeyRefused``."""
    if b"PRIVATE KEY" in pem:
        raise KeyRefused("there is a private key among the pinned certificates", hint="give certificates alone")
    try:
        found = [parse(base64.b64decode(b"".join(block.split()), validate=True)) for block in _PEM.findall(pem)]
    except (binascii.Error, Malformed) as exc:
        raise KeyRefused(f"a pinned certificate cannot be read: {exc}") from exc
    if not found or len(found) != pem.count(b"-----BEGIN") or len(found) > MAX_CERTIFICATES:
        raise KeyRefused(f"not one to {MAX_CERTIFICATES} PEM blocks of the type CERTIFICATE and nothing else")
    return found


def parse(octets: bytes) -> Certificate:
    """Read a certificate; raises ``Malformed``, ``UnknownVersion`` for another version than 3."""
    outer = der.only(octets).reader()
    body, algorithm = outer.take(der.SEQUENCE), outer.take(der.SEQUENCE).der
    signature = outer.take(der.BIT_STRING).octets_of_bits()
    outer.end()
    reader = body.reader()
    version = reader.optional(der.context(0))
    if version is None or version.content != der.integer(2):
        raise UnknownVersion("a certificate that is not of version 3")
    serial = reader.take(der.INTEGER).number()
    if reader.take(der.SEQUENCE).der != algorithm:
        raise Malformed("a certificate that names two signature algorithms")
    issuer, validity, subject, spki = (reader.take(der.SEQUENCE) for _ in range(4))
    times = [one.time_us() for one in validity.reader().rest(der.UTC_TIME, der.GENERALIZED_TIME)]
    if len(times) != 2:
        raise Malformed("a certificate without its two times")
    for number in (1, 2):
        reader.optional(der.context(number, primitive=True))
    wrapped = reader.optional(der.context(3))
    reader.end()
    return Certificate(
        der=octets,
        signed=body.der,
        algorithm=algorithm,
        signature=signature,
        serial=serial,
        issuer=issuer.der,
        subject=subject.der,
        not_before_us=times[0],
        not_after_us=times[1],
        spki=spki.der,
        **_constraints(extensions(der.only(wrapped.content)) if wrapped else {}),  # type: ignore[arg-type] # named there
    )


def extensions(sequence: der.Element) -> dict[str, tuple[bool, bytes]]:
    """Return critical or not, and content, by object identifier; twice the same one is refused."""
    found: dict[str, tuple[bool, bytes]] = {}
    for one in sequence.reader().rest(der.SEQUENCE):
        reader = one.reader()
        oid, critical = reader.take(der.OID).oid(), reader.optional(der.BOOLEAN)
        content = reader.take(der.OCTET_STRING).content
        reader.end()
        if oid in found:
            raise Malformed(f"the extension {oid} twice")
        found[oid] = (critical is not None and critical.boolean(), content)
    return found


def _constraints(found: dict[str, tuple[bool, bytes]]) -> dict[str, object]:
    """Read what limits the use of a key."""
    known = {_BASIC, _USAGE, _PURPOSES}
    fields: dict[str, object] = {
        "unknown_critical": tuple(oid for oid, (critical, _) in found.items() if critical and oid not in known)
    }
    if _BASIC in found:
        reader = der.only(found[_BASIC][1]).reader()
        authority, length = reader.optional(der.BOOLEAN), reader.optional(der.INTEGER)
        reader.end()
        fields["authority"] = authority is not None and authority.boolean()
        fields["path_length"] = limit = _UNLIMITED if length is None else length.number()
        if limit < 0:
            raise Malformed("a path length below zero")
    if _USAGE in found:
        bits = der.only(found[_USAGE][1], der.BIT_STRING).content
        if len(bits) < 2:
            raise Malformed("a key usage without a bit")
        fields["usage"] = bits[1]
    if _PURPOSES in found:
        critical, content = found[_PURPOSES]
        fields["purposes"] = tuple(one.oid() for one in der.only(content).reader().rest(der.OID))
        fields["purposes_critical"] = critical
    return fields


def check_stamper(leaf: Certificate) -> None:
    """Refuse a key that may do anything but stamp time (RFC 3161, section 2.3)."""
    if leaf.purposes != (TIME_STAMPING,) or not leaf.purposes_critical:
        raise Undated(f"the key of {leaf.name} is not for time-stamping alone, marked critical")
    if leaf.authority or (leaf.usage is not None and not leaf.usage & (_DIGITAL_SIGNATURE | _NON_REPUDIATION)):
        raise Undated(f"the key of {leaf.name} may issue certificates, or may not sign")


def trace(leaf: Certificate, others: Iterable[Certificate], pinned: Sequence[Certificate], when_us: int) -> None:
    """Prove that ``leaf`` is pinned, or was issued under a pinned certificate; raises ``Undated``.

    The walk goes down from what is trusted: certificates an attacker added have no valid signature from above and end
    there, so that a bag full of them costs one check each and not a search.
    """
    leaf.check_at(when_us)
    if leaf in pinned:
        return
    left, because = [one for one in (*others, leaf) if one not in pinned], ""
    level = [(one, one.path_length) for one in pinned]
    while level:
        below: list[tuple[Certificate, int]] = []
        for issuer, depth in level:
            children = [one for one in left if one.issuer == issuer.subject and _is_signed(one, issuer)]
            if not children:
                continue
            if unfit := _unfit(issuer, when_us):
                because = unfit
                continue
            if leaf in children:
                return
            below += [(one, min(depth - 1, one.path_length)) for one in children if depth > 0]
            left = [one for one in left if one not in children]
        level = below
    raise Undated(
        because or f"no pinned certificate stands behind {leaf.name}",
        hint="pin the authority's root, and what the token lacks",
    )


def _unfit(issuer: Certificate, when_us: int) -> str:
    """Say why this certificate may not have issued an authority's; empty when it may."""
    try:
        issuer.check_at(when_us)
    except Undated as exc:
        return exc.message
    allowed = issuer.usage is None or issuer.usage & _SIGN_CERTIFICATES
    purposes = (_ANY_PURPOSE,) if issuer.purposes is None else issuer.purposes
    if issuer.authority and allowed and {TIME_STAMPING, _ANY_PURPOSE} & {*purposes}:
        return ""
    return f"the certificate of {issuer.name} is not one that issues to time-stamp authorities"


@lru_cache(maxsize=256)
def _is_signed(one: Certificate, issuer: Certificate) -> bool:
    """Tell whether ``issuer`` signed ``one``; remembered, since an authority's tokens share their certificates."""
    try:
        return algorithms.verify(issuer.spki, one.algorithm, one.signature, one.signed)
    except (Malformed, KeyRefused):
        return False
