"""DER: one spelling for each value, and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import der
from audit.der import Element, Reader
from audit.errors import Malformed


@given(st.integers(0, 1 << 4096))
def test_integers_come_back(value):
    assert der.only(der.integer(value), der.INTEGER).number() == value


@given(st.integers(-(1 << 70), 1 << 70))
def test_integers_of_either_sign_are_read(value):
    size = (value + (value < 0)).bit_length() // 8 + 1
    assert der.only(der.encode(2, value.to_bytes(size, "big", signed=True)), 2).number() == value


@given(st.binary(max_size=70_000))
def test_elements_come_back_whatever_their_length(content):
    octets = der.encode(der.OCTET_STRING, content)
    element = der.only(octets, der.OCTET_STRING)
    assert (element.content, element.der) == (content, octets)


@given(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 1 << 60), max_size=5))
def test_object_identifiers_come_back(first, second, arcs):
    dotted = ".".join(map(str, (first, second, *arcs)))
    assert der.only(der.oid(dotted), der.OID).oid() == dotted


@pytest.mark.parametrize("dotted", ["2.5.29.37", "2.999.1", "1.2.840.113549.1.9.16.1.4", "0.0"])
def test_known_object_identifiers(dotted):
    assert der.only(der.oid(dotted), der.OID).oid() == dotted


def test_a_known_identifier_is_written_as_the_standard_prints_it():
    assert der.oid("1.2.840.113549").hex() == "06062a864886f70d"


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "30",
        "3001",
        "30820100" + "00" * 255,
        "3080",  # indefinite
        "30800000",
        "308100",  # longer than needed
        "30810100",
        "30817f" + "00" * 127,
        "30820080" + "00" * 128,
        "3085000000000100",  # more octets than any length here has
        "3084ffffffff",
        "30ff",
        "1f0100",  # a tag of several octets
        "3f8101",
    ],
)
def test_other_spellings_of_an_element_are_refused(octets):
    with pytest.raises(Malformed):
        Reader(bytes.fromhex(octets)).take()


def test_one_element_is_one_element():
    assert der.only(b"\x30\x00").content == b""
    for octets, tag in ((b"\x30\x00\x00", 0x30), (b"\x30\x00", 0x31), (b"", 0x30)):
        with pytest.raises(Malformed):
            der.only(octets, tag)


@pytest.mark.parametrize("content", ["", "0001", "007f", "ff80", "ffff", "01" * 2049])
def test_integers_that_are_empty_padded_or_endless_are_refused(content):
    with pytest.raises(Malformed, match="integer"):
        Element(2, bytes.fromhex(content), b"").number()


@pytest.mark.parametrize("content", ["", "80", "2a80", "2a8001", "8001", "2a" * 65])
def test_identifiers_that_are_empty_padded_cut_or_endless_are_refused(content):
    with pytest.raises(Malformed, match="identifier"):
        Element(6, bytes.fromhex(content), b"").oid()


def test_booleans_have_two_spellings():
    assert Element(1, b"\xff", b"").boolean()
    assert not Element(1, b"\x00", b"").boolean()
    for content in (b"", b"\x01", b"\x00\x00"):
        with pytest.raises(Malformed, match="boolean"):
            Element(1, content, b"").boolean()


def test_bit_strings_are_of_whole_octets():
    assert Element(3, b"\x00ab", b"").octets_of_bits() == b"ab"
    for content in (b"", b"\x01a", b"\x07\x80"):
        with pytest.raises(Malformed, match="whole octets"):
            Element(3, content, b"").octets_of_bits()


@pytest.mark.parametrize(
    ("tag", "content", "expected"),
    [
        (der.UTC_TIME, b"700101000000Z", 0),
        (der.UTC_TIME, b"491231235959Z", 2_524_607_999_000_000),
        (der.UTC_TIME, b"500101000000Z", -631_152_000_000_000),
        (der.GENERALIZED_TIME, b"19700101000000.000001Z", 1),
        (der.GENERALIZED_TIME, b"19700101000000.0000019Z", 1),
        (der.GENERALIZED_TIME, b"00010101000000Z", -62_135_596_800_000_000),
        (der.GENERALIZED_TIME, b"99991231235959.9Z", 253_402_300_799_900_000),
    ],
)
def test_times(tag, content, expected):
    assert Element(tag, content, b"").time_us() == expected


@pytest.mark.parametrize(
    ("tag", "content"),
    [
        (der.UTC_TIME, b"7001010000Z"),
        (der.UTC_TIME, b"700101000000+0100"),
        (der.UTC_TIME, b"700001000000Z"),
        (der.UTC_TIME, b"19700101000000Z"),
        (der.GENERALIZED_TIME, b"700101000000Z"),
        (der.GENERALIZED_TIME, b"19700101000000"),
        (der.GENERALIZED_TIME, b"19700101000000.Z"),
        (der.GENERALIZED_TIME, b"19700101000000.10Z"),
        (der.GENERALIZED_TIME, b"19700101000000,1Z"),
        (der.GENERALIZED_TIME, b"19700101240000Z"),
        (der.GENERALIZED_TIME, b"19700101000060Z"),
        (der.GENERALIZED_TIME, b"00000101000000Z"),
        (der.GENERALIZED_TIME, "１９７００１０１００００００Z".encode()),
        (der.GENERALIZED_TIME, b"19700101000000Z\n"),
    ],
)
def test_times_in_other_spellings_are_refused(tag, content):
    with pytest.raises(Malformed, match="time"):
        Element(tag, content, b"").time_us()


def test_a_reader_takes_in_order_and_ends():
    reader = Reader(der.integer(1) + der.encode(0xA0) + der.integer(2) + der.integer(3))
    assert reader.take(der.INTEGER).number() == 1
    assert reader.optional(der.context(1)) is None
    assert reader.optional(der.context(0)) is not None
    with pytest.raises(Malformed, match="after the end"):
        reader.end()
    assert [one.number() for one in reader.rest(der.INTEGER)] == [2, 3]
    assert reader.tag is None
    assert reader.optional(der.INTEGER) is None
    reader.end()
    with pytest.raises(Malformed, match="ends where"):
        reader.take()


def test_context_tags():
    assert (der.context(0), der.context(1, primitive=True)) == (0xA0, 0x81)


@given(st.binary(max_size=60))
def test_whatever_is_read_is_written_the_same(octets):
    try:
        element = der.only(octets, octets[0] if octets else 0)
    except Malformed:
        return
    assert der.encode(element.tag, element.content) == octets
