"""Text in, an import out."""

import os
from pathlib import Path

import pytest

from healer.importing.harvest import Fate
from healer.importing.importer import bring


@pytest.fixture
def imported(tmp_path):
    """Import a text: ``imported("supervisord", text)``."""

    def run(wanted, text, name="source.conf", **more):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return bring(path, wanted=wanted, **more)

    return run


@pytest.fixture
def fates():
    """What had a fate, as text: ``fates(found, "carried")``."""

    def said(found, fate):
        return [f"{item.mark.line}: {item.what}: {item.because}" for item in found.harvest.of(Fate[fate.upper()])]

    return said


@pytest.fixture(scope="session")
def samples() -> Path:
    """Files of other supervisors, which lie beside the checkout."""
    named = os.environ.get("HEALER_SAMPLES")
    beside = [parent / "shared" / "samples" for parent in Path(__file__).resolve().parents]
    for folder in [Path(named)] if named else beside:
        if folder.is_dir():
            return folder
    if os.environ.get("HEALER_REQUIRE_REAL") == "1" or os.environ.get("CI") == "true":
        pytest.fail("the samples of other supervisors are missing: set HEALER_SAMPLES")
    pytest.skip("the samples are not beside this checkout (HEALER_SAMPLES names their folder)")
