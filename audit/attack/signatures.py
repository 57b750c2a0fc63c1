"""RSA signatures that are not quite those the format asks for, and keys that nobody should pin."""

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa as library

from audit import block, ratchet
from audit.attack import rsa
from audit.attack.case import Case
from audit.attack.catalog import Family, Power, Skipped
from audit.attack.forge import Chain

FAMILY: Final = Family("signatures", "RSA signatures that are not quite those the format asks for", "signature")
KEYS: Final = Family("keys", "public keys that must not be pinned", "key")
_UNKEYED: Final = "without the key nobody can check a signature"
_REFUSED: Final = "such a key is refused: with it nothing is proven, whatever it fits"
_OWN: Final = "whoever believes a folder's own key and anchor believes its last writer; the report says independent: no"
_Sign = Callable[[library.RSAPrivateKey, bytes], bytes]


def _signed_oddly(how: _Sign) -> Callable[[Case], None]:
    """Sign one block anew with the stolen key, in another way; header and body stay as they are."""

    def make(case: Case) -> None:
        row = case.rows[case.below]
        names = block.parse_header(row.hdr).keys
        key = case.world.ring.get(names[0])
        if key is None:
            raise Skipped("the key that sealed that block is not in the state folder")
        case.put(row._replace(sig=rsa.Odd(key, how).sign(block.signed_octets(row.hdr))))

    return make


for _name, _what, _how in (
    ("pkcs1-for-pss", "A signature is of the scheme PKCS#1 v1.5", rsa.pkcs1),
    ("salt-of-0", "A signature has no salt", rsa.salted(0)),
    ("salt-of-20", "A signature has a salt of 20 octets", rsa.salted(20)),
    ("salt-of-350", "A signature has a salt of 350 octets, the longest there is room for", rsa.salted(350)),
    ("hash-sha1", "A signature is made with SHA-1", rsa.hashed(hashes.SHA1())),  # noqa: S303 - a forger's choice
    ("hash-sha512", "A signature is made with SHA-512", rsa.hashed(hashes.SHA512())),
    ("signed-bare", "A signature covers the header without the words that say what it is", rsa.bare),
):
    FAMILY.add(_name, _what, Power.RSA, "nsss", _signed_oddly(_how), because=_UNKEYED)


def _malleable(change: Callable[[bytes, int], bytes]) -> Callable[[Case], None]:
    """Change the octets of a good signature, not what they mean."""

    def make(case: Case) -> None:
        row = case.rows[case.below]
        size = len(row.sig)
        modulus = next(
            (key.public.modulus for key in case.world.ring.values() if key.public.size == size), 1 << 8 * size
        )
        case.put(row._replace(sig=change(row.sig, modulus)))

    return make


def _plus_modulus(sig: bytes, modulus: int) -> bytes:
    number = int.from_bytes(sig, "big") + modulus
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


for _name, _what, _change in (
    (
        "signature-plus-modulus",
        "The modulus is added to a signature: the same number to a careless verifier",
        _plus_modulus,
    ),
    ("signature-leading-zero", "A zero octet is put before a signature", lambda sig, _: b"\x00" + sig),
    ("signature-trailing-zero", "A zero octet is put behind a signature", lambda sig, _: sig + b"\x00"),
    ("signature-twice", "A signature stands there twice, as if two keys had signed", lambda sig, _: sig + sig),
    ("signature-of-one", "A signature is the number 1", lambda sig, _: b"\x01".rjust(len(sig), b"\x00")),
):
    FAMILY.add(_name, _what, Power.FILE, "nsss", _malleable(_change), because=_UNKEYED)


@FAMILY.attack(Power.RSA, "ssss", codes="ratchet")
def _rsa_for_ratchet(case: Case) -> None:
    """The RSA signature stands in the place of the ratchet's."""
    row = case.rows[case.below]
    case.put(row._replace(rsig=row.sig))


@FAMILY.attack(Power.EVERY, "ssss", codes="ratchet")
def _ratchet_signs_what_rsa_signs(case: Case) -> None:
    """The ratchet signs what the RSA key signs, so that one could pass for the other."""
    chain = case.future()
    row = chain.add(chain.entry())
    case.write([*case.rows, row._replace(rsig=case.secret.sign(block.signed_octets(row.hdr)))])


@FAMILY.attack(Power.EVERY, "nsss", _UNKEYED)
def _rsa_signs_what_the_ratchet_signs(case: Case) -> None:
    """The RSA key signs what the ratchet signs, so that one could pass for the other."""
    chain = case.future()
    row = chain.add(chain.entry())
    case.write([*case.rows, row._replace(sig=case.thief.sign(ratchet.signed_octets(row.hdr)))])


# ------------------------------------------------------------------------------------------ keys


def _pinned_weak(bits: int, exponent: int) -> Callable[[Case], None]:
    """Seal the log with a weak key, and let the auditor have been made to pin it."""

    def make(case: Case) -> None:
        weak = rsa.Weak.of(bits, exponent)
        chain = Chain([], weak)
        for _ in range(3):
            chain.add(chain.entry(), header={"origin": case.world.head.origin})
        case.write(chain.rows)
        case.anchors = (case.keep("anchor", case.world.anchor(chain.rows[-1])),)
        case.show(case.world.cosigned(chain.rows))
        case.key = case.keep("pinned.pub", weak.pem)

    return make


for _name, _what, _bits, _exponent in (
    ("exponent-1", "The key has the exponent 1: everybody can sign", 3072, 1),
    ("exponent-3", "The key has the exponent 3", 3072, 3),
    ("bits-512", "The key has 512 bits, which a laptop can factor", 512, 65_537),
    ("bits-2048", "The key has 2048 bits", 2048, 65_537),
):
    KEYS.add(_name, _what, Power.FILE, "nnnn", _pinned_weak(_bits, _exponent), because=_REFUSED)


def _pinned_file(change: Callable[[Case], bytes]) -> Callable[[Case], None]:
    def make(case: Case) -> None:
        case.key = case.keep("pinned.pub", change(case))

    return make


for _name, _what, _file in (
    ("two-keys", "The key file holds two keys", lambda case: case.world.pinned + case.world.own.public.pem),
    ("text-before-the-key", "Text stands before the key", lambda case: b"trust me\n" + case.world.pinned),
    (
        "key-of-another-kind",
        "The key file is called a certificate",
        lambda case: case.world.pinned.replace(b"PUBLIC KEY", b"CERTIFICATE"),
    ),
    ("empty-key", "The key file is empty", lambda _: b""),
):
    KEYS.add(_name, _what, Power.FILE, "nnnn", _pinned_file(_file), because=_REFUSED)


@KEYS.attack(Power.FILE, "nnnn", _REFUSED)
def _key_missing(case: Case) -> None:
    """The key file is deleted."""
    case.key = case.place / "none.pub"


@KEYS.attack(Power.FILE, "usss", _OWN, codes="rekeyed")
def _key_substituted(case: Case) -> None:
    """The log is sealed again with another key, which is put into the state folder with an anchor that fits."""
    own = case.world.own
    chain = Chain([], own)
    for _ in case.rows:
        chain.add(chain.entry(), header={"origin": case.world.head.origin})
    case.write(chain.rows)
    case.settle(chain.rows, own.public.pem)
