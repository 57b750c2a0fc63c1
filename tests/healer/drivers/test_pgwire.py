import asyncio
import struct

import pytest
from doubles import postgres as double

from healer.drivers.interface import DriverError
from healer.drivers.pgwire import Door, blame, error_fields, greet, is_fact, look_up
from healer.drivers.reach import LookupFailedError, Resolver


def door(liar):
    return Door(host=str(liar.folder))


async def blamed(liar, timeout=0.2):
    await blame(door(liar), Resolver(), user="healer", dbname="postgres", timeout=timeout)


@pytest.mark.parametrize("hello", [b"N", b"S", b"E"])
async def test_whatever_it_thinks_of_encryption_it_takes_connections(hello):
    async with double.Liar(hello=hello) as liar:
        await greet(door(liar), Resolver(), timeout=1.0)


@pytest.mark.parametrize(
    ("hello", "said"),
    [(b"HTTP/1.1 400 Bad Request\r\n\r\n", "not PostgreSQL"), (b"", "without a word"), (None, "within 0.2 s")],
)
async def test_garbage_silence_and_hanging_up_are_the_servers_own(hello, said):
    async with double.Liar(hello=hello) as liar:
        with pytest.raises(DriverError, match=said) as caught:
            await greet(door(liar), Resolver(), timeout=0.2)
    assert caught.value.fact


async def test_a_socket_that_is_not_there_is_a_fact_and_one_we_may_not_name_is_not():
    with pytest.raises(DriverError, match="No such file") as caught:
        await greet(Door(host="/nonexistent"), Resolver(), timeout=1.0)
    assert caught.value.fact
    with pytest.raises(DriverError) as caught:
        await greet(Door(host="/" + "long" * 100), Resolver(), timeout=1.0)
    assert not caught.value.fact


async def test_a_refused_port_is_a_fact():
    with pytest.raises(DriverError, match="refused") as caught:
        await greet(Door(host="127.0.0.1", port=1), Resolver(), timeout=1.0)
    assert caught.value.fact


class Lost:
    """A resolver that has no answer, or gives none."""

    def __init__(self, hangs):
        self.hangs = hangs

    async def addresses(self, host, port):
        if self.hangs:
            await asyncio.sleep(60)
        raise LookupFailedError(f"cannot look up {host}")


@pytest.mark.parametrize("hangs", [False, True])
async def test_names_are_our_resolvers_trouble_and_never_a_fact(hangs):
    with pytest.raises(DriverError, match="look") as caught:
        await look_up(Door(host="db.example"), Lost(hangs), timeout=0.05)
    assert not caught.value.fact


@pytest.mark.parametrize(
    ("sqlstate", "fact"),
    [("57P03", True), ("53300", True), ("58030", True), ("XX000", True), ("28P01", False), ("3D000", False),
     ("42501", False), ("", False)],
)  # fmt: skip
async def test_its_own_word_says_whose_fault_it_is_in_any_language(sqlstate, fact):
    assert is_fact(sqlstate) is fact
    async with double.Liar(startup=double.error(sqlstate, "Das Datenbanksystem startet")) as liar:
        if fact:
            with pytest.raises(DriverError, match="Das Datenbanksystem startet") as caught:
                await blamed(liar)
            assert caught.value.fact
        else:
            await blamed(liar)


async def test_a_server_that_asks_for_a_password_is_well():
    async with double.Liar(startup=double.message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")) as liar:
        await blamed(liar)


@pytest.mark.parametrize(
    ("startup", "said"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "not PostgreSQL"),
        (b"E\xff\xff\xff\xff", "not PostgreSQL"),
        (b"E\x7f\xff\xff\xff", "not PostgreSQL"),
        (b"q\0\0\0\4", "not PostgreSQL"),
        (b"E\0\0\1\0half", "middle of a word"),
        (b"", "middle of a word"),
    ],
)
async def test_a_garbled_greeting_is_the_servers_own(startup, said):
    async with double.Liar(startup=startup) as liar:
        with pytest.raises(DriverError, match=said) as caught:
            await blamed(liar)
    assert caught.value.fact


@pytest.mark.parametrize("text", [b"", b"\0\0", b"C", b"\xff\xfe", b"Cx\0M\xc3\x28\0"])
def test_fields_of_any_error_can_be_read(text):
    assert isinstance(error_fields(text).get("C", ""), str)
