"""A name looked up: what is a fact about it, what about its server, and what about neither."""

import pytest

from healer.drivers.dns import Answer, DnsError
from healer.errors import SensorError
from healer.model.target import Target
from healer.sensors.dns import DnsSensor


class Says:
    """A driver that says what it is told to."""

    def __init__(self, said):
        self.said, self.opened = said, False

    async def open(self):
        self.opened = True

    async def ask(self, record, kind, *, server, timeout):
        if isinstance(self.said, DnsError):
            raise self.said
        return self.said


def answer(rcode="NOERROR", answers=("192.0.2.80",), ttl=60):
    return Answer(server="192.0.2.53:53", rcode=rcode, answers=answers, ttl=ttl, took=0.02)


async def look(said, **spec):
    target = Target(kind="dns", name="x", organ="lungs", spec={"record": "www.example", **spec})
    readings = await DnsSensor(target, Says(said)).look(1.0)
    return {reading.metric.removeprefix("dns."): getattr(reading, "value", None) for reading in readings}


async def test_a_name_with_an_answer_is_ok():
    seen = await look(answer())
    assert seen == {"ok": 1, "message": "", "rcode": "NOERROR", "answer": "192.0.2.80", "answers": 1, "ttl": 60,
                    "latency": 0.02}  # fmt: skip


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        (["192.0.2.80"], ""),
        (["192.0.2.9"], "the answer came without 192.0.2.9 and with 192.0.2.80"),
        (["192.0.2.80", "192.0.2.81"], "the answer came without 192.0.2.81"),
    ],
)
async def test_answers_are_those_that_were_expected_and_no_other(expect, message):
    seen = await look(answer(), expect=expect)
    assert (seen["ok"], seen["message"]) == (not message, message)


async def test_expected_names_are_compared_as_people_write_them():
    assert (await look(answer(answers=("10 mail.example",)), expect=["10 Mail.Example."]))["ok"] == 1


async def test_no_such_name_is_a_fact_whoever_says_so():
    for spec in ({}, {"server": "192.0.2.53"}):
        seen = await look(answer("NXDOMAIN", (), None), **spec)
        assert (seen["ok"], seen["rcode"], seen["answers"], seen["ttl"]) == (0, "NXDOMAIN", 0, None)


async def test_a_name_without_a_record_of_that_type_is_not_ok():
    assert (await look(answer(answers=(), ttl=None)))["message"] == "there is no A record"


async def test_a_failure_is_a_fact_of_a_server_that_was_named_and_nobodys_else():
    seen = await look(answer("SERVFAIL", (), None), server="192.0.2.53")
    assert (seen["ok"], seen["rcode"], seen["answers"], seen["answer"]) == (0, "SERVFAIL", None, None)
    with pytest.raises(SensorError, match="SERVFAIL"):
        await look(answer("SERVFAIL", (), None))


async def test_a_server_that_does_not_serve_us_says_nothing_about_the_name():
    with pytest.raises(SensorError, match="REFUSED"):
        await look(answer("REFUSED", (), None), server="192.0.2.53")


async def test_silence_is_a_fact_or_not_as_the_driver_says():
    seen = await look(DnsError("no answer within 5 s", fact=True), server="192.0.2.53")
    assert (seen["ok"], seen["message"], seen["latency"]) == (0, "no answer within 5 s", None)
    with pytest.raises(SensorError, match="no name server"):
        await look(DnsError("this host has no name server", fact=False))


async def test_its_library_is_loaded_before_the_first_look():
    says = Says(answer())
    await DnsSensor(Target(kind="dns", name="x", organ="lungs", spec={"record": "a"}), says).open(lambda _: None)
    assert says.opened
