"""The archive of the single file runs the file that lies in it, whatever byte code lies beside it."""

import subprocess
import sys
import zipfile
from pathlib import Path

PACK = Path(__file__).parents[2] / "verifiers" / "pack.py"


def version(archive: Path) -> str:
    argv = [sys.executable, "-I", "-S", str(archive), "--version"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout


def test_byte_code_of_another_file_is_not_used(tmp_path):
    honest, changed = tmp_path / "honest.pyz", tmp_path / "changed.pyz"
    subprocess.run([sys.executable, str(PACK), str(honest)], check=True)
    assert version(honest) == "audit-verify 1\n"
    with zipfile.ZipFile(honest) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            octets = old.read(name)
            new.writestr(name, octets.replace(b"audit-verify 1", b"audit-verify 2") if name.endswith(".py") else octets)
    assert version(changed) == "audit-verify 2\n"
