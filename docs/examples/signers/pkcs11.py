"""Seal the log with a key in a token: a signer for ``audit.signer`` that drives PKCS#11 through OpenSC's pkcs11-tool.

It reads messages (one line of base64 each) and answers signatures (one line of base64 each) until its input ends:

    audit:
      signer:
        command: [/usr/bin/python3, /etc/healer/pkcs11.py, --module, /usr/lib/softhsm/libsofthsm2.so,
                  --token, healer, --id, "01", --pin-file, /etc/healer/pin]
        public: /etc/healer/seal.pub

A failed signature ends it: the agent then stops acting and says so, because what is not sealed is not done.
"""

import argparse
import base64
import os
import subprocess
import sys
from pathlib import Path

TOOL = "/usr/bin/pkcs11-tool"
TIMEOUT_S = 4.5


def main() -> None:
    """Answer until the input ends."""
    options = parse()
    pin = read_pin(options.pin_file)
    for line in sys.stdin.buffer:
        signature = sign(options, pin, base64.b64decode(line.strip(), validate=True))
        sys.stdout.buffer.write(base64.b64encode(signature) + b"\n")
        sys.stdout.buffer.flush()


def parse() -> argparse.Namespace:
    """Read where the key is; the PIN comes from a file, for an argument would be seen by everybody."""
    parser = argparse.ArgumentParser(description="Sign messages with a key in a PKCS#11 token.")
    parser.add_argument("--module", required=True, help="the token's PKCS#11 library")
    parser.add_argument("--token", required=True, help="the token's label")
    parser.add_argument("--id", required=True, help="the key's id, in hex")
    parser.add_argument("--pin-file", type=Path, help="else the systemd credential healer-seal-pin")
    return parser.parse_args()


def read_pin(path: Path | None) -> str:
    """Return the PIN."""
    if path is None:
        path = Path(os.environ["CREDENTIALS_DIRECTORY"]) / "healer-seal-pin"
    return path.read_text("utf-8").strip()


def sign(options: argparse.Namespace, pin: str, message: bytes) -> bytes:
    """Have the token sign: RSA-PSS, SHA-256, a salt of 32 octets. The key never leaves it."""
    where = ["--module", options.module, "--token-label", options.token, "--id", options.id]
    how = ["--sign", "--mechanism", "SHA256-RSA-PKCS-PSS", "--mgf", "MGF1-SHA256", "--salt-len", "32"]
    done = subprocess.run(
        [TOOL, *where, *how, "--login", "--pin", "env:PIN", "-i", "/dev/stdin", "-o", "/dev/stdout"],
        input=message,
        stdout=subprocess.PIPE,
        env={**os.environ, "PIN": pin},
        timeout=TIMEOUT_S,
        check=True,
    )
    return done.stdout


if __name__ == "__main__":
    main()
