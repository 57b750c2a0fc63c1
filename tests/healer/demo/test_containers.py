"""An image is made of a program that needs no library, or it is said that there is none."""

import io
import sys
import tarfile
from pathlib import Path

import pytest

from healer.demo import containers
from healer.demo.containers import ContainerSystem, _archive, _is_static


def test_a_program_that_needs_a_loader_is_told_from_one_that_does_not(tmp_path):
    assert not _is_static(Path(sys.executable))
    for name, content in (("empty", b""), ("text", b"#!/bin/sh\n"), ("half", b"\x7fELF\x02")):
        path = tmp_path / name
        path.write_bytes(content)
        assert not _is_static(path)
    assert not _is_static(tmp_path / "none")


@pytest.mark.skipif(not _is_static(Path("/bin/busybox")), reason="no static busybox here")
def test_the_image_holds_one_program_of_roots():
    with tarfile.open(fileobj=io.BytesIO(_archive())) as archive:
        (only,) = archive.getmembers()
    assert (only.name, only.uid, only.gid) == ("bin/busybox", 0, 0)


def test_without_an_engine_that_is_what_is_missing(monkeypatch):
    monkeypatch.setattr(containers, "program", lambda _: "")
    assert ContainerSystem.missing() == "docker is not installed"
    monkeypatch.setattr(containers, "program", lambda _: "/bin/false")
    assert "no Docker engine answers" in ContainerSystem.missing()


def test_its_name_is_none_that_the_agent_would_take_for_itself(tmp_path):
    assert "healer" not in ContainerSystem(tmp_path, "7").patient.target
