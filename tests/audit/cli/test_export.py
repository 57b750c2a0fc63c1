"""Entries as they were sealed."""

import io
import json
import sys

from audit import cli


def test_export_gives_the_sealed_octets(run, honest, monkeypatch, given):
    class Stdout(io.TextIOWrapper):
        pass

    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Stdout(raw))
    assert cli.main(["export", *map(str, given(honest)), "--kind", "intent"]) == 0
    lines = raw.getvalue().splitlines()
    assert len(lines) == 4
    assert json.loads(lines[0])["kind"] == "intent"
