"""Evidence is shown with the word of the sealed log on it: what was changed is never shown as sealed."""

import json

import pytest

from audit.clock import SystemClock
from audit.writer import Writer
from healer.store import capsules

CONTENT = json.dumps(
    {"target": "program:api", "output": "one\ntwo \x1b[31m\n", "samples": [{"metric": "program.up", "value": 0}]}
).encode()


def seal(folder, digest):
    entry = {
        "v": 1, "mono": 1, "boot": "b", "node": "here", "ts": 1_700_000_000_000_000, "kind": "evidence",
        "about": "program:api, before it was ended", "sha256": digest, "size": len(CONTENT),
        "data": {"target": "program:api", "when": "before", "rule": "web", "intent": "f" * 64},
    }  # fmt: skip
    with Writer.open(folder, node="here", clock=SystemClock()) as writer:
        writer.submit([entry]).result()


@pytest.fixture
def digest(tmp_path):
    found = capsules.keep(tmp_path, CONTENT)
    seal(tmp_path, found)
    return found


def test_what_was_sealed_is_listed_and_shown(healer, digest):
    said = healer("evidence", "list")
    assert said.code == 0
    for word in ("program:api", "before", "web", digest[:12], "sealed"):
        assert word in said.out.splitlines()[1]
    said = healer("evidence", "show", digest[:8])
    assert said.code == 0
    assert "target: program:api" in said.out
    assert "output:\n  one\n  two ?[31m" in said.out
    assert "- metric program.up, value 0" in said.out
    assert "\x1b" not in said.out
    assert "the content is what the log says" in said.err
    assert json.loads(healer("evidence", "show", digest, "--json").out)["content"]["target"] == "program:api"


def test_one_that_was_changed_is_not_shown_and_says_so(healer, digest, tmp_path):
    (tmp_path / "evidence" / f"{digest}.json").write_bytes(CONTENT.replace(b"one", b"two"))
    assert healer("evidence", "list", "--json").out.count('"state": "changed"') == 1
    said = healer("evidence", "show", digest)
    assert (said.code, said.out) == (1, "")
    assert "NOT WHAT WAS SEALED" in said.err


def test_one_that_made_room_is_told_from_one_that_never_was(healer, digest, tmp_path):
    (tmp_path / "evidence" / f"{digest}.json").unlink()
    said = healer("evidence", "show", digest)
    assert said.code == 1
    assert "not there any more" in said.err
    assert healer("evidence", "show", "0" * 12).code == 2
    assert healer("evidence", "show", digest[:3]).code == 2


def test_one_that_somebody_put_there_is_not_sealed(healer, digest, tmp_path):
    planted = capsules.keep(tmp_path, b'{"target": "program:a')
    said = healer("evidence", "show", planted)
    assert said.code == 1
    assert "no entry of the log names it" in said.err
    states = {one["sha256"]: one["state"] for one in json.loads(healer("evidence", "list", "--json").out)["evidence"]}
    assert states == {digest: "sealed", planted: "not sealed"}


def test_only_those_of_a_target_are_listed(healer, digest):
    assert "no evidence was kept" in healer("evidence", "list", "--target", "unit:*").err


def test_an_empty_state_folder_has_none(healer):
    assert "no evidence was kept" in healer("evidence", "list").err
