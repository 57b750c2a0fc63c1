"""Addresses in numbers: what people write is read, and nothing else."""

import pytest

from healer.model.address import loopback, numeric


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)),
        ("192.0.2.1:5353", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)),
        ("[2001:db8::1]", ("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)
def test_what_people_write_is_read(text, found):
    assert numeric(text, 53) == found


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "ns.example:53", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "192.0.2.1:1:2",
     "[::1", "[::1]x", "[::1]:", "192.0.2.256", "192.0.2.1:" + "9" * 5000, "192.0.2.1:²"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011 - each is its own
        numeric(text, 53)


def test_without_a_usual_port_one_must_be_written():
    with pytest.raises(ValueError, match="names no port"):
        numeric("127.0.0.1")


def test_only_loopback_addresses_are_loopback():
    assert loopback("127.0.0.9")
    assert loopback("::1")
    assert not loopback("192.0.2.1")
