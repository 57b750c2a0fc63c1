"""Attacks on single octets, by somebody who can write to the file and has no key."""

from typing import Final

from audit.attack.case import Case
from audit.attack.catalog import Family, Power, Skipped
from audit.reader import Row

FAMILY: Final = Family("octets", "single octets of sealed columns")
_UNKEYED: Final = "without the key nobody can check a signature, and nobody claims that it was"


def _flipped(octets: bytes, at: int) -> bytes:
    return octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :]


def _row(case: Case) -> Row:
    return case.rows[case.below]


@FAMILY.attack(Power.FILE, "ssss", codes="chain")
def _header_octet(case: Case) -> None:
    """One bit of a header is flipped."""
    row = _row(case)
    case.put(row._replace(hdr=_flipped(row.hdr, row.hdr.index(b'"sealed":') + 12)))


@FAMILY.attack(Power.FILE, "nsss", _UNKEYED, codes="signature ratchet fork")
def _newest_header_octet(case: Case) -> None:
    """One bit of the newest header is flipped, which no later block names."""
    row = case.rows[-1]
    case.put(row._replace(hdr=_flipped(row.hdr, row.hdr.index(b'"sealed":') + 12)))


@FAMILY.attack(Power.FILE, "nsss", _UNKEYED, codes="signature")
def _signature_octet(case: Case) -> None:
    """One bit of an RSA signature is flipped."""
    row = _row(case)
    case.put(row._replace(sig=_flipped(row.sig, 100)))


@FAMILY.attack(Power.FILE, "ssss", codes="ratchet")
def _ratchet_octet(case: Case) -> None:
    """One bit of a ratchet signature is flipped."""
    row = _row(case)
    case.put(row._replace(rsig=_flipped(row.rsig, 10)))


@FAMILY.attack(Power.FILE, "ssss", codes="body")
def _body_octet(case: Case) -> None:
    """One bit of an entry is flipped."""
    row = _row(case)
    case.put(row._replace(body=_flipped(row.body, len(row.body) // 2)))


@FAMILY.attack(Power.FILE, "ssss", codes="body")
def _body_of_equal_length(case: Case) -> None:
    """A body is swapped for another of the same length: failed becomes worked."""
    row = _row(case)
    other = row.body.replace(b"exit 0", b"exit 9").replace(b"http.ok == 0", b"http.ok == 1")
    if other == row.body:
        other = row.body[:4] + row.body[4:][::-1]
    case.put(row._replace(body=other))


@FAMILY.attack(Power.FILE, "ssss", codes="body")
def _body_length(case: Case) -> None:
    """The length before an entry is changed, so that entries come apart elsewhere."""
    row = _row(case)
    case.put(row._replace(body=_flipped(row.body, 3)))


@FAMILY.attack(Power.FILE, "ssss", codes="columns")
def _column_beside_the_header(case: Case) -> None:
    """The number of entries beside the header is another than the header's."""
    case.put(_row(case)._replace(n=4000))


@FAMILY.attack(Power.FILE, "ssss", codes="chain")
def _header_of_another_block(case: Case) -> None:
    """A header and its signatures are copied from another block, the body stays."""
    source, target = case.rows[case.below - 1], _row(case)
    case.put(target._replace(hdr=source.hdr, sig=source.sig, rsig=source.rsig))


@FAMILY.attack(Power.FILE, "nsss", _UNKEYED, codes="signature")
def _signature_of_another_block(case: Case) -> None:
    """An RSA signature is copied from another block."""
    if case.below == case.world.top:
        raise Skipped("there is no other block")
    case.put(_row(case)._replace(sig=case.rows[case.below + 1].sig))
