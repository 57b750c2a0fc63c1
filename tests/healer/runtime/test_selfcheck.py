import asyncio
import sys

import pytest

from audit.writer import Writer
from healer.errors import HealerError
from healer.runtime import selfcheck

EVENT = {"kind": "event", "type": "user.x", "data": {}}


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    with Writer.open(folder, node="here") as writer:
        for _ in range(3):
            writer.append(EVENT)
    return folder


async def test_an_untouched_log_is_verified_by_a_process_of_its_own(log):
    checked = await selfcheck.check(log, now=5.0)
    assert (checked.verified, checked.tampered, checked.at) == (True, False, 5.0)
    assert (log / "verified").exists()
    again = await selfcheck.check(log, now=6.0, whole=True)
    assert again.verified


async def test_no_log_is_neither_verified_nor_tampered(tmp_path):
    checked = await selfcheck.check(tmp_path, now=0.0)
    assert (checked.verified, checked.tampered) == (False, False)
    assert checked.summary


async def test_a_verifier_that_cannot_be_run_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    with pytest.raises(HealerError, match="cannot run the verifier"):
        await selfcheck.check(tmp_path, now=0.0)


async def test_a_verifier_that_says_nothing_readable_is_told(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\necho oops >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    with pytest.raises(HealerError, match="ended with 3 and no report: oops"):
        await selfcheck.check(tmp_path, now=0.0)


async def test_a_verifier_that_hangs_is_killed(tmp_path, monkeypatch):
    script = tmp_path / "python"
    script.write_text("#!/bin/sh\nexec sleep 1000\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    monkeypatch.setattr(selfcheck, "PATIENCE", 0.2)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5):
            await selfcheck.check(tmp_path, now=0.0)
