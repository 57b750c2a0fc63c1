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


def test_a_copy_of_the_blocks_is_never_written_over_anything(run, honest, given, tmp_path):
    copy = tmp_path / "copy.db"
    for code, words in ((0, "PROVEN"), (2, "exists already")):
        done = run("export", *given(honest), "--database", copy)
        assert (done[0], words in done[2]) == (code, True)
    assert run("verify", copy, "--key", honest.key, "--anchor", honest.anchor, "--no-memory")[0] == 0
