"""A certificate judged: its days, its name and its chain apart, and in one word whether clients would accept it."""

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from healer.drivers.tls import Shown, TlsError
from healer.errors import SensorError
from healer.model.target import Target
from healer.sensors.tls import TlsSensor

NOW = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)


class Clock:
    def __init__(self):
        self.at = 5.0

    def now(self):
        self.at += 0.25
        return self.at

    def wall(self):
        return NOW.timestamp()


class Shows:
    """A driver that shows what it is told to."""

    def __init__(self, shown):
        self.shown = shown

    async def ask(self, place, *, timeout):
        if isinstance(self.shown, TlsError):
            raise self.shown
        return self.shown


def leaf(*names, days=30.0):
    key = ed25519.Ed25519PrivateKey.generate()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "web.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key()).serial_number(1)
        .not_valid_before(NOW - dt.timedelta(days=300)).not_valid_after(NOW + dt.timedelta(days=days))
    )  # fmt: skip
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return made.sign(key, None).public_bytes(serialization.Encoding.DER)


async def look(der, distrust="", **spec):
    target = Target(kind="tls", name="x", organ="immune", spec={"host": "web.example", **spec})
    shown = der if isinstance(der, TlsError) else Shown(version="TLSv1.3", leaf=der, distrust=distrust)
    readings = await TlsSensor(target, Shows(shown), Clock()).look(1.0)
    return {reading.metric.removeprefix("tls."): getattr(reading, "value", None) for reading in readings}


async def test_a_good_certificate_is_told_whole():
    seen = await look(leaf("web.example"))
    assert (seen["ok"], seen["message"], seen["chain_ok"], seen["name_ok"]) == (1, "", 1, 1)
    assert (seen["days_left"], seen["version"], seen["latency"]) == (30, "TLSv1.3", 0.25)
    assert (seen["key"], seen["key_bits"], seen["self_signed"], seen["issuer"]) == (
        "ed25519",
        None,
        1,
        "CN=web.example",
    )
    assert len(seen["fingerprint"]) == 64


@pytest.mark.parametrize("days", [0.5, -0.5, -200.0, 90000.0])
async def test_days_left_go_below_nought(days):
    assert (await look(leaf("web.example", days=days)))["days_left"] == pytest.approx(days)


async def test_a_certificate_of_another_name_says_which():
    seen = await look(leaf("a.example", "b.example"))
    assert (seen["ok"], seen["name_ok"], seen["chain_ok"]) == (0, 0, 1)
    assert seen["message"] == "it is for a.example, b.example, not for web.example"


async def test_a_name_in_the_subject_alone_does_not_count():
    assert "no name" in (await look(leaf()))["message"]


async def test_the_name_it_has_to_prove_can_be_another_than_the_host():
    assert (await look(leaf("front.example"), server_name="front.example"))["ok"] == 1


async def test_a_chain_that_is_not_trusted_says_why_beside_a_right_name():
    seen = await look(leaf("web.example", days=-1), "certificate has expired")
    assert (seen["ok"], seen["chain_ok"], seen["name_ok"], seen["days_left"]) == (0, 0, 1, pytest.approx(-1))
    assert seen["message"] == "certificate has expired"


async def test_no_handshake_is_a_fact_and_nothing_of_ours_is():
    seen = await look(TlsError("no handshake within 5 s", fact=True))
    assert (seen["ok"], seen["message"], seen["days_left"]) == (0, "no handshake within 5 s", None)
    with pytest.raises(SensorError, match="cannot look up"):
        await look(TlsError("cannot look up web.example", fact=False))


@pytest.mark.parametrize("der", [b"", b"\x30\x03\x02\x01\x01"])
async def test_what_is_no_certificate_is_a_fact(der):
    assert (await look(der))["ok"] == 0
