"""A real TLS server (openssl s_server): certificates made by openssl, judged as clients would."""

import contextlib
import socket
import ssl
import subprocess
import time

import pytest
from aiosmtpd.controller import Controller

from healer.clock import SystemClock
from healer.drivers.tls import Tls
from healer.model.target import Target
from healer.sensors.tls import TlsSensor

pytestmark = pytest.mark.real


def openssl(folder, *words):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def folder(real, tmp_path_factory):
    """An authority, one below it, and certificates for every trouble."""
    real("openssl")
    made = tmp_path_factory.mktemp("tls")
    new = ("req", "-newkey", "rsa:2048", "-nodes")
    authority = "basicConstraints=critical,CA:TRUE"
    openssl(made, *new, "-x509", "-days", "3650", "-subj", "/CN=root", "-keyout", "root.key", "-out", "root.pem")
    openssl(made, *new, "-subj", "/CN=between", "-keyout", "between.key", "-out", "between.csr")
    (made / "ca.ext").write_text(f"{authority}\n")
    (made / "leaf.ext").write_text("subjectAltName=DNS:web.example,IP:127.0.0.1\n")
    signed = ("x509", "-req", "-CAcreateserial")
    root = ("-CA", "root.pem", "-CAkey", "root.key")
    openssl(made, *signed, *root, "-days", "90", "-in", "between.csr", "-extfile", "ca.ext", "-out", "between.pem")
    openssl(made, *new, "-subj", "/CN=web.example", "-keyout", "leaf.key", "-out", "leaf.csr")
    between = ("-CA", "between.pem", "-CAkey", "between.key", "-in", "leaf.csr", "-extfile", "leaf.ext")
    openssl(made, *signed, *between, "-days", "30", "-out", "leaf.pem")
    openssl(made, *new, "-x509", "-days", "5", "-subj", "/CN=alone", "-keyout", "alone.key", "-out", "alone.pem")
    return made


def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@contextlib.contextmanager
def served(folder, *words):
    port = free()
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-quiet", *words]
    with subprocess.Popen(argv, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 10
            while True:
                with socket.socket() as knock:
                    if knock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert time.monotonic() < end
                time.sleep(0.02)
            yield port
        finally:
            process.terminate()
            process.wait(10)


async def look(folder, port, **spec):
    whole = {"host": "127.0.0.1", "port": port, "ca": str(folder / "root.pem"), "timeout": 2.0, **spec}
    sensor = TlsSensor(Target(kind="tls", name="x", organ="immune", spec=whole), Tls(), SystemClock())
    readings = await sensor.look(SystemClock().now())
    return {reading.metric.removeprefix("tls."): getattr(reading, "value", None) for reading in readings}


async def test_a_whole_chain_is_trusted_with_every_figure(folder):
    with served(folder, "-cert", "leaf.pem", "-key", "leaf.key", "-cert_chain", "between.pem") as port:
        seen = await look(folder, port)
        assert (seen["ok"], seen["message"], seen["chain_ok"], seen["name_ok"]) == (1, "", 1, 1)
        assert 29 < seen["days_left"] <= 30
        assert (seen["key"], seen["key_bits"], seen["self_signed"]) == ("rsa", 2048, 0)
        assert (seen["version"], seen["issuer"]) == ("TLSv1.3", "CN=between")
        assert 0 < seen["latency"] < 2
        named = await look(folder, port, server_name="other.example")
        assert (named["ok"], named["chain_ok"], named["name_ok"]) == (0, 1, 0)


async def test_a_server_that_forgets_what_is_between_is_not_trusted(folder):
    with served(folder, "-cert", "leaf.pem", "-key", "leaf.key") as port:
        seen = await look(folder, port)
    assert (seen["ok"], seen["chain_ok"], seen["name_ok"]) == (0, 0, 1)
    assert "issuer" in seen["message"]


async def test_a_self_signed_certificate_is_told_as_one(folder):
    with served(folder, "-cert", "alone.pem", "-key", "alone.key") as port:
        seen = await look(folder, port)
    assert (seen["ok"], seen["self_signed"]) == (0, 1)
    assert 4 < seen["days_left"] <= 5


async def test_an_older_protocol_is_told(folder):
    with served(folder, "-cert", "leaf.pem", "-key", "leaf.key", "-cert_chain", "between.pem", "-tls1_2") as port:
        assert (await look(folder, port))["version"] == "TLSv1.2"


async def test_no_common_protocol_is_a_fact(folder):
    with served(folder, "-cert", "leaf.pem", "-key", "leaf.key", "-tls1", "-cipher", "ALL:@SECLEVEL=0") as port:
        seen = await look(folder, port)
    assert (seen["ok"], seen["days_left"]) == (0, None)
    assert "TLS failed" in seen["message"]


async def test_a_real_mail_server_is_asked_for_tls(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    (folder / "chain.pem").write_bytes((folder / "leaf.pem").read_bytes() + (folder / "between.pem").read_bytes())
    context.load_cert_chain(folder / "chain.pem", folder / "leaf.key")
    port = free()
    mail = Controller(object(), hostname="127.0.0.1", port=port, tls_context=context)
    mail.start()
    try:
        seen = await look(folder, port, starttls="smtp")
    finally:
        mail.stop()
    assert (seen["ok"], seen["message"], seen["chain_ok"]) == (1, "", 1)


async def test_a_server_that_waits_while_we_wait_for_its_greeting_is_a_fact(folder):
    with served(folder, "-cert", "leaf.pem", "-key", "leaf.key") as port:
        seen = await look(folder, port, starttls="smtp", timeout=0.3)
    assert (seen["ok"], "no handshake within" in seen["message"]) == (0, True)
