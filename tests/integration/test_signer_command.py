"""A key that never leaves its token seals the log: SoftHSM2 and a software TPM, through the shipped example."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from audit import keys
from audit.errors import Poisoned
from audit.keys import SealingKey
from audit.signer import CommandSigner, SignerFailed
from audit.verifier import Ask, verify
from audit.writer import Writer

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "signers" / "pkcs11.py"

pytestmark = pytest.mark.real


def library(pattern: str) -> str:
    """Return the path of a library; programs are asked for by ``real``."""
    found = next(Path("/usr/lib").glob(pattern), None)
    if found is None and os.environ.get("HEALER_REQUIRE_REAL") == "1":
        pytest.fail(f"{pattern} is missing")
    if found is None:
        pytest.skip(f"not installed: {pattern} (.ci/run installs what integration tests need)")
    return str(found)


class Token:
    """A token in a folder, with two keys in it."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder, self.module = folder, module
        self.pin = folder / "pin"
        (folder / "tokens").mkdir(parents=True)
        (folder / "softhsm2.conf").write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\n")
        self.environment = {"SOFTHSM2_CONF": str(folder / "softhsm2.conf")}
        self.pin.write_text("5678\n")
        self._run("softhsm2-util", "--init-token", "--free", "--label", "healer", "--so-pin", "1234", "--pin", "5678")
        for number in ("01", "02"):
            self._tool("--login", "--pin", "5678", "--keypairgen", "--key-type", "rsa:3072", "--id", number)
            self._tool("--read-object", "--type", "pubkey", "--id", number, "-o", str(folder / f"{number}.der"))
            run = ("openssl", "pkey", "-pubin", "-inform", "DER", "-in", str(folder / f"{number}.der"))
            self._run(*run, "-pubout", "-out", str(folder / f"{number}.pub"))

    def _tool(self, *argv: str) -> None:
        self._run("pkcs11-tool", "--module", self.module, "--token-label", "healer", *argv)

    def _run(self, *argv: str) -> None:
        subprocess.run(argv, env={**os.environ, **self.environment}, check=True, capture_output=True, timeout=60)

    def signer(self, number: str = "01") -> CommandSigner:
        argv = [sys.executable, str(EXAMPLE), "--module", self.module, "--token", "healer", "--id", number]
        public = keys.load_public(self.folder / f"{number}.pub")
        return CommandSigner([*argv, "--pin-file", str(self.pin)], public, environment=self.environment)


@pytest.fixture(scope="module")
def token(tmp_path_factory, real) -> Token:
    real("softhsm2-util", "pkcs11-tool", "openssl")
    return Token(tmp_path_factory.mktemp("hsm"), library("**/libsofthsm2.so"))


EVENT = {"kind": "event", "type": "test.happened", "data": {}}


def test_a_token_seals_a_log_from_its_first_block(token, tmp_path):
    with token.signer() as signer, Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer:
        for _ in range(5):
            writer.append(EVENT)
    report = verify(Ask(log=tmp_path / "s", key=token.folder / "01.pub", deep=True))
    assert (report.exit_code, report.last) == (0, 4), report.text()


def test_a_log_moves_from_a_file_into_a_token_and_on_to_the_next_key(token, tmp_path):
    (tmp_path / "pin.pub").write_bytes(_begin(tmp_path / "s"))
    with token.signer() as first, token.signer("02") as second:
        with Writer.open(tmp_path / "s", node="n", reserve_bytes=0) as writer:
            writer.rotate(first, because="into the token")
            writer.append(EVENT)
        assert not (tmp_path / "s" / "keys" / "seal.pem").exists()
        with Writer.open(tmp_path / "s", node="n", signer=first, reserve_bytes=0) as writer:
            writer.rotate(second, because="yearly")
            writer.append(EVENT)
    report = verify(Ask(log=tmp_path / "s", key=tmp_path / "pin.pub", deep=True))
    assert (report.exit_code, report.last) == (0, 4), report.text()


def _begin(folder: Path) -> bytes:
    with Writer.open(folder, node="n", reserve_bytes=0) as writer:
        writer.append(EVENT)
        return writer.public.pem


def test_a_token_that_is_taken_out_stops_the_sealing(token, tmp_path):
    with token.signer() as signer, Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer:
        writer.append(EVENT)
        (token.folder / "tokens").rename(token.folder / "away")
        try:
            with pytest.raises(Poisoned, match="ended with status 1"):
                writer.append(EVENT)
        finally:
            (token.folder / "away").rename(token.folder / "tokens")
    assert verify(Ask(log=tmp_path / "s", key=token.folder / "01.pub")).exit_code == 0


def test_a_wrong_pin_is_told_at_the_start(token, capfd):
    right = token.pin.read_text()
    token.pin.write_text("0000\n")
    try:
        with pytest.raises(SignerFailed, match="ended with status 1"):
            token.signer()
        assert "CKR_PIN_INCORRECT" in capfd.readouterr().err
    finally:
        token.pin.write_text(right)


def test_another_public_key_than_the_tokens_is_refused(token):
    argv = [sys.executable, str(EXAMPLE), "--module", token.module, "--token", "healer", "--id", "01"]
    with pytest.raises(SignerFailed, match="not the pinned key's"):
        CommandSigner(
            [*argv, "--pin-file", str(token.pin)], SealingKey.generate().public, environment=token.environment
        )


# ------------------------------------------------------------------------------------------------------- a TPM


class Tpm:
    """A software TPM on a Unix socket, with tpm2-pkcs11 on top of it."""

    def __init__(self, folder: Path, module: str) -> None:
        self.folder, self.module, self.socket = folder, module, folder / "sock"
        for name in ("state", "store", "bin"):
            (folder / name).mkdir()
        argv = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder / 'state'}"]
        argv += ["--server", f"type=unixio,path={self.socket}", "--ctrl", f"type=unixio,path={self.socket}.ctrl"]
        argv += ["--flags", "not-need-init,startup-clear"]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = f"swtpm:path={self.socket}"
        self.environment = {"TPM2_PKCS11_TCTI": address, "TPM2_PKCS11_STORE": str(folder / "store")}
        self._tools = {**os.environ, **self.environment, "TPM2TOOLS_TCTI": address}
        (folder / "pin").write_text("5678\n")

    def wait(self) -> None:
        end = time.monotonic() + 10
        while not self.socket.exists():
            assert time.monotonic() < end, "swtpm did not start"
            assert self.process.poll() is None, "swtpm ended"
            time.sleep(0.02)

    def provision(self) -> None:
        self._flush_after_each_tool()
        store = ("--path", str(self.folder / "store"))
        self._run("tpm2_ptool", "init", *store)
        pins = ("--sopin", "1234", "--userpin", "5678")
        self._run("tpm2_ptool", "addtoken", "--pid", "1", "--label", "healer", *pins, *store)
        key = ("--algorithm", "rsa3072", "--key-label", "seal", "--id", "01")
        self._run("tpm2_ptool", "addkey", "--label", "healer", "--userpin", "5678", *key, *store)
        token = ("--module", self.module, "--token-label", "healer")
        der, pem = str(self.folder / "pub.der"), str(self.folder / "pub.pem")
        self._run("pkcs11-tool", *token, "--read-object", "--type", "pubkey", "--id", "3031", "-o", der)
        self._run("openssl", "rsa", "-pubin", "-inform", "DER", "-in", der, "-pubout", "-out", pem)

    def _flush_after_each_tool(self) -> None:
        """A bare TPM has three slots and no resource manager: whatever a tool leaves in them goes at once."""
        for tool in Path("/usr/bin").glob("tpm2_*"):
            if tool.name != "tpm2_ptool":
                script = f'#!/bin/sh\n{tool} "$@"; rc=$?\n/usr/bin/tpm2_flushcontext -t >/dev/null 2>&1\nexit $rc\n'
                (self.folder / "bin" / tool.name).write_text(script)
                (self.folder / "bin" / tool.name).chmod(0o755)
        self._tools["PATH"] = f"{self.folder / 'bin'}:{os.environ['PATH']}"

    def _run(self, *argv: str) -> None:
        done = subprocess.run(argv, env=self._tools, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (argv, done.stderr)

    def end(self) -> None:
        self.process.kill()
        self.process.wait(5)


@pytest.fixture
def tpm(real):
    real("swtpm", "tpm2_ptool", "tpm2_flushcontext", "pkcs11-tool", "openssl")
    module = library("*/libtpm2_pkcs11.so.1")
    library("*/libtss2-tcti-swtpm.so.0")
    # Not in pytest's folder: the path of a Unix socket has 107 octets at most.
    with tempfile.TemporaryDirectory(prefix="tpm") as folder:
        made = Tpm(Path(folder), module)
        try:
            made.wait()
            made.provision()
            yield made
        finally:
            made.end()


def test_a_tpm_seals_a_log(tpm, tmp_path):
    public = tpm.folder / "pub.pem"
    argv = [sys.executable, str(EXAMPLE), "--module", tpm.module, "--token", "healer", "--id", "3031"]
    argv += ["--pin-file", str(tpm.folder / "pin")]
    with (
        CommandSigner(argv, keys.load_public(public), environment=tpm.environment) as signer,
        Writer.open(tmp_path / "s", node="n", signer=signer, reserve_bytes=0) as writer,
    ):
        for _ in range(3):
            writer.append(EVENT)
        tpm.end()
        with pytest.raises(Poisoned, match="ended with status 1"):
            writer.append(EVENT)
    report = verify(Ask(log=tmp_path / "s", key=public, deep=True))
    assert (report.exit_code, report.last) == (0, 2), report.text()
