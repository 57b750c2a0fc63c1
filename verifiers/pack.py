"""Pack the single-file verifier: ``python verifiers/pack.py dist/audit-verify.pyz``.

Beside the readable file lies its byte code, which saves half of the start. Python takes it only where it was made from
exactly that file (PEP 552, a checked hash) by the same version of Python; and whoever distrusts it runs the file alone.
"""

import py_compile
import shutil
import sys
import tempfile
import zipapp
from pathlib import Path

FILE = Path(__file__).with_name("audit_verify.py")


def pack(archive: Path) -> None:
    """Write the archive, replacing what is there."""
    with tempfile.TemporaryDirectory(prefix="audit-verify-") as name:
        folder = Path(name)
        shutil.copy(FILE, folder)
        checked = py_compile.PycInvalidationMode.CHECKED_HASH
        code = str(folder / f"{FILE.name}c")
        py_compile.compile(str(folder / FILE.name), code, FILE.name, doraise=True, invalidation_mode=checked)
        zipapp.create_archive(folder, archive, "/usr/bin/env python3", f"{FILE.stem}:main", compressed=True)


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
