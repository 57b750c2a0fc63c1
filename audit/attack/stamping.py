"""A time-stamp authority of our own, honest or not (RFC 3161): what it signs needs no network."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from audit import der
from audit.clock import Clock

_TST_INFO: Final = "1.2.840.113549.1.9.16.1.4"
_SHA256: Final = "2.16.840.1.101.3.4.2.1"
_ECDSA: Final = "1.2.840.10045.4.3.2"
_EXPLICIT: Final = 0xA0
_YEAR_S: Final = 365 * 86_400


@dataclass
class Authority:
    """An authority with a root of its own."""

    clock: Clock
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING
    root_key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    root: x509.Certificate = field(init=False)
    leaf: x509.Certificate = field(init=False)

    def __post_init__(self) -> None:
        """Issue the certificates."""
        name = x509.Name.from_rfc4514_string("CN=Demo time root")
        builder = self._builder(name, self.root_key, name)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        self.root = builder.sign(self.root_key, SHA256())
        builder = self._builder(x509.Name.from_rfc4514_string("CN=Demo stamper"), self.key, name)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([self.purpose]), critical=True)
        self.leaf = builder.sign(self.root_key, SHA256())

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name
    ) -> x509.CertificateBuilder:
        now = self.clock.wall_us() // 1_000_000
        first, last = (datetime.fromtimestamp(at, UTC) for at in (now - _YEAR_S, now + _YEAR_S))
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        return builder.serial_number(x509.random_serial_number()).not_valid_before(first).not_valid_after(last)

    @property
    def pem(self) -> bytes:
        """The root, as an auditor pins it."""
        return self.root.public_bytes(Encoding.PEM)

    def token(self, imprint: bytes, *, at: int | None = None) -> bytes:
        """Return a TimeStampResp over a hash of 32 octets; ``at`` is the time it claims, seconds since 1970."""
        time = self.clock.wall_us() // 1_000_000 if at is None else at
        info = _info(imprint, time)
        attributes = self._attributes(info)
        signature = self.key.sign(der.encode(der.SET, attributes), ec.ECDSA(SHA256()))
        name = der.encode(der.SEQUENCE, self.leaf.issuer.public_bytes(), der.integer(self.leaf.serial_number))
        hashed = der.encode(der.SEQUENCE, der.oid(_SHA256))
        signer = der.encode(
            der.SEQUENCE,
            der.integer(1),
            name,
            hashed,
            der.encode(_EXPLICIT, attributes),
            der.encode(der.SEQUENCE, der.oid(_ECDSA)),
            der.encode(der.OCTET_STRING, signature),
        )
        content = der.encode(_EXPLICIT, der.encode(der.OCTET_STRING, info))
        inner = der.encode(der.SEQUENCE, der.oid(_TST_INFO), content)
        bag = der.encode(_EXPLICIT, self.leaf.public_bytes(Encoding.DER))
        hashes, signers = der.encode(der.SET, hashed), der.encode(der.SET, signer)
        data = der.encode(der.SEQUENCE, der.integer(3), hashes, inner, bag, signers)
        outer = der.encode(der.SEQUENCE, der.oid("1.2.840.113549.1.7.2"), der.encode(_EXPLICIT, data))
        return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, der.integer(0)), outer)

    def _attributes(self, info: bytes) -> bytes:
        """Return the signed attributes, sorted as a SET in DER is."""
        certificate = sha256(self.leaf.public_bytes(Encoding.DER)).digest()
        pin = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, certificate))
        values = {
            "1.2.840.113549.1.9.3": der.oid(_TST_INFO),
            "1.2.840.113549.1.9.4": der.encode(der.OCTET_STRING, sha256(info).digest()),
            "1.2.840.113549.1.9.16.2.47": der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, pin)),
        }
        pairs = (der.encode(der.SEQUENCE, der.oid(oid), der.encode(der.SET, value)) for oid, value in values.items())
        return b"".join(sorted(pairs))


def _info(imprint: bytes, time: int) -> bytes:
    algorithm = der.encode(der.SEQUENCE, der.oid(_SHA256), der.NULL)
    said = datetime.fromtimestamp(time, UTC).strftime("%Y%m%d%H%M%SZ").encode()
    return der.encode(
        der.SEQUENCE,
        der.integer(1),
        der.oid("1.2.3.4"),
        der.encode(der.SEQUENCE, algorithm, der.encode(der.OCTET_STRING, imprint)),
        der.integer(9),
        der.encode(der.GENERALIZED_TIME, said),
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
